// Package identity knows who is asking and whether they may.
//
// A request brings a bearer token (the portal, ARM clients) or an app's publishing credentials (SCM). Authenticate
// turns it into a Principal, Authorize compares the principal's role assignments with the action and the scope of the
// request, and both leave a row in the audit when they refuse. Tokens come from the token endpoint, which has the
// shape of AD FS because that is the one authority that unmodified Azure clients accept without asking Microsoft.
//
// Whether a role allows an action (roles.go) and whether a scope lies within another (scope.go) are pure functions.
//
// # Refused or not there
//
// Authorize is asked before anything is looked up, with the scope that the request itself names. Somebody without a
// role there gets Forbidden whether the resource exists or not, so the answer tells nothing about it; this is also
// what Azure does. Lists leave out what the caller may not read instead of refusing.
package identity
