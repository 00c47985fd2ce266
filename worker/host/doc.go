// Package host is the functions host: it turns one revision of an app into something that answers requests and fires
// on time.
//
// Host.Run asks the manager what to run, fetches and unpacks the content, starts the language workers or the custom
// handler, indexes and loads the functions, and then serves: HTTP requests go through the request token, the function
// route and the key check to the dispatcher; timers run while the revision is active. What it is doing goes to the
// manager in reports; what the manager wants (phase, keys, commands) comes by a long poll. State, in state.go, is pure.
package host
