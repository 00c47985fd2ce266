// Package process starts and ends the programs that a worker looks after: language workers and custom handlers.
//
// A started program leads a process group (Linux) or a job object (Windows) of its own, so that ending it ends what it
// started too, and it dies with the worker. Its output goes line by line to the caller; the last error lines are kept,
// because they are what a person needs to see when it dies.
package process
