// Package requesttoken signs and checks the token that every proxied request carries from gateway to worker.
//
// It is an Ed25519 JWT whose audience is the app, so that an open port on a node gives nothing away and a token
// leaked to one app opens no other. Signing costs tens of microseconds, so a token lives for TTL and the gateway
// reuses it until half of that is over; the worker remembers the last one it checked.
package requesttoken
