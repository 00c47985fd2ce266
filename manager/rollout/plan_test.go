package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/rollout"
)

func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func revision(n int64, phase store.Phase) store.Revision {
	return store.Revision{AppID: "a", Number: n, Phase: phase, PhaseAt: epoch()}
}

func route(revisions ...int64) store.Route {
	r := store.Route{AppID: "a", Generation: 1}
	for _, n := range revisions {
		r.Targets = append(r.Targets, store.RouteTarget{Revision: n, Weight: 100})
	}
	return r
}

func instance(state hostapi.InstanceState) rollout.Instance {
	return rollout.Instance{ID: "i", Live: true, Healthy: true, Reported: state, ReportAt: epoch()}
}

func jobOf(instances ...rollout.Instance) rollout.Job { return rollout.Job{Instances: instances} }

func TestPlan(t *testing.T) {
	t.Parallel()
	open := []store.Deployment{{ID: "d"}}
	crashed := rollout.Instance{ID: "i", Live: true, Restarts: 3, LastError: "exit code 1"}
	throws := rollout.Instance{ID: "i", Live: true, Failure: &hostapi.Failure{
		Message: "entry point throws", StderrLines: []string{"Error: boom"}, Permanent: true}}
	traffic2 := []store.RouteTarget{{Revision: 2, Weight: 100}}

	for name, c := range map[string]struct {
		after time.Duration
		state rollout.State
		want  []rollout.Step
	}{
		"nothing published": {
			state: rollout.State{Route: store.Route{Waiting: "nothing has been published yet"}},
		},
		"first revision is registered": {
			state: rollout.State{App: store.App{DesiredRevision: 1}, Revisions: []store.Revision{revision(1, store.PhasePending)},
				Route: store.Route{Waiting: "its first deployment is under way"}},
			want: []rollout.Step{rollout.Register{revision(1, store.PhasePending), 1}, rollout.SetPhase{1, store.PhaseStandby, ""}},
		},
		"not ready yet": {
			after: time.Minute,
			state: rollout.State{App: store.App{DesiredRevision: 2}, Open: open,
				Revisions: []store.Revision{revision(1, store.PhaseActive), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)), 2: jobOf(rollout.Instance{Live: true, Reported: hostapi.StateStarting})}},
		},
		"ready: old listeners stop before anything else": {
			state: rollout.State{App: store.App{DesiredRevision: 2}, Open: open,
				Revisions: []store.Revision{revision(1, store.PhaseActive), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)), 2: jobOf(instance(hostapi.StateStandby))}},
			want: []rollout.Step{rollout.SetPhase{1, store.PhaseDraining, ""}},
		},
		"ready: waits for the old one to say so": {
			after: time.Second,
			state: rollout.State{App: store.App{DesiredRevision: 2}, Open: open,
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)), 2: jobOf(instance(hostapi.StateStandby))}},
		},
		"ready: but not for ever": {
			after: 5 * time.Second,
			state: rollout.State{App: store.App{DesiredRevision: 2},
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)), 2: jobOf(instance(hostapi.StateStandby))}},
			want: []rollout.Step{rollout.SetPhase{2, store.PhaseActive, ""}, rollout.SetRoute{Targets: traffic2}},
		},
		"switch when the old listeners have stopped": {
			after: time.Second,
			state: rollout.State{App: store.App{DesiredRevision: 2}, Open: open,
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateDraining)), 2: jobOf(instance(hostapi.StateStandby))}},
			want: []rollout.Step{rollout.SetPhase{2, store.PhaseActive, ""}, rollout.SetRoute{Targets: traffic2},
				rollout.EndDeployment{ID: "d", Success: true, Lines: []rollout.Line{{Text: "revision 2 is live"}}}},
		},
		"code that throws fails at once and the old one serves on": {
			state: rollout.State{App: store.App{DesiredRevision: 2}, Open: open,
				Revisions: []store.Revision{revision(1, store.PhaseActive), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)), 2: jobOf(throws)}},
			want: []rollout.Step{rollout.SetPhase{2, store.PhaseFailed, "entry point throws"}, rollout.StopJob{2},
				rollout.EndDeployment{ID: "d", Text: "entry point throws", Lines: []rollout.Line{{Type: 2, Text: "Error: boom"}}}},
		},
		"tries count across the instances that the scheduler gave up on": {
			after: 10 * time.Second,
			state: rollout.State{App: store.App{DesiredRevision: 2},
				Revisions: []store.Revision{revision(1, store.PhaseActive), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)),
					2: jobOf(rollout.Instance{Restarts: 2, LastError: "exit code 1"}, rollout.Instance{Live: true, Reported: hostapi.StateStarting})}},
			want: []rollout.Step{rollout.SetPhase{2, store.PhaseFailed, "exit code 1"}, rollout.StopJob{2}},
		},
		"a failure after the old listeners stopped starts them again": {
			state: rollout.State{App: store.App{DesiredRevision: 2},
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateDraining)), 2: jobOf(crashed)}},
			want: []rollout.Step{rollout.SetPhase{2, store.PhaseFailed, "exit code 1"}, rollout.StopJob{2}, rollout.SetPhase{1, store.PhaseActive, ""}},
		},
		"a revision that never gets ready fails in words": {
			after: 2 * time.Minute,
			state: rollout.State{App: store.App{DesiredRevision: 1}, Revisions: []store.Revision{revision(1, store.PhaseStandby)},
				Route: store.Route{Waiting: "its first deployment is under way"},
				Jobs:  map[int64]rollout.Job{1: jobOf(rollout.Instance{Live: true, Reported: hostapi.StateStarting})}},
			want: []rollout.Step{rollout.SetPhase{1, store.PhaseFailed, `no instance became ready within 2m0s; the last one is "starting"`}, rollout.StopJob{1}},
		},
		"no capacity: the deployment is staged and the rollout goes on": {
			after: 150 * time.Second,
			state: rollout.State{App: store.App{DesiredRevision: 2}, Open: open,
				Revisions: []store.Revision{revision(1, store.PhaseActive), revision(2, store.PhaseStandby)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)), 2: {Blocked: "a port is free"}}},
			want: []rollout.Step{rollout.EndDeployment{ID: "d", Success: true, Text: "staged: goes live when a port is free"}},
		},
		"a newer revision supersedes a rollout under way": {
			state: rollout.State{App: store.App{DesiredRevision: 3},
				Revisions: []store.Revision{revision(1, store.PhaseActive), revision(2, store.PhaseStandby), revision(3, store.PhasePending)},
				Route:     route(1),
				Jobs:      map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)), 2: jobOf(instance(hostapi.StateStandby))}},
			want: []rollout.Step{rollout.SetPhase{2, store.PhaseSuperseded, "revision 3 was wanted before this went live"}, rollout.StopJob{2},
				rollout.Register{revision(3, store.PhasePending), 1}, rollout.SetPhase{3, store.PhaseStandby, ""}},
		},
		"what was accepted after the app was read is left to the next pass": {
			state: rollout.State{App: store.App{DesiredRevision: 2}, Open: []store.Deployment{{ID: "d2", Revision: 2}, {ID: "d3", Revision: 3}},
				Revisions: []store.Revision{revision(2, store.PhaseActive), revision(3, store.PhasePending)}, Route: route(2),
				Jobs: map[int64]rollout.Job{2: jobOf(instance(hostapi.StateActive))}},
			want: []rollout.Step{rollout.EndDeployment{ID: "d2", Success: true}},
		},
		"what was accepted after a stopped app was read is left to the next pass": {
			state: rollout.State{App: store.App{DesiredRevision: 1, Stopped: true}, Open: []store.Deployment{{ID: "d2", Revision: 2}},
				Revisions: []store.Revision{revision(1, store.PhaseRetired), revision(2, store.PhasePending)}},
		},
		"after a restart what serves gets its job back": {
			state: rollout.State{App: store.App{DesiredRevision: 2},
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseStandby)},
				Route:     store.Route{Generation: 1, Targets: route(1).Targets, Waiting: "it is being started"}},
			want: []rollout.Step{rollout.Register{revision(1, store.PhaseDraining), 1}, rollout.Register{revision(2, store.PhaseStandby), 1}},
		},
		"a draining revision with a request in flight lives on": {
			after: time.Minute,
			state: rollout.State{App: store.App{DesiredRevision: 2},
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseActive)}, Route: route(2),
				Jobs: map[int64]rollout.Job{2: jobOf(instance(hostapi.StateActive)),
					1: jobOf(rollout.Instance{Live: true, Reported: hostapi.StateDraining, InFlight: 1, ReportAt: epoch().Add(time.Second)})}},
		},
		"a draining revision that is idle is stopped": {
			after: time.Second,
			state: rollout.State{App: store.App{DesiredRevision: 2},
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseActive)}, Route: route(2),
				Jobs: map[int64]rollout.Job{2: jobOf(instance(hostapi.StateActive)),
					1: jobOf(rollout.Instance{Live: true, Reported: hostapi.StateDraining, ReportAt: epoch().Add(time.Millisecond)})}},
			want: []rollout.Step{rollout.StopJob{1}, rollout.SetPhase{1, store.PhaseRetired, ""}},
		},
		"a report from before the route changed says nothing of the requests that came since": {
			after: time.Minute,
			state: rollout.State{App: store.App{DesiredRevision: 2}, RouteSince: epoch().Add(100 * time.Millisecond),
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseActive)}, Route: route(2),
				Jobs: map[int64]rollout.Job{2: jobOf(instance(hostapi.StateActive)),
					1: jobOf(rollout.Instance{Live: true, Reported: hostapi.StateDraining, ReportAt: epoch().Add(50 * time.Millisecond)})}},
		},
		"a draining revision out of time is stopped": {
			after: 5 * time.Minute,
			state: rollout.State{App: store.App{DesiredRevision: 2},
				Revisions: []store.Revision{revision(1, store.PhaseDraining), revision(2, store.PhaseActive)}, Route: route(2),
				Jobs: map[int64]rollout.Job{1: jobOf(rollout.Instance{Live: true, InFlight: 1}), 2: jobOf(instance(hostapi.StateActive))}},
			want: []rollout.Step{rollout.StopJob{1}, rollout.SetPhase{1, store.PhaseRetired, ""}},
		},
		"after a long restart in the middle the start deadline begins anew": {
			after: time.Hour,
			state: rollout.State{App: store.App{DesiredRevision: 1}, Revisions: []store.Revision{revision(1, store.PhaseStandby)},
				Route: store.Route{Waiting: "its first deployment is under way"},
				Jobs:  map[int64]rollout.Job{1: {Since: epoch().Add(time.Hour - time.Second), Instances: []rollout.Instance{{Live: true, Reported: hostapi.StateStarting}}}}},
		},
		"what a crash left of a failed rollout is tidied": {
			state: rollout.State{App: store.App{DesiredRevision: 2}, Open: open, Route: route(1),
				Revisions: []store.Revision{revision(1, store.PhaseActive), {AppID: "a", Number: 2, Phase: store.PhaseFailed, Error: "boom"}},
				Jobs:      map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive)), 2: {}}},
			want: []rollout.Step{rollout.EndDeployment{ID: "d", Text: "boom"}, rollout.StopJob{2}},
		},
		"what a crash left of a failure after the old listeners stopped is made good": {
			state: rollout.State{App: store.App{DesiredRevision: 2}, Route: route(1),
				Revisions: []store.Revision{revision(1, store.PhaseDraining), {AppID: "a", Number: 2, Phase: store.PhaseFailed, Error: "boom"}},
				Jobs:      map[int64]rollout.Job{1: jobOf(instance(hostapi.StateDraining))}},
			want: []rollout.Step{rollout.SetPhase{1, store.PhaseActive, ""}},
		},
		"a stopped app keeps no job, not even of a revision that has ended": {
			state: rollout.State{App: store.App{DesiredRevision: 3, Stopped: true}, Route: route(2),
				Revisions: []store.Revision{revision(2, store.PhaseActive), {AppID: "a", Number: 3, Phase: store.PhaseFailed}},
				Jobs:      map[int64]rollout.Job{1: {}, 2: jobOf(instance(hostapi.StateActive))}},
			want: []rollout.Step{rollout.StopJob{1}, rollout.StopJob{2}},
		},
		"a stopped app keeps its phases and loses its jobs": {
			state: rollout.State{App: store.App{DesiredRevision: 1, Stopped: true}, Open: open,
				Revisions: []store.Revision{revision(1, store.PhaseActive)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(instance(hostapi.StateActive))}},
			want: []rollout.Step{rollout.StopJob{1}, rollout.EndDeployment{ID: "d", Success: true, Text: "staged: goes live when the app is started"}},
		},
		"callers are told why nobody answers": {
			state: rollout.State{App: store.App{DesiredRevision: 1}, Revisions: []store.Revision{revision(1, store.PhaseActive)}, Route: route(1),
				Jobs: map[int64]rollout.Job{1: jobOf(crashed)}},
			want: []rollout.Step{rollout.SetRoute{Targets: route(1).Targets, Waiting: "it failed and is being started again"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := rollout.Plan(epoch().Add(c.after), rollout.DefaultPolicy(), c.state)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}
