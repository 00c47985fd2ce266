// Package scheduler holds the words in which the manager speaks of placed work, whatever places it.
//
// A revision's job (*api.Job) goes down through Apply, Scale and Stop of scheduler/local (this machine) or
// scheduler/nomad; what became of it comes up through Watch as whole snapshots, so that a reader that missed a
// change loses nothing. Consumers declare the one or two methods that they need; the conformance suite in
// schedulertest runs on every implementation.
package scheduler
