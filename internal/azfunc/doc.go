// Package azfunc is the vocabulary that every other package shares: apps, functions, bindings, host.json, keys and
// errors, in Azure Functions' own terms. It imports only the standard library and does no I/O.
package azfunc
