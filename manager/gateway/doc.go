// Package gateway takes the calls of functions from outside to an instance of their app.
//
// A request passes the files in this order: route.go finds the app by host or path, admin.go decides which of the
// host's own paths may be reached from outside, admit.go bounds what one app may hold, wake.go waits for an instance
// when there is none, pick.go chooses a revision by weight and in it the instance with the least to do, proxy.go
// streams both ways with the headers of headers.go, and retry.go says when another instance may be tried: only when
// no byte of the request can have reached the first. What the platform itself answers is in answers.go.
//
// All it knows comes from discovery's snapshots, read without a lock; it never asks the store or the scheduler. The
// counters that a choice needs live beside the snapshot, per app and instance, and survive its exchange.
package gateway
