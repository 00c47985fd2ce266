// Package local is the scheduler of one machine: it takes the very Nomad job that a cluster would get and runs its task
// as supervised child processes of the manager.
//
// A job comes in through Apply, which refuses every field that is not honoured here (fields.go) and turns the rest into
// a spec (spec.go). The scheduler compares how many instances are wanted with how many live (plan.go, pure) and starts
// or stops instances; each one has a supervisor (supervisor.go) that owns its process from first start to last exit:
// folders, identity, restart with back-off (backoff.go, pure), readiness checks, logs, graceful stop. What a supervisor
// sees goes into the one table of jobs, and from there to readers of Watch as snapshots.
//
// Processes never outlive the manager, even when it is killed: on Linux the kernel kills an instance's first process
// with the manager, and with a PID namespace, where the kernel grants one, every descendant too, setsid or not; on
// Windows a job object does the same. As root, where the kernel grants it, a process sees those of its own account
// only. Memory and CPU of a job's resources are told to the task but not enforced.
package local
