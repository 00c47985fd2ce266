package rollout_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/rollout"
)

// simulation is a world in which anything may happen between two passes, and in which a pass may be cut short after
// any step.
type simulation struct {
	t         *testing.T
	now       time.Time
	app       store.App
	revisions map[int64]*store.Revision
	jobs      map[int64]*rollout.Job
	route     store.Route
	open      map[string]bool
	everLive  bool
}

func (s *simulation) state() rollout.State {
	state := rollout.State{App: s.app, Route: s.route, Jobs: map[int64]rollout.Job{}}
	for _, r := range s.revisions {
		if r.Phase.Live() || r.Number == s.app.DesiredRevision {
			state.Revisions = append(state.Revisions, *r)
		}
	}
	for n, j := range s.jobs {
		state.Jobs[n] = *j
	}
	for id := range s.open {
		state.Open = append(state.Open, store.Deployment{ID: id})
	}
	return state
}

// pass plans and takes steps until cut.
func (s *simulation) pass(cut int) {
	for i, step := range rollout.Plan(s.now, rollout.DefaultPolicy(), s.state()) {
		if i == cut {
			return
		}
		s.take(step)
	}
	s.check()
}

func (s *simulation) take(step rollout.Step) {
	switch v := step.(type) {
	case rollout.Register:
		s.jobs[v.Revision.Number] = &rollout.Job{Since: s.now, Instances: []rollout.Instance{{ID: "i", Live: true, Reported: hostapi.StateStarting}}}
	case rollout.StopJob:
		if s.routed(v.Revision) && !s.app.Stopped {
			s.t.Fatalf("the job of revision %d was stopped while it takes the traffic", v.Revision)
		}
		delete(s.jobs, v.Revision)
	case rollout.SetPhase:
		r := s.revisions[v.Revision]
		r.Phase, r.PhaseAt, r.Error = v.Phase, s.now, v.Error
	case rollout.SetRoute:
		s.checkSwitch(v)
		s.route.Targets, s.route.Waiting = v.Targets, v.Waiting
		s.everLive = s.everLive || len(v.Targets) > 0
	case rollout.EndDeployment:
		delete(s.open, v.ID)
	}
}

func (s *simulation) routed(n int64) bool {
	return len(s.route.Targets) > 0 && s.route.Targets[0].Revision == n
}

func (s *simulation) checkSwitch(v rollout.SetRoute) {
	if len(v.Targets) == 0 || s.routed(v.Targets[0].Revision) {
		return
	}
	to := v.Targets[0].Revision
	if phase := s.revisions[to].Phase; phase != store.PhaseActive && (s.jobs[to] == nil || !s.jobs[to].Instances[0].Healthy) {
		s.t.Fatalf("the traffic went to revision %d (%s), which is not ready", to, phase)
	}
	if len(s.route.Targets) > 0 && s.revisions[s.route.Targets[0].Revision].Phase == store.PhaseActive {
		s.t.Fatalf("the traffic left revision %d before its listeners were told to stop", s.route.Targets[0].Revision)
	}
}

func (s *simulation) check() {
	if s.everLive && len(s.route.Targets) == 0 {
		s.t.Fatal("the app lost its route")
	}
	if len(s.route.Targets) == 0 {
		return
	}
	serving := s.revisions[s.route.Targets[0].Revision]
	if serving.Phase != store.PhaseActive && serving.Phase != store.PhaseDraining {
		s.t.Fatalf("revision %d takes the traffic and is %s", serving.Number, serving.Phase)
	}
	if s.jobs[serving.Number] == nil && !s.app.Stopped {
		s.t.Fatalf("revision %d takes the traffic and has no job after a whole pass", serving.Number)
	}
}

func (s *simulation) event(r *rand.Rand) {
	switch r.IntN(8) {
	case 0:
		s.publish()
	case 1:
		s.jobs = map[int64]*rollout.Job{} // the manager was killed
	case 2:
		s.app.Stopped = !s.app.Stopped
	case 3:
		s.now = s.now.Add(time.Duration(r.IntN(200)) * time.Second)
	default:
		s.instanceEvent(r)
	}
}

func (s *simulation) publish() {
	s.app.DesiredRevision++
	n := s.app.DesiredRevision
	s.revisions[n] = &store.Revision{Number: n, Phase: store.PhasePending, PhaseAt: s.now}
	s.open[fmt.Sprint("d", n)] = true
}

func (s *simulation) instanceEvent(r *rand.Rand) {
	for n, j := range s.jobs {
		if i := &j.Instances[0]; r.IntN(2) == 0 {
			s.moveOn(n, i, r)
		}
	}
}

func (s *simulation) moveOn(n int64, i *rollout.Instance, r *rand.Rand) {
	i.ReportAt = s.now
	switch phase := s.revisions[n].Phase; {
	case r.IntN(6) == 0:
		*i = rollout.Instance{ID: "i", Live: true, Restarts: i.Restarts + 1, LastError: "exit code 1", Reported: hostapi.StateStarting}
	case r.IntN(10) == 0:
		i.Healthy, i.Failure = false, &hostapi.Failure{Message: "throws", Permanent: true}
	case phase == store.PhaseActive:
		i.Healthy, i.Reported = true, hostapi.StateActive
	case phase == store.PhaseDraining:
		i.Reported, i.InFlight = hostapi.StateDraining, r.IntN(2)
	default:
		i.Healthy, i.Reported = true, hostapi.StateStandby
	}
}

// settle lets everything go well from here on: the newest revision must end up serving.
func (s *simulation) settle() {
	s.app.Stopped = false
	s.publish()
	for range 40 {
		s.pass(-1)
		for n, j := range s.jobs {
			i := rollout.Instance{ID: "i", Live: true, Healthy: true, ReportAt: s.now.Add(time.Millisecond), Reported: hostapi.StateStandby}
			switch s.revisions[n].Phase {
			case store.PhaseActive:
				i.Reported = hostapi.StateActive
			case store.PhaseDraining:
				i.Reported = hostapi.StateDraining
			default:
			}
			j.Instances = []rollout.Instance{i}
		}
		s.now = s.now.Add(100 * time.Millisecond)
	}
	n := s.app.DesiredRevision
	if s.revisions[n].Phase != store.PhaseActive || !s.routed(n) || len(s.open) != 0 || len(s.jobs) != 1 {
		s.t.Fatalf("revision %d is %s, route %v, open deployments %v, %d jobs", n, s.revisions[n].Phase, s.route.Targets, s.open, len(s.jobs))
	}
	if steps := rollout.Plan(s.now, rollout.DefaultPolicy(), s.state()); len(steps) != 0 {
		s.t.Fatalf("a settled app still has steps: %v", steps)
	}
}

// TestWhateverHappens walks random worlds: no order of events, crashes and half-taken passes may take the traffic
// from a revision that serves before another can, and once things go well the newest revision serves.
func TestWhateverHappens(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := &simulation{t: t, now: epoch(), revisions: map[int64]*store.Revision{}, jobs: map[int64]*rollout.Job{}, open: map[string]bool{}}
		s.publish()
		for range r.IntN(60) {
			s.event(r)
			s.pass(r.IntN(6) - 1)
		}
		s.settle()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
