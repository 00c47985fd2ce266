// Package record takes finished invocations and log lines off the hot path: they wait in bounded memory and go to the
// manager in batches. What does not fit is dropped and counted, and the count itself is told in the log.
package record
