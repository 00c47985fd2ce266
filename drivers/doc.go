// Package drivers translates a revision into the Nomad task that runs one copy of it.
//
// A Driver gets plain words from rollout (which app, which worker binary, how much memory) and returns an *api.Task
// that package jobspecs puts into a job. It only translates: whatever starts, watches or stops tasks belongs to the
// scheduler. Nothing here reads a file, the environment or the clock, and no input has room for a secret or a setting,
// because Nomad shows job specifications to everybody who may read jobs.
package drivers
