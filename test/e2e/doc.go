// Package e2e starts the real manager with real workers and language workers on one machine and uses it as a client
// does: over HTTP, with the addresses, credentials and statuses that a client gets.
package e2e
