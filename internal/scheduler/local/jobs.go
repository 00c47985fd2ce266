package local

import (
	"context"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// job is one registered job. The scheduler's lock guards it.
type job struct {
	spec      *spec
	version   uint64
	count     int
	stopped   bool
	stoppedAt time.Time
	purge     bool // forget it when its last instance is dead
	blocked   string
	instances []*instance // oldest first
	retries   []retry
}

// instance is one copy of a job's task. The scheduler's lock guards it.
type instance struct {
	info       scheduler.Instance
	seq        int
	index      int
	row        int // failed instances in a row before it
	ports      map[string]int
	stdout     *logStream
	stderr     *logStream
	stop, kill chan struct{}
}

// end closes one of the instance's channels, once.
func (i *instance) end(signal chan struct{}) {
	select {
	case <-signal:
	default:
		close(signal)
	}
}

func (j *job) snapshot() scheduler.Job {
	out := scheduler.Job{ID: j.spec.jobID, Version: j.version, Count: j.count, Stopped: j.stopped, Blocked: j.blocked}
	for _, i := range j.instances {
		out.Instances = append(out.Instances, i.info)
	}
	return out
}

// Apply registers a job or replaces what is registered under its id: then the version grows and all instances are
// replaced at once. Applying the same job again changes nothing. The job's count holds for a job that is new or
// stopped; otherwise the present count stays, because Scale owns it. A field that is not honoured here is an Invalid
// error that names it.
func (s *Scheduler) Apply(_ context.Context, wanted *api.Job) error {
	spec, err := parse(wanted, s.uid)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return errClosed()
	}
	present := s.jobs[spec.jobID]
	switch {
	case present == nil:
		s.jobs[spec.jobID] = &job{spec: spec, count: spec.count}
	case !present.stopped && present.spec.fingerprint == spec.fingerprint:
		return nil
	default:
		if present.stopped {
			present.count = spec.count
		}
		present.spec, present.stopped, present.purge, present.retries = spec, false, false, nil
		present.version++
	}
	s.changedJob(spec.jobID) //nolint:contextcheck // instances outlive the call
	return nil
}

// Scale sets how many instances of a job are wanted. An unknown job is NotFound, a stopped one a Conflict.
func (s *Scheduler) Scale(_ context.Context, jobID string, count int) error {
	if count < 0 {
		return azfunc.Errorf(azfunc.Invalid, "scale job %q: %d instances are not possible", jobID, count)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(jobID)
	if err != nil {
		return err
	}
	if j.stopped {
		return azfunc.Errorf(azfunc.Conflict, "job %q is stopped; apply it again before scaling it", jobID)
	}
	if j.count != count {
		j.count = count
		s.changedJob(jobID) //nolint:contextcheck // instances outlive the call
	}
	return nil
}

// Stop ends all instances of a job gracefully and returns without waiting for it. The job, its last dead instances and
// their logs stay readable, until it is stopped with purge: then it is forgotten when the last instance is dead. An
// unknown job is NotFound.
func (s *Scheduler) Stop(_ context.Context, jobID string, purge bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.find(jobID)
	if err != nil {
		return err
	}
	if j.stopped && (j.purge || !purge) {
		return nil
	}
	if !j.stopped {
		j.stoppedAt = time.Now()
	}
	j.stopped, j.purge, j.retries = true, purge, nil
	s.changedJob(jobID) //nolint:contextcheck // instances outlive the call
	return nil
}

func (s *Scheduler) find(jobID string) (*job, error) {
	if s.closing {
		return nil, errClosed()
	}
	j := s.jobs[jobID]
	if j == nil {
		return nil, azfunc.Errorf(azfunc.NotFound, "there is no job %q", jobID)
	}
	return j, nil
}

// changedJob converges one job after a call changed what is wanted. The lock is held.
func (s *Scheduler) changedJob(jobID string) {
	s.convergeJob(s.jobs[jobID], time.Now())
	s.bump()
	s.wakeLoop() // its timer may be due earlier now
}
