package rollout_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/rollout"
)

// observed is a store and a scheduler that show one app and note what a pass does.
type observed struct {
	now       time.Time
	app       store.App
	revisions []store.Revision
	route     store.Route
	instances []store.Instance
	jobs      map[string]scheduler.Job
	phases    []rollout.SetPhase
	stopped   []int64
	watch     func(ctx context.Context, after uint64) (scheduler.Snapshot, error) // nil: what there is
	setPhase  error
	register  error
	open      []store.Deployment
	ended     []string
}

func (o *observed) RolloutApps(context.Context) ([]store.App, error) { return []store.App{o.app}, nil }
func (o *observed) Routes(context.Context) ([]store.Route, error)    { return []store.Route{o.route}, nil }
func (o *observed) UnfinishedDeployments(context.Context) ([]store.Deployment, error) {
	return o.open, nil
}

func (o *observed) Revisions(context.Context, string, bool) ([]store.Revision, error) {
	return o.revisions, nil
}

func (o *observed) Revision(context.Context, string, int64) (store.Revision, error) {
	return o.revisions[0], nil
}

func (o *observed) Instances(context.Context, string) ([]store.Instance, error) {
	return o.instances, nil
}

func (o *observed) SetPhase(_ context.Context, _ int64, _ string, n int64, phase store.Phase, text string) error {
	o.phases = append(o.phases, rollout.SetPhase{Revision: n, Phase: phase, Error: text})
	return o.setPhase
}

func (o *observed) SetRoute(context.Context, int64, string, []store.RouteTarget, string) (int64, error) {
	return 0, nil
}

func (o *observed) EndDeployment(_ context.Context, id string, _ int, text string, _ ...store.DeploymentLog) error {
	o.ended = append(o.ended, id+": "+text)
	return nil
}

func (o *observed) Register(context.Context, store.App, store.Revision, int) error { return o.register }

func (o *observed) Stop(_ context.Context, _ string, n int64) error {
	o.stopped = append(o.stopped, n)
	return nil
}

func (o *observed) Watch(ctx context.Context, after uint64) (scheduler.Snapshot, error) {
	if o.watch != nil && after > 0 {
		return o.watch(ctx, after)
	}
	return scheduler.Snapshot{Index: 1, Jobs: o.jobs}, nil
}

func (o *observed) Version(string) uint64 { return 0 }

func (o *observed) Wait(ctx context.Context, _ string, _ uint64) (uint64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

func (o *observed) Parse(id string) (string, int64, bool) { return "a", int64(id[0] - '0'), true }

func (o *observed) loop() *rollout.Loop {
	return rollout.New(rollout.Config{Overview: o, Reader: o, Writer: o, Waiter: o, Jobs: o, Policy: rollout.DefaultPolicy(),
		Now: func() time.Time { return o.now }, Log: zerolog.Nop()})
}

func (o *observed) pass(t *testing.T, l *rollout.Loop) {
	t.Helper()
	if _, err := l.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func report(t *testing.T, id string, at time.Time, r hostapi.InstanceReport) store.Instance {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return store.Instance{ID: id, AppID: "a", State: string(r.State), Report: raw, SeenAt: at}
}

// TestJobThatIsRefused: whoever published waits for the answer, and trying again cannot help.
func TestJobThatIsRefused(t *testing.T) {
	t.Parallel()
	o := &observed{
		now: epoch(), app: store.App{ID: "a", Name: "A", DesiredRevision: 1}, revisions: []store.Revision{revision(1, store.PhasePending)},
		open: []store.Deployment{{ID: "d", AppID: "a", Revision: 1}}, register: azfunc.Errorf(azfunc.Invalid, "no such account"),
	}
	o.pass(t, o.loop())
	if len(o.phases) != 1 || o.phases[0] != (rollout.SetPhase{Revision: 1, Phase: store.PhaseFailed, Error: "no such account"}) {
		t.Errorf("phases %v", o.phases)
	}
	if len(o.ended) != 1 || o.ended[0] != "d: no such account" {
		t.Errorf("deployments ended: %v", o.ended)
	}
	o.phases, o.revisions[0].Phase, o.register = nil, store.PhaseStandby, azfunc.Errorf(azfunc.Unavailable, "not now")
	o.pass(t, o.loop())
	if len(o.phases) != 0 {
		t.Errorf("a scheduler that is away failed the revision: %v", o.phases)
	}
}

// TestEarlierRunOfAJob starts an app that was stopped in the middle of a rollout: what its instances died of then must
// not fail the revision now.
func TestEarlierRunOfAJob(t *testing.T) {
	t.Parallel()
	o := &observed{
		now: epoch(), app: store.App{ID: "a", Name: "A", DesiredRevision: 1}, revisions: []store.Revision{revision(1, store.PhaseStandby)},
		route: store.Route{AppID: "a", Waiting: "its first deployment is under way"},
		instances: []store.Instance{report(t, "old", epoch(), hostapi.InstanceReport{
			State: hostapi.StateFailed, LastError: &hostapi.Failure{Message: "no node here", Permanent: true}})},
		jobs: map[string]scheduler.Job{"1": {Version: 1, Instances: []scheduler.Instance{
			{ID: "old", JobVersion: 0, State: scheduler.Failed, Restarts: 3, LastError: "exit code 1"},
			{ID: "new", JobVersion: 1, State: scheduler.Running},
		}}},
	}
	l := o.loop()
	o.pass(t, l)
	if len(o.phases) != 0 {
		t.Errorf("the earlier run was judged: %v", o.phases)
	}
	o.jobs["1"].Instances[1].Restarts, o.jobs["1"].Instances[1].LastError = 3, "exit code 2"
	o.pass(t, l)
	if len(o.phases) != 1 || o.phases[0] != (rollout.SetPhase{Revision: 1, Phase: store.PhaseFailed, Error: "exit code 2"}) {
		t.Errorf("the run of today was not: %v", o.phases)
	}
}

// TestIdleAfterTheRouteChanged lets an old revision say that it is idle before the traffic has left it, and after.
func TestIdleAfterTheRouteChanged(t *testing.T) {
	t.Parallel()
	draining := func(at time.Time) []store.Instance {
		return []store.Instance{report(t, "old", at, hostapi.InstanceReport{State: hostapi.StateDraining})}
	}
	running := func(id string) scheduler.Job {
		return scheduler.Job{Instances: []scheduler.Instance{{ID: id, State: scheduler.Running, Healthy: true}}}
	}
	o := &observed{
		now: epoch().Add(time.Second), app: store.App{ID: "a", Name: "A", DesiredRevision: 2},
		revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseActive)}, route: route(2),
		instances: draining(epoch().Add(100 * time.Millisecond)), jobs: map[string]scheduler.Job{"1": running("old"), "2": running("new")},
	}
	l := o.loop()
	o.pass(t, l)
	o.now = o.now.Add(20 * time.Second)
	o.pass(t, l)
	if len(o.stopped) != 0 {
		t.Errorf("stopped by a report from before the route changed")
	}
	o.instances = draining(o.now)
	o.pass(t, l)
	if len(o.stopped) != 1 {
		t.Errorf("idle, and not stopped")
	}
}

// TestNudgesSurviveAFailingScheduler loses the scheduler's answer once: what happens afterwards must be heard of as soon.
func TestNudgesSurviveAFailingScheduler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		heard, calls := time.Time{}, 0
		o := &observed{now: epoch(), app: store.App{ID: "a", Name: "A"}, route: store.Route{AppID: "a", Waiting: "nothing has been published yet"}}
		o.watch = func(ctx context.Context, after uint64) (scheduler.Snapshot, error) {
			if calls++; calls == 1 {
				return scheduler.Snapshot{}, errors.New("connection reset")
			}
			heard = time.Now()
			<-ctx.Done()
			return scheduler.Snapshot{}, ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		_ = o.loop().Run(ctx) // ends with the context
		if after := heard.Sub(begin); heard.IsZero() || after > 2*time.Second {
			t.Errorf("the scheduler was asked again after %s", after)
		}
	})
}

// TestRunLeavesNothingBehind ends by a newer epoch while its context goes on: synctest fails when a goroutine is left.
func TestRunLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &observed{
			now: epoch(), app: store.App{ID: "a", Name: "A", DesiredRevision: 1}, revisions: []store.Revision{revision(1, store.PhasePending)},
			setPhase: azfunc.Errorf(azfunc.Fenced, "a newer epoch"),
		}
		o.watch = func(ctx context.Context, _ uint64) (scheduler.Snapshot, error) {
			<-ctx.Done()
			return scheduler.Snapshot{}, ctx.Err()
		}
		if err := o.loop().Run(context.Background()); azfunc.CodeOf(err) != azfunc.Fenced {
			t.Errorf("it ended with %v", err)
		}
	})
}
