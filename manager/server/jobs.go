package server

import (
	"context"
	"strconv"

	"github.com/nightshift-functions/nightshift/drivers"
	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/scheduler/local"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/jobspecs"
	"github.com/nightshift-functions/nightshift/manager/hostapi"
)

// jobs puts jobspecs between rollout, which knows revisions, and the scheduler, which knows jobs.
type jobs struct {
	scheduler *local.Scheduler
	input     drivers.Input // what is the same for every app
	ownUIDs   bool          // each app runs under its own account: only root can do that
}

// Register makes the revision's job and hands it to the scheduler.
func (j *jobs) Register(ctx context.Context, app store.App, revision store.Revision, count int) error {
	in := j.input
	in.App, in.Revision = app.Name, revision.Number
	if j.ownUIDs && app.UID > 0 {
		in.User = strconv.Itoa(app.UID)
	}
	job, err := jobspecs.Build(jobspecs.Revision{Task: in, Driver: drivers.RawExec, Count: count})
	if err != nil {
		return err
	}
	return j.scheduler.Apply(ctx, job)
}

// Stop takes the revision's job away; its logs stay.
func (j *jobs) Stop(ctx context.Context, app string, revision int64) error {
	return j.scheduler.Stop(ctx, jobspecs.JobID(app, revision), false)
}

// Watch is the scheduler's.
func (j *jobs) Watch(ctx context.Context, after uint64) (scheduler.Snapshot, error) {
	return j.scheduler.Watch(ctx, after)
}

// Parse splits a job id.
func (j *jobs) Parse(jobID string) (string, int64, bool) {
	app, revision, err := jobspecs.ParseJobID(jobID)
	return app, revision, err == nil
}

// Verify says whose token came over the worker link.
func (j *jobs) Verify(_ context.Context, token string) (hostapi.Instance, error) {
	instance, jobID, ok := j.scheduler.VerifyIdentity(token)
	if !ok {
		return hostapi.Instance{}, azfunc.Errorf(azfunc.Unauthenticated, "the token is not that of a running instance")
	}
	app, revision, ok := j.Parse(jobID)
	if !ok {
		return hostapi.Instance{}, azfunc.Errorf(azfunc.Unauthenticated, "job %q is not an app's", jobID)
	}
	return hostapi.Instance{ID: instance, App: app, Revision: revision}, nil
}
