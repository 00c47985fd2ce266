// Package forward streams a caller's request to a program on loopback and its answer back: to a custom handler, or to
// the HTTP server of a language worker. Upgrades (WebSocket) pass too, and what the program flushes the caller sees.
package forward
