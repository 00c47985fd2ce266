package rollout

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// Reader is what the loop observes of one app in the store.
type Reader interface {
	Revisions(ctx context.Context, appID string, liveOnly bool) ([]store.Revision, error)
	Revision(ctx context.Context, appID string, number int64) (store.Revision, error)
	Instances(ctx context.Context, appID string) ([]store.Instance, error)
}

// Overview is what a pass reads once for all apps.
type Overview interface {
	RolloutApps(ctx context.Context) ([]store.App, error)
	Routes(ctx context.Context) ([]store.Route, error)
	UnfinishedDeployments(ctx context.Context) ([]store.Deployment, error)
}

// Writer is what the loop writes. SetPhase and SetRoute carry the epoch and fail as Fenced when it is over.
type Writer interface {
	SetPhase(ctx context.Context, epoch int64, appID string, revision int64, phase store.Phase, errText string) error
	SetRoute(ctx context.Context, epoch int64, appID string, targets []store.RouteTarget, waiting string) (int64, error)
	EndDeployment(ctx context.Context, id string, status int, statusText string, logs ...store.DeploymentLog) error
}

// Jobs is the scheduler as rollout needs it; manager/server puts jobspecs in between. Parse splits a job id, with the
// app's name in lower case.
type Jobs interface {
	Register(ctx context.Context, app store.App, revision store.Revision, count int) error
	Stop(ctx context.Context, app string, revision int64) error
	Watch(ctx context.Context, after uint64) (scheduler.Snapshot, error)
	Parse(jobID string) (app string, revision int64, ok bool)
}

// Waiter waits for a change of the store that concerns rollouts.
type Waiter interface {
	Version(topic string) uint64
	Wait(ctx context.Context, topic string, after uint64) (uint64, error)
}

// Config is what a Loop works on.
type Config struct {
	Overview Overview
	Reader   Reader
	Writer   Writer
	Waiter   Waiter
	Jobs     Jobs
	Policy   Policy
	Epoch    int64 // of this leader
	// RouteChanged is called after a route was written and returns when the gateways have it; nil: nobody waits.
	RouteChanged func(ctx context.Context) error
	Now          func() time.Time
	Log          zerolog.Logger
}

// Loop reconciles all apps. One Loop runs at a time: whoever holds the newest epoch.
type Loop struct {
	cfg    Config
	seen   map[string]time.Time // when a job id was first seen running; only Pass touches these two
	routes map[string]seenRoute // by app id
}

// seenRoute is when a generation of a route was first seen.
type seenRoute struct {
	generation int64
	since      time.Time
}

// New makes a Loop.
func New(cfg Config) *Loop { return &Loop{cfg: cfg, seen: map[string]time.Time{}} }

// idlePass is how often everything is looked at although nothing was heard: it bounds the cost of a lost nudge.
const idlePass = 10 * time.Second

// busyPass is the pace while a deadline of a rollout is running.
const busyPass = time.Second

// Run reconciles until the context ends or the epoch is over, which it returns as a Fenced error.
func (l *Loop) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel() // also when the epoch is over and the process goes on
	nudges := l.nudges(ctx, &group)
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
func (l *Loop) nudges(ctx context.Context, group *sync.WaitGroup) <-chan struct{} {
	out := make(chan struct{}, 1)
	nudge := func() {
		select {
		case out <- struct{}{}:
		default:
		}
	}
	follow := func(wait func(uint64) (uint64, error), from uint64) {
		for ctx.Err() == nil {
			next, err := wait(from)
			if err != nil {
				rest(ctx, busyPass) // the passes' own timer goes on meanwhile
				continue
			}
			from = next
			nudge()
		}
	}
	version := l.cfg.Waiter.Version(topic)
	group.Go(func() {
		follow(func(v uint64) (uint64, error) { return l.cfg.Waiter.Wait(ctx, topic, v) }, version)
	})
	group.Go(func() {
		follow(func(v uint64) (uint64, error) {
			s, err := l.cfg.Jobs.Watch(ctx, v)
			return s.Index, err
		}, 0)
	})
	return out
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
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
	return busy, l.stopDeleted(ctx, world)
}

// stopDeleted stops the jobs of apps that are gone.
func (l *Loop) stopDeleted(ctx context.Context, w world) error {
	for _, app := range w.apps {
		delete(w.jobs, strings.ToLower(app.Name))
	}
	for app, jobs := range w.jobs {
		for revision := range jobs {
			l.cfg.Log.Info().Str("app", app).Int64("revision", revision).Msg("stop job of a deleted app")
			if err := gone(l.cfg.Jobs.Stop(ctx, app, revision)); err != nil {
				return fmt.Errorf("stop revision %d of deleted app %q: %w", revision, app, err)
			}
		}
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
		err := l.take(ctx, app, step)
		if r, ok := step.(Register); ok && azfunc.CodeOf(err) == azfunc.Invalid {
			return true, l.refuse(ctx, app, r.Revision, state.Open, err)
		}
		if err != nil {
			return true, fmt.Errorf("%T of app %q: %w", step, app.Name, err)
		}
	}
	return len(steps) > 0 || underWay(state), nil
}

// refuse fails a revision whose job the scheduler will not take: trying again cannot help, and whoever published it is
// waiting. One that serves already stays wanted; it is tried again, because it ran before.
func (l *Loop) refuse(ctx context.Context, app store.App, r store.Revision, open []store.Deployment, cause error) error {
	if r.Phase != store.PhasePending && r.Phase != store.PhaseStandby {
		return fmt.Errorf("register revision %d of app %q: %w", r.Number, app.Name, cause)
	}
	steps := []Step{SetPhase{r.Number, store.PhaseFailed, azfunc.MessageOf(cause)}}
	for _, d := range open {
		steps = append(steps, EndDeployment{ID: d.ID, Text: azfunc.MessageOf(cause)})
	}
	for _, step := range steps {
		if err := l.take(ctx, app, step); err != nil {
			return fmt.Errorf("%T of app %q: %w", step, app.Name, err)
		}
	}
	return nil
}

func underWay(s State) bool {
	for _, r := range s.Revisions {
		if r.Phase == store.PhasePending || r.Phase == store.PhaseStandby || r.Phase == store.PhaseDraining {
			return true
		}
	}
	return len(s.Open) > 0
}
