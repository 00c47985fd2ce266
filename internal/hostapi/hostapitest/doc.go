// Package hostapitest is a manager's end of the worker link for tests: it serves one app from memory over real HTTP,
// holds long polls, hands out occurrences and leases once, and keeps what workers tell.
package hostapitest
