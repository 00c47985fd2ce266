// Package server wires the manager's roles together: it is the one place where they meet.
//
// New opens what is needed (data folder, keys, store, certificates, scheduler) and hands each role the few methods of
// the others that it asks for; Start listens and runs the loops; Stop ends them in the reverse order, instances
// first, so that nothing outlives the manager. New and Start undo what they did when they fail.
package server
