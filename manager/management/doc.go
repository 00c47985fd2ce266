// Package management is the ARM face: what az, func, the SDKs, Terraform and the portal use to see and change apps.
//
// A request passes one place (dispatch.go): it is authenticated, its route names an action, the action is authorized
// on the scope that the path names, the handler reads or changes the store, the audit is written, and the reply goes
// out with ARM's headers. The table of routes (routes.go) is the whole of the face; handlers return a reply or an
// error and write nothing themselves.
//
// Paths are matched without case and ids keep theirs, because Azure's own tools disagree about case. Which of the
// shapes some client insists on is said where they are made (site_json.go and its neighbours).
//
// AdminKeys is a second, small face: the keys part of an app's own /admin API, which the gateway hands over.
package management
