// Package publish is the SCM face of an app: what Azure's tools call Kudu.
//
// A zip comes in over HTTP (zipdeploy, OneDeploy), is streamed into a file of the incoming folder while it is hashed,
// checked (package archive) and read (package metadata). What cannot run is refused now, in words. What can is stored
// by its digest, and one transaction of the store turns it into a revision that the app shall run: from there on
// rollout takes over and ends the deployment. This package only waits, for callers who asked for the result.
//
// Every route exists with and without /api in front and in two forms: below /scm/<app> (ServeHTTP) and on a host name
// of the app's own (HostForm). Answers follow Kudu, because its clients insist on details: status codes, field names,
// the absolute Location, only 0, 2, 3 and 4 as states.
//
// One deployment per app runs at a time; the store decides who has it, so any number of managers can serve.
package publish
