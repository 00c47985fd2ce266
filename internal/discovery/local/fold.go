package local

import (
	"slices"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/discovery"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// memory is what one fold leaves for the next: the newest route of each app and which instances are endpoints.
type memory struct {
	routes    map[string]RouteRow // by lower-case app
	endpoints map[string]placed   // by instance id
}

// placed is where an instance was when it was found healthy. A restart makes it another process.
type placed struct {
	address  string
	restarts int
}

// revisionOf names a job by what it runs; app is in lower case.
type revisionOf struct {
	app      string
	revision int64
}

// acceptRoutes takes the newer of each known and offered route. An app that is no longer offered is forgotten with
// its generation, so that a new app of the same name begins afresh.
func (m memory) acceptRoutes(rows []RouteRow) map[string]RouteRow {
	routes := make(map[string]RouteRow, len(rows))
	for _, row := range rows {
		key := strings.ToLower(row.App)
		if had, ok := m.routes[key]; ok && had.Generation > row.Generation {
			row = had
		}
		routes[key] = row
	}
	return routes
}

// acceptInstances decides which instances are endpoints, by the rule of the package comment, and returns them by
// revision. The scheduler's order is kept, so that an unchanged world folds to an equal picture.
func (m memory) acceptInstances(snap scheduler.Snapshot, parse ParseJobID) (map[revisionOf][]discovery.Endpoint, map[string]placed) {
	byRevision := make(map[revisionOf][]discovery.Endpoint, len(snap.Jobs))
	endpoints := make(map[string]placed, len(m.endpoints))
	for id, job := range snap.Jobs {
		app, revision, ok := parse(id)
		if !ok {
			continue
		}
		key := revisionOf{strings.ToLower(app), revision}
		for _, i := range job.Instances {
			if m.serves(i) {
				endpoints[i.ID] = placed{i.Address, i.Restarts}
				byRevision[key] = append(byRevision[key], discovery.Endpoint{InstanceID: i.ID, Address: i.Address})
			}
		}
	}
	return byRevision, endpoints
}

func (m memory) serves(i scheduler.Instance) bool {
	if i.State != scheduler.Running || i.Stopping || i.Address == "" {
		return false
	}
	return i.Healthy || m.endpoints[i.ID] == placed{i.Address, i.Restarts}
}

// fold makes the picture and the memory for the next fold; m is left as it is.
func (m memory) fold(rows []RouteRow, snap scheduler.Snapshot, parse ParseJobID) (*discovery.Snapshot, memory) {
	next := memory{routes: m.acceptRoutes(rows)}
	endpoints, kept := m.acceptInstances(snap, parse)
	next.endpoints = kept
	apps := make([]discovery.App, 0, len(next.routes))
	for key, row := range next.routes {
		apps = append(apps, appOf(key, row, endpoints))
	}
	return discovery.NewSnapshot(apps), next
}

func appOf(key string, row RouteRow, endpoints map[revisionOf][]discovery.Endpoint) discovery.App {
	app := discovery.App{Name: row.App, Stopped: row.Stopped, Generation: row.Generation, Waiting: row.Waiting}
	if len(row.Targets) > 0 {
		app.Targets = make([]discovery.Target, len(row.Targets))
	}
	for i, t := range row.Targets {
		app.Targets[i] = discovery.Target{Revision: t.Revision, Weight: t.Weight, Endpoints: endpoints[revisionOf{key, t.Revision}]}
	}
	return app
}

// same reports whether two pictures are equal for a gateway; names holds every app of b.
func same(a, b *discovery.Snapshot, names map[string]RouteRow) bool {
	if a == nil || a.Len() != b.Len() {
		return false
	}
	for name := range names {
		if !sameApp(a.App(name), b.App(name)) {
			return false
		}
	}
	return true
}

func sameApp(a, b *discovery.App) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Name == b.Name && a.Stopped == b.Stopped && a.Generation == b.Generation && a.Waiting == b.Waiting &&
		slices.EqualFunc(a.Targets, b.Targets, func(x, y discovery.Target) bool {
			return x.Revision == y.Revision && x.Weight == y.Weight && slices.Equal(x.Endpoints, y.Endpoints)
		})
}
