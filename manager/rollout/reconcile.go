package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// Reader is what the loop observes in the store.
type Reader interface {
	RolloutApps(ctx context.Context) ([]store.App, error)
	Revisions(ctx context.Context, appID string, liveOnly bool) ([]store.Revision, error)
	Routes(ctx context.Context) ([]store.Route, error)
	Instances(ctx context.Context, appID string) ([]store.Instance, error)
	UnfinishedDeployments(ctx context.Context) ([]store.Deployment, error)
}

// Writer is what the loop writes. SetPhase and SetRoute carry the epoch and fail as Fenced when it is over.
type Writer interface {
	SetPhase(ctx context.Context, epoch int64, appID string, revision int64, phase store.Phase, errText string) error
	SetRoute(ctx context.Context, epoch int64, appID string, targets []store.RouteTarget, waiting string) error
	EndDeployment(ctx context.Context, id string, status int, statusText string) error
	AppendDeploymentLog(ctx context.Context, id string, kind int, message string) error
}

// Jobs is the scheduler as rollout needs it; manager/server puts jobspecs in between.
type Jobs interface {
	Register(ctx context.Context, app store.App, revision store.Revision, count int) error
	Stop(ctx context.Context, app string, revision int64) error
	// Observe returns the jobs by app name and revision, and an index for Changed.
	Watch(ctx context.Context, after uint64) (scheduler.Snapshot, error)
	// Parse splits a job id.
	Parse(jobID string) (app string, revision int64, ok bool)
}

// Waiter waits for a change of the store that concerns rollouts.
type Waiter interface {
	Version(topic string) uint64
	Wait(ctx context.Context, topic string, after uint64) (uint64, error)
}

// Config is what a Loop works on.
type Config struct {
	Reader Reader
	Writer Writer
	Waiter Waiter
	Jobs   Jobs
	Policy Policy
	Epoch  int64 // of this leader
	// RouteChanged is called after a route was written and returns when the gateways have it; nil: nobody waits.
	RouteChanged func(ctx context.Context) error
	Now          func() time.Time
	Log          zerolog.Logger
}

// Loop reconciles all apps. One Loop runs at a time: whoever holds the newest epoch.
type Loop struct{ cfg Config }

// New makes a Loop.
func New(cfg Config) *Loop { return &Loop{cfg: cfg} }

// idlePass is how often everything is looked at although nothing was heard: it bounds the cost of a lost nudge.
const idlePass = 10 * time.Second

// busyPass is the pace while a deadline of a rollout is running.
const busyPass = time.Second

// Run reconciles until the context ends or the epoch is over, which it returns as a Fenced error.
func (l *Loop) Run(ctx context.Context) error {
	nudges := l.nudges(ctx)
	for {
		busy, err := l.Pass(ctx)
		if azfunc.CodeOf(err) == azfunc.Fenced {
			return fmt.Errorf("rollout with epoch %d: %w", l.cfg.Epoch, err)
		}
		if err != nil && ctx.Err() == nil {
			l.cfg.Log.Error().Err(err).Msg("rollout pass")
		}
		pause := idlePass
		if busy || err != nil {
			pause = busyPass
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-nudges:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// nudges merges the store's and the scheduler's changes into one signal that never blocks its senders.
func (l *Loop) nudges(ctx context.Context) <-chan struct{} {
	out := make(chan struct{}, 1)
	nudge := func() {
		select {
		case out <- struct{}{}:
		default:
		}
	}
	go func() {
		for v := l.cfg.Waiter.Version(topic); ctx.Err() == nil; nudge() {
			v, _ = l.cfg.Waiter.Wait(ctx, topic, v)
		}
	}()
	go func() {
		for index := uint64(0); ctx.Err() == nil; nudge() {
			if s, err := l.cfg.Jobs.Watch(ctx, index); err == nil {
				index = s.Index
			}
		}
	}()
	return out
}

const topic = "apps"

// Pass looks at every app once and takes what steps there are. It reports whether a rollout is under way.
func (l *Loop) Pass(ctx context.Context) (busy bool, err error) {
	world, err := l.observe(ctx)
	if err != nil {
		return true, err
	}
	for _, app := range world.apps {
		appBusy, appErr := l.reconcile(ctx, world, app)
		busy = busy || appBusy
		if azfunc.CodeOf(appErr) == azfunc.Fenced {
			return busy, appErr
		}
		if appErr != nil && ctx.Err() == nil {
			busy = true
			l.cfg.Log.Error().Err(appErr).Str("app", app.Name).Msg("rollout")
		}
	}
	return busy, nil
}

// world is what one pass reads once for all apps.
type world struct {
	apps   []store.App
	routes map[string]store.Route              // by app id
	open   map[string][]store.Deployment       // by app id; accepted ones
	jobs   map[string]map[int64]scheduler.Job // by app name
}

func (l *Loop) observe(ctx context.Context) (world, error) {
	apps, err := l.cfg.Reader.RolloutApps(ctx)
	if err != nil {
		return world{}, fmt.Errorf("read the apps: %w", err)
	}
	w := world{apps: apps, routes: map[string]store.Route{}, open: map[string][]store.Deployment{}, jobs: map[string]map[int64]scheduler.Job{}}
	routes, err := l.cfg.Reader.Routes(ctx)
	if err != nil {
		return world{}, fmt.Errorf("read the routes: %w", err)
	}
	for _, r := range routes {
		w.routes[r.AppID] = r
	}
	deployments, err := l.cfg.Reader.UnfinishedDeployments(ctx)
	if err != nil {
		return world{}, fmt.Errorf("read the deployments under way: %w", err)
	}
	for _, d := range deployments {
		if d.Revision > 0 {
			w.open[d.AppID] = append(w.open[d.AppID], d)
		}
	}
	return w, l.observeJobs(ctx, w)
}

func (l *Loop) observeJobs(ctx context.Context, w world) error {
	snapshot, err := l.cfg.Jobs.Watch(ctx, 0)
	if err != nil {
		return fmt.Errorf("read the jobs: %w", err)
	}
	for id, job := range snapshot.Jobs {
		app, revision, ok := l.cfg.Jobs.Parse(id)
		if !ok || job.Stopped {
			continue
		}
		if w.jobs[app] == nil {
			w.jobs[app] = map[int64]scheduler.Job{}
		}
		w.jobs[app][revision] = job
	}
	return nil
}

// reconcile plans and takes the steps of one app. What a step changes shows in the next pass, which the step itself
// nudges.
func (l *Loop) reconcile(ctx context.Context, w world, app store.App) (bool, error) {
	state, err := l.state(ctx, w, app)
	if err != nil {
		return true, err
	}
	steps := Plan(l.cfg.Now(), l.cfg.Policy, state)
	for _, step := range steps {
		if err := l.take(ctx, app, step); err != nil {
			return true, fmt.Errorf("%T of app %q: %w", step, app.Name, err)
		}
	}
	return len(steps) > 0 || underWay(state), nil
}

func underWay(s State) bool {
	for _, r := range s.Revisions {
		if r.Phase == store.PhasePending || r.Phase == store.PhaseStandby || r.Phase == store.PhaseDraining {
			return true
		}
	}
	return len(s.Open) > 0
}

func (l *Loop) state(ctx context.Context, w world, app store.App) (State, error) {
	revisions, err := l.cfg.Reader.Revisions(ctx, app.ID, true)
	if err != nil {
		return State{}, fmt.Errorf("read the revisions of app %q: %w", app.Name, err)
	}
	instances, err := l.cfg.Reader.Instances(ctx, app.ID)
	if err != nil {
		return State{}, fmt.Errorf("read the instances of app %q: %w", app.Name, err)
	}
	return State{App: app, Revisions: revisions, Route: w.routes[app.ID], Open: w.open[app.ID],
		Jobs: join(w.jobs[app.Name], reports(instances))}, nil
}

func reports(instances []store.Instance) map[string]hostapi.InstanceReport {
	byID := make(map[string]hostapi.InstanceReport, len(instances))
	for _, i := range instances {
		var r hostapi.InstanceReport
		if json.Unmarshal(i.Report, &r) == nil {
			r.At = i.SeenAt // the manager's clock: phases are stamped with it too
			byID[i.ID] = r
		}
	}
	return byID
}

// join puts the scheduler's view and the workers' reports of the same instances together.
func join(jobs map[int64]scheduler.Job, reports map[string]hostapi.InstanceReport) map[int64]Job {
	joined := make(map[int64]Job, len(jobs))
	for revision, job := range jobs {
		out := Job{Blocked: job.Blocked}
		for _, i := range job.Instances {
			r := reports[i.ID]
			out.Instances = append(out.Instances, Instance{
				ID: i.ID, Live: i.Live(), Healthy: i.Healthy && !i.Stopping, Restarts: i.Restarts, LastError: i.LastError,
				Reported: r.State, Failure: r.LastError, InFlight: r.InFlight, ReportAt: r.At, Warnings: r.Warnings, Functions: r.Functions,
			})
		}
		joined[revision] = out
	}
	return joined
}
