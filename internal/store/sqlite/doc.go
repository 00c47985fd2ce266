// Package sqlite opens the embedded database: one file (and its write-ahead log beside it) that one manager process
// uses at a time.
//
// Open takes the lock file, opens one connection that writes and several that read, brings the schema up to date and
// hands all of it to package store, which has the statements. What SQLite reports about the file itself (disk full,
// damaged, not writable) becomes an error that names the file and the way out.
//
// Every commit is synced to disk before it is acknowledged (synchronous=FULL), because an acknowledged publish must
// survive a loss of power.
package sqlite
