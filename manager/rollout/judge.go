package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
)

type verdict int

const (
	waiting verdict = iota
	ready
	failed
	blocked
)

type judgement struct {
	verdict verdict
	reason  string
	lines   []Line
}

// judge says whether a revision in standby can take over. One ready instance is enough: an app starts with one, and
// scale adds the others. An instance that says that starting again cannot help ends the rollout at once.
func judge(now time.Time, policy Policy, r store.Revision, job Job) judgement {
	var last *Instance
	ends := 0
	for i, inst := range job.Instances {
		if inst.Live && inst.Healthy && (inst.Reported == hostapi.StateStandby || inst.Reported == hostapi.StateActive) {
			return judgement{verdict: ready}
		}
		if inst.Failure != nil || inst.LastError != "" {
			last = &job.Instances[i]
		}
		ends += inst.ends()
	}
	if last != nil && (permanent(*last) || ends >= policy.MaxRestarts) {
		return failure(*last)
	}
	if job.Blocked != "" {
		return judgement{verdict: blocked}
	}
	if waited := now.Sub(later(r.PhaseAt, job.Since)); waited >= policy.StartDeadline {
		return overdue(waited, job, last)
	}
	return judgement{verdict: waiting}
}

// later lets the start deadline begin anew when the manager was restarted during a rollout.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ends is how often an instance ended by itself. Schedulers give up on one after a few and place another, which begins
// to count anew: only all of them together tell how often it was tried.
func (i Instance) ends() int {
	if !i.Live && i.LastError != "" {
		return i.Restarts + 1
	}
	return i.Restarts
}

func permanent(i Instance) bool { return i.Failure != nil && i.Failure.Permanent }

func failure(i Instance) judgement {
	j := judgement{verdict: failed, reason: i.LastError}
	if i.Failure != nil {
		j.reason = i.Failure.Message
		for _, line := range i.Failure.StderrLines {
			j.lines = append(j.lines, Line{Type: 2, Text: line})
		}
	}
	return j
}

func overdue(waited time.Duration, job Job, last *Instance) judgement {
	reason := fmt.Sprintf("no instance became ready within %s", waited.Round(time.Second))
	if last != nil {
		j := failure(*last)
		j.reason = reason + "; the last one ended with: " + j.reason
		return j
	}
	if n := len(job.Instances); n > 0 {
		reason += fmt.Sprintf("; the last one is %q", job.Instances[n-1].Reported)
	}
	return judgement{verdict: failed, reason: reason}
}

// successLines tells what went live, and every function that does not run: a deployment that loses a function
// silently would be reported as a plain success.
func successLines(r store.Revision, job Job) []Line {
	lines := []Line{{Text: fmt.Sprintf("revision %d is live", r.Number)}}
	i := slices.IndexFunc(job.Instances, func(i Instance) bool { return i.Live && i.Healthy })
	if i < 0 {
		return lines
	}
	for _, w := range job.Instances[i].Warnings {
		lines = append(lines, Line{Type: 1, Text: w})
	}
	for _, f := range job.Instances[i].Functions {
		lines = append(lines, functionLine(f))
	}
	return lines
}

func functionLine(f hostapi.FunctionStatus) Line {
	switch {
	case f.Error != "":
		return Line{Type: 2, Text: fmt.Sprintf("function %s does not run: %s", f.Name, f.Error)}
	case f.Disabled:
		return Line{Type: 1, Text: fmt.Sprintf("function %s is disabled", f.Name)}
	default:
		return Line{Text: fmt.Sprintf("function %s (%s) %s %s", f.Name, f.Trigger, f.Description, f.InvokeURL)}
	}
}

// explain keeps the words that callers get when nobody answers for the app. Callers may be anybody: what exactly went
// wrong may hold names and secrets, so it stands in the deployment's log and in the instance's report instead.
func (p *planner) explain() {
	if p.routed {
		return
	}
	if why := p.whyNobody(); why != p.s.Route.Waiting {
		p.add(SetRoute{Targets: p.s.Route.Targets, Waiting: why})
	}
}

func (p *planner) whyNobody() string {
	if len(p.s.Route.Targets) == 0 {
		return p.whyNotLive()
	}
	job, ok := p.s.Jobs[p.s.Route.Targets[0].Revision]
	switch {
	case !ok:
		return "it is being started"
	case slices.ContainsFunc(job.Instances, func(i Instance) bool { return i.Live && i.Healthy }):
		return ""
	case job.Blocked != "":
		return "it waits for capacity: " + job.Blocked
	}
	for _, i := range job.Instances {
		if i.Failure != nil || i.LastError != "" {
			return "it failed and is being started again"
		}
	}
	return "it is being started"
}

func (p *planner) whyNotLive() string {
	desired, ok := p.revision(p.s.App.DesiredRevision)
	switch {
	case !ok:
		return "nothing has been published yet"
	case desired.Phase == store.PhaseFailed:
		return "its deployment failed"
	default:
		return "its first deployment is under way"
	}
}
