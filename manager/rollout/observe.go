package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// world is what one pass reads once for all apps.
type world struct {
	apps   []store.App
	routes map[string]store.Route        // by app id
	open   map[string][]store.Deployment // by app id; accepted ones
	jobs   map[string]map[int64]observed // by app name in lower case, as job ids have it
}

func (l *Loop) observe(ctx context.Context) (world, error) {
	apps, err := l.cfg.Overview.RolloutApps(ctx)
	if err != nil {
		return world{}, fmt.Errorf("read the apps: %w", err)
	}
	w := world{apps: apps, routes: map[string]store.Route{}, open: map[string][]store.Deployment{}, jobs: map[string]map[int64]observed{}}
	routes, err := l.cfg.Overview.Routes(ctx)
	if err != nil {
		return world{}, fmt.Errorf("read the routes: %w", err)
	}
	for _, r := range routes {
		w.routes[r.AppID] = r
	}
	l.seeRoutes(routes)
	deployments, err := l.cfg.Overview.UnfinishedDeployments(ctx)
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

func (l *Loop) seeRoutes(routes []store.Route) {
	seen := make(map[string]seenRoute, len(routes))
	for _, r := range routes {
		known, ok := l.routes[r.AppID]
		if !ok || known.generation != r.Generation {
			known = seenRoute{r.Generation, l.cfg.Now()}
		}
		seen[r.AppID] = known
	}
	l.routes = seen
}

func (l *Loop) observeJobs(ctx context.Context, w world) error {
	snapshot, err := l.cfg.Jobs.Watch(ctx, 0)
	if err != nil {
		return fmt.Errorf("read the jobs: %w", err)
	}
	seen := make(map[string]time.Time, len(snapshot.Jobs))
	for id, job := range snapshot.Jobs {
		app, revision, ok := l.cfg.Jobs.Parse(id)
		if !ok || job.Stopped {
			continue
		}
		if seen[id] = l.seen[id]; seen[id].IsZero() {
			seen[id] = l.cfg.Now()
		}
		if w.jobs[app] == nil {
			w.jobs[app] = map[int64]observed{}
		}
		w.jobs[app][revision] = observed{job, seen[id]}
	}
	l.seen = seen
	return nil
}

// observed is a job with the time since which this loop knows it.
type observed struct {
	scheduler.Job
	since time.Time
}

func (l *Loop) state(ctx context.Context, w world, app store.App) (State, error) {
	revisions, err := l.cfg.Reader.Revisions(ctx, app.ID, true)
	if err != nil {
		return State{}, fmt.Errorf("read the revisions of app %q: %w", app.Name, err)
	}
	if revisions, err = l.withDesired(ctx, app, revisions); err != nil {
		return State{}, err
	}
	instances, err := l.cfg.Reader.Instances(ctx, app.ID)
	if err != nil {
		return State{}, fmt.Errorf("read the instances of app %q: %w", app.Name, err)
	}
	return State{App: app, Revisions: revisions, Route: w.routes[app.ID], RouteSince: l.routes[app.ID].since, Open: w.open[app.ID],
		Jobs: join(w.jobs[strings.ToLower(app.Name)], reports(instances))}, nil
}

// withDesired adds the desired revision when it has failed: its deployment may still have to be told.
func (l *Loop) withDesired(ctx context.Context, app store.App, live []store.Revision) ([]store.Revision, error) {
	has := slices.ContainsFunc(live, func(r store.Revision) bool { return r.Number == app.DesiredRevision })
	if app.DesiredRevision == 0 || has {
		return live, nil
	}
	desired, err := l.cfg.Reader.Revision(ctx, app.ID, app.DesiredRevision)
	if err != nil {
		return nil, fmt.Errorf("read revision %d of app %q: %w", app.DesiredRevision, app.Name, err)
	}
	return append(live, desired), nil
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
func join(jobs map[int64]observed, reports map[string]hostapi.InstanceReport) map[int64]Job {
	joined := make(map[int64]Job, len(jobs))
	for revision, job := range jobs {
		out := Job{Blocked: job.Blocked, Since: job.since}
		for _, i := range job.Instances {
			r := reports[i.ID]
			if i.JobVersion != job.Version { // from before the job was stopped: how it ended says nothing of this run
				r.LastError, i.LastError, i.Restarts = nil, "", 0
			}
			out.Instances = append(out.Instances, Instance{
				ID: i.ID, Live: i.Live(), Healthy: i.Healthy && !i.Stopping, Restarts: i.Restarts, LastError: i.LastError,
				Reported: r.State, Failure: r.LastError, InFlight: r.InFlight, ReportAt: r.At, Warnings: r.Warnings, Functions: r.Functions,
			})
		}
		joined[revision] = out
	}
	return joined
}
