package rollout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// Plan returns the next steps for one app; none means that nothing is to be done before something changes or time
// passes. It does no I/O and may be called again with the same state at any time.
func Plan(now time.Time, policy Policy, s State) []Step {
	p := planner{now: now, policy: policy, s: s.upToDesired()}
	if s.App.Stopped {
		return p.stopped()
	}
	p.supersede()
	p.keepServing()
	p.advance()
	p.drain()
	p.stopOrphans()
	p.explain()
	return p.steps
}

type planner struct {
	now    time.Time
	policy Policy
	s      State
	steps  []Step
	routed bool // a SetRoute was planned; explain must not plan another
}

func (p *planner) add(steps ...Step) { p.steps = append(p.steps, steps...) }

func (p *planner) revision(number int64) (store.Revision, bool) {
	i := slices.IndexFunc(p.s.Revisions, func(r store.Revision) bool { return r.Number == number })
	if i < 0 {
		return store.Revision{}, false
	}
	return p.s.Revisions[i], true
}

func (p *planner) hasJob(revision int64) bool {
	_, ok := p.s.Jobs[revision]
	return ok
}

func (p *planner) takesTraffic(revision int64) bool {
	return slices.ContainsFunc(p.s.Route.Targets, func(t store.RouteTarget) bool { return t.Revision == revision })
}

// stopped takes the jobs away and keeps phases and route, so that a start brings the same revision back. A
// deployment to a stopped app is accepted, as in Azure.
func (p *planner) stopped() []Step {
	for _, number := range slices.Sorted(maps.Keys(p.s.Jobs)) { // also of revisions that have ended
		p.add(StopJob{number})
	}
	for _, d := range p.s.Open {
		p.add(EndDeployment{ID: d.ID, Success: true, Text: "staged: goes live when the app is started"})
	}
	return p.steps
}

// supersede ends rollouts under way to revisions that are no longer wanted. Their deployments stay open: the newest
// revision carries their package or a newer one, and its outcome is theirs.
func (p *planner) supersede() {
	for _, r := range p.s.Revisions {
		if r.Number == p.s.App.DesiredRevision || (r.Phase != store.PhasePending && r.Phase != store.PhaseStandby) {
			continue
		}
		p.add(SetPhase{r.Number, store.PhaseSuperseded, fmt.Sprintf("revision %d was wanted before this went live", p.s.App.DesiredRevision)})
		if p.hasJob(r.Number) {
			p.add(StopJob{r.Number})
		}
	}
}

// advance moves the desired revision one step towards active.
func (p *planner) advance() {
	desired, ok := p.revision(p.s.App.DesiredRevision)
	if !ok {
		return
	}
	switch desired.Phase {
	case store.PhasePending:
		p.add(Register{desired, 1}, SetPhase{desired.Number, store.PhaseStandby, ""})
	case store.PhaseStandby:
		p.standby(desired)
	case store.PhaseActive:
		p.endOpen(true, "", nil)
	case store.PhaseFailed:
		p.resume() // a crash may come between the failure and this
		p.endOpen(false, desired.Error, nil)
	default: // draining, retired, superseded: wanted again only as a new revision
	}
}

func (p *planner) standby(desired store.Revision) {
	if !p.hasJob(desired.Number) {
		p.add(Register{desired, 1}) // the manager was restarted meanwhile
		return
	}
	job := p.s.Jobs[desired.Number]
	switch v := judge(p.now, p.policy, desired, job); v.verdict {
	case ready:
		p.takeOver(desired, job)
	case failed:
		p.fail(desired, v)
	case blocked:
		p.resume()
		p.stage(desired, job.Blocked)
	case waiting:
		p.resume()
	}
}

// takeOver stops the old listeners first: a listener of the old and one of the new revision never run side by side.
func (p *planner) takeOver(desired store.Revision, job Job) {
	for _, r := range p.s.Revisions {
		if r.Number == desired.Number {
			continue
		}
		if r.Phase == store.PhaseActive {
			p.add(SetPhase{r.Number, store.PhaseDraining, ""})
			return
		}
		if r.Phase == store.PhaseDraining && p.takesTraffic(r.Number) && !p.listenersStopped(r) {
			return
		}
	}
	// Active before the route: a crash in between leaves an active revision, which the next pass routes to. The other
	// way round it would leave traffic on a revision that may still fail.
	p.add(SetPhase{desired.Number, store.PhaseActive, ""})
	p.routeTo(desired.Number)
	p.endOpen(true, "", successLines(desired, job))
}

func (p *planner) routeTo(revision int64) {
	if p.takesTraffic(revision) || p.routed {
		return
	}
	p.routed = true
	p.add(SetRoute{Targets: []store.RouteTarget{{Revision: revision, Weight: 100}}})
}

func (p *planner) listenersStopped(r store.Revision) bool {
	if p.now.Sub(r.PhaseAt) >= p.policy.ListenerDeadline {
		return true
	}
	return !slices.ContainsFunc(p.s.Jobs[r.Number].Instances, func(i Instance) bool {
		return i.Live && (i.Reported == hostapi.StateActive || i.Reported == hostapi.StateStandby)
	})
}

func (p *planner) fail(desired store.Revision, v judgement) {
	p.add(SetPhase{desired.Number, store.PhaseFailed, v.reason}, StopJob{desired.Number})
	p.resume()
	p.endOpen(false, v.reason, v.lines)
}

// resume starts the listeners again of a revision that had stopped them for one that is not ready after all.
func (p *planner) resume() {
	if slices.ContainsFunc(p.s.Revisions, func(r store.Revision) bool { return r.Phase == store.PhaseActive }) {
		return
	}
	for _, r := range p.s.Revisions {
		if r.Phase == store.PhaseDraining && p.takesTraffic(r.Number) {
			p.add(SetPhase{r.Number, store.PhaseActive, ""})
		}
	}
}

// stage lets a deployment that waits for capacity end before its client gives up; the rollout goes on.
func (p *planner) stage(desired store.Revision, why string) {
	if p.now.Sub(desired.PhaseAt) >= p.policy.StageAfter {
		p.endOpen(true, "staged: goes live when "+why, nil)
	}
}

func (p *planner) endOpen(success bool, text string, lines []Line) {
	for _, d := range p.s.Open {
		p.add(EndDeployment{ID: d.ID, Success: success, Text: text, Lines: lines})
	}
}

// keepServing makes sure that whatever takes the traffic has its job, after a restart of the manager for example, and
// that what is active takes it. It comes before advance, which may take the active phase away in the same pass.
func (p *planner) keepServing() {
	for _, r := range p.s.Revisions {
		serving := r.Phase == store.PhaseActive || (r.Phase == store.PhaseDraining && p.takesTraffic(r.Number))
		if serving && !p.hasJob(r.Number) {
			p.add(Register{r, 1})
		}
		if r.Phase == store.PhaseActive {
			p.routeTo(r.Number)
		}
	}
}

// drain stops revisions that have given up the traffic, when they are idle or out of time.
func (p *planner) drain() {
	for _, r := range p.s.Revisions {
		if r.Phase != store.PhaseDraining || p.takesTraffic(r.Number) {
			continue
		}
		if p.idle(r) || p.now.Sub(r.PhaseAt) >= p.policy.DrainDeadline {
			p.add(StopJob{r.Number}, SetPhase{r.Number, store.PhaseRetired, ""})
		}
	}
}

// stopOrphans stops jobs of revisions that have ended: a crash may come between an end and its StopJob.
func (p *planner) stopOrphans() {
	for _, number := range slices.Sorted(maps.Keys(p.s.Jobs)) {
		if r, ok := p.revision(number); !ok || !r.Phase.Live() {
			p.add(StopJob{number})
		}
	}
}

// settleTime is how long after a change of the route a request may still be on its way to the revision that lost it.
const settleTime = time.Second

// idle trusts only reports made when no request could come any more: draining begins before the route changes, and
// an older report says nothing of the requests that came in between.
func (p *planner) idle(r store.Revision) bool {
	since := later(r.PhaseAt, p.s.RouteSince.Add(settleTime))
	return !slices.ContainsFunc(p.s.Jobs[r.Number].Instances, func(i Instance) bool {
		return i.Live && (i.InFlight > 0 || i.Reported != hostapi.StateDraining || !i.ReportAt.After(since))
	})
}
