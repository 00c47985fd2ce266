// Package schedulertest is the conformance suite of schedulers: what the manager relies on, whoever places the work.
//
// Run applies jobs to a real scheduler and watches real processes: the test binary itself, started again with
// ProgramArg (its TestMain calls Program then). The program listens, crashes, prints and starts children on request, so
// that a test can make happen what it wants to see handled.
package schedulertest
