// Package client is the worker's end of the worker link: one method per call of internal/hostapi.
//
// Errors carry the code the manager gave (azfunc.CodeOf); a manager that cannot be reached is Unavailable. The client
// does not retry: its callers know what may wait and what may be dropped.
package client
