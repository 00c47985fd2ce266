// Package storetest is the conformance suite of the store: what every database behind package store must do, shown by
// doing it. Run is called by each opener's tests with a function that opens an empty database.
//
// What needs the same database twice (restart, kill, a look at the raw file) is tested beside the opener.
package storetest
