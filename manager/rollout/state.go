package rollout

import (
	"slices"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// Policy bounds a rollout.
type Policy struct {
	StartDeadline    time.Duration // from standby to the first ready instance
	ListenerDeadline time.Duration // for the old revision to say that its listeners have stopped
	DrainDeadline    time.Duration // for the old revision to finish its requests
	StageAfter       time.Duration // a deployment that waits for capacity ends as staged; under the clients' 3 minutes
	MaxRestarts      int           // how often the instances of a revision that was never ready may end by themselves
}

// DefaultPolicy is what production uses. StageAfter stays below the three minutes after which dotnet publish stops
// polling (Azure Functions SDK, ZipDeploy task).
func DefaultPolicy() Policy {
	return Policy{
		StartDeadline: 2 * time.Minute, ListenerDeadline: 5 * time.Second, DrainDeadline: 5 * time.Minute,
		StageAfter: 150 * time.Second, MaxRestarts: 3,
	}
}

// State is everything that Plan looks at for one app.
type State struct {
	App       store.App
	Revisions []store.Revision // live ones, and the desired one whatever its phase; any order
	Route     store.Route      // zero generation: none yet
	// RouteSince is when this leader first saw the route's generation: gateways had it by then.
	RouteSince time.Time
	Jobs       map[int64]Job // by revision; absent: the scheduler has no such job, or it is stopped
	Open       []store.Deployment
}

// upToDesired leaves out what was accepted after the app was read: the parts of a State are read one after the other,
// and numbers only grow, so a greater one than the desired is newer than this State's app. It belongs to the next
// pass; judged by this one it would be superseded by its own predecessor and never go live.
func (s State) upToDesired() State {
	desired := s.App.DesiredRevision
	newer := func(r store.Revision) bool { return r.Number > desired }
	s.Revisions = slices.DeleteFunc(slices.Clone(s.Revisions), newer)
	s.Open = slices.DeleteFunc(slices.Clone(s.Open), func(d store.Deployment) bool { return d.Revision > desired })
	return s
}

// Job is what the scheduler and the instances themselves say of one revision's job.
type Job struct {
	Blocked   string    // why instances cannot be placed, in words
	Since     time.Time // when this leader first saw the job
	Instances []Instance
}

// Instance joins the scheduler's view of an instance with its worker's last report.
type Instance struct {
	ID        string
	Live      bool
	Healthy   bool // the scheduler's checks pass
	Restarts  int
	LastError string // the scheduler's: how it last ended
	Reported  hostapi.InstanceState
	Failure   *hostapi.Failure
	InFlight  int
	ReportAt  time.Time
	Warnings  []string
	Functions []hostapi.FunctionStatus
}

// Step is one thing to do. Steps are taken in order; when one fails the rest wait for the next pass.
type Step interface{ step() }

// Register gives the revision's job to the scheduler.
type Register struct {
	Revision store.Revision
	Count    int
}

// StopJob takes the revision's job from the scheduler; its logs stay readable.
type StopJob struct{ Revision int64 }

// SetPhase moves a revision.
type SetPhase struct {
	Revision int64
	Phase    store.Phase
	Error    string
}

// SetRoute gives the traffic to the targets and tells callers why nobody answers when nobody does.
type SetRoute struct {
	Targets []store.RouteTarget
	Waiting string
}

// EndDeployment ends a deployment with its verdict; Lines go to its log first.
type EndDeployment struct {
	ID      string
	Success bool
	Text    string
	Lines   []Line
}

// Line is a line of a deployment's log.
type Line struct {
	Type int // 0 message, 1 warning, 2 error
	Text string
}

func (Register) step()      {}
func (StopJob) step()       {}
func (SetPhase) step()      {}
func (SetRoute) step()      {}
func (EndDeployment) step() {}
