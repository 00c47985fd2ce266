package jobspecs

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/drivers"
	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// GroupName is the name of a job's one group.
const GroupName = "worker"

// The keys of a job's meta.
const (
	MetaApp      = "app" // as created
	MetaRevision = "revision"
)

// Revision is what Build makes a job of.
type Revision struct {
	Task   drivers.Input // names the app and the revision too
	Driver drivers.Driver

	// Count is how many instances the job starts with. Scaling owns it from then on: a scheduler keeps the present
	// count when a job that it has is applied again.
	Count int

	Placement Placement
	Timing    Timing
}

// Placement is where instances may run; the zero value is anywhere in the default namespace and node pool.
type Placement struct {
	Namespace   string
	NodePool    string
	Datacenters []string // default: all
	Constraints []*api.Constraint
	Affinities  []*api.Affinity
	Spreads     []*api.Spread
}

// Timing holds the durations of an instance's life. Zero means the default.
type Timing struct {
	CheckInterval time.Duration // of the readiness check; default and least 1 s
	CheckTimeout  time.Duration // default 3 s; Nomad takes no less than 1 s
	// ShutdownDelay lies between the withdrawal of a stopping instance and its stop signal: the time that gateways
	// have to hear of it. Default 1 s; negative for none.
	ShutdownDelay time.Duration
}

// A failed process is started again in place up to restartAttempts times within restartInterval; then the instance
// has failed and a new one takes its place after a delay that doubles up to rescheduleMax, for ever: Nomad takes no
// delay under 5 s here.
const (
	restartAttempts  = 2
	restartInterval  = time.Minute
	restartDelay     = time.Second
	rescheduleDelay  = 5 * time.Second
	rescheduleMax    = 5 * time.Minute
	checkInterval    = time.Second
	checkTimeout     = 3 * time.Second
	shutdownDelay    = time.Second
	failuresToUnwell = 3 // one lost answer of a busy instance must not take it out of traffic
)

// Build returns the job of a revision. It is pure; errors are Invalid and name the field.
func Build(in Revision) (*api.Job, error) {
	if in.Driver == nil {
		return nil, azfunc.Errorf(azfunc.Invalid, "app %q: a job needs a driver", in.Task.App)
	}
	if in.Count < 0 {
		return nil, azfunc.Errorf(azfunc.Invalid, "app %q: a count of %d instances is not possible", in.Task.App, in.Count)
	}
	task, err := in.Driver(in.Task)
	if err != nil {
		return nil, fmt.Errorf("build the job of app %q, revision %d: %w", in.Task.App, in.Task.Revision, err)
	}
	id := JobID(in.Task.App, in.Task.Revision)
	job := &api.Job{
		ID:   new(id),
		Name: new(id),
		Type: new(api.JobTypeService),
		Meta: map[string]string{
			MetaApp:      in.Task.App,
			MetaRevision: strconv.FormatInt(in.Task.Revision, 10),
		},
		Update:     &api.UpdateStrategy{MaxParallel: new(0)},
		TaskGroups: []*api.TaskGroup{group(in, task)},
	}
	in.Placement.apply(job)
	return job, nil
}

func group(in Revision, task *api.Task) *api.TaskGroup {
	return &api.TaskGroup{
		Name:  new(GroupName),
		Count: new(in.Count),
		Tasks: []*api.Task{task},
		Networks: []*api.NetworkResource{{
			DynamicPorts: []api.Port{{Label: drivers.PortLabel}},
		}},
		Services: []*api.Service{service(in)},
		RestartPolicy: &api.RestartPolicy{
			Attempts: new(restartAttempts),
			Interval: new(restartInterval),
			Delay:    new(restartDelay),
			Mode:     new(api.RestartPolicyModeFail),
		},
		ReschedulePolicy: &api.ReschedulePolicy{
			Delay:         new(rescheduleDelay),
			DelayFunction: new("exponential"),
			MaxDelay:      new(rescheduleMax),
			Unlimited:     new(true),
		},
		ShutdownDelay: new(in.Timing.shutdownDelay()),
	}
}

func service(in Revision) *api.Service {
	revision := strconv.FormatInt(in.Task.Revision, 10)
	return &api.Service{
		Name:      ServiceName(in.Task.App),
		Tags:      []string{"r" + revision},
		PortLabel: drivers.PortLabel,
		Meta: map[string]string{
			MetaApp:      in.Task.App,
			MetaRevision: revision,
			"instance":   "${NOMAD_ALLOC_ID}",
		},
		Checks: []api.ServiceCheck{{
			Name:                   "ready",
			Type:                   "http",
			Path:                   hostapi.PathReady,
			Interval:               in.Timing.checkInterval(),
			Timeout:                in.Timing.checkTimeout(),
			FailuresBeforeCritical: failuresToUnwell,
		}},
	}
}

func (p Placement) apply(job *api.Job) {
	job.Datacenters = []string{"*"}
	if len(p.Datacenters) > 0 {
		job.Datacenters = p.Datacenters
	}
	if p.Namespace != "" {
		job.Namespace = new(p.Namespace)
	}
	if p.NodePool != "" {
		job.NodePool = new(p.NodePool)
	}
	job.Constraints, job.Affinities, job.Spreads = p.Constraints, p.Affinities, p.Spreads
}

func (t Timing) checkInterval() time.Duration { return max(t.CheckInterval, checkInterval) }

func (t Timing) checkTimeout() time.Duration {
	if t.CheckTimeout == 0 {
		return checkTimeout
	}
	return max(t.CheckTimeout, time.Second)
}

func (t Timing) shutdownDelay() time.Duration {
	if t.ShutdownDelay == 0 {
		return shutdownDelay
	}
	return max(t.ShutdownDelay, 0)
}
