// Package hostapi is the manager's side of the worker link.
//
// A worker brings its instance's token with every call. The token names one instance of one revision of one app, and
// everything here is looked up from that, never from what the request says: function code can read its instance's
// token, so a token opens its own app's revision and nothing else.
//
// Down goes what to run (the revision's settings and package) and what may change under a running instance (phase, key
// hashes, the gateway's public keys), as one document with an ETag that workers wait on. Up come reports, triggers,
// invocations and log lines, and the claims of timer occurrences and leases. All of it ends in the store.
package hostapi
