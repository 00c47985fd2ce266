// Package jobspecs builds the Nomad job of a revision: rollout says which revision, how many copies and where, a
// driver says what one copy is, and Build returns the *api.Job that any scheduler takes, Nomad's or the local one.
//
// There is one service job per revision, named fn-<app>.r<revision>. Nomad refuses to scale a job while its own
// deployment runs, so jobs have no update strategy (max_parallel = 0): rolling out is putting a new job beside the old
// one and moving the route, and the count belongs to scaling alone. Everything is pure; the goldens in testdata are the
// specification, reviewed like code.
package jobspecs
