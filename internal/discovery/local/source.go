package local

import (
	"context"

	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// RouteSource is where routes come from: the store.
type RouteSource interface {
	// Routes returns the routes of all apps, also of those that have none yet.
	Routes(ctx context.Context) ([]RouteRow, error)
	// WaitRoutes blocks until routes may have changed since the number that it returned last (0 at first), or ctx
	// ends. Waking for nothing is harmless; a missed change is found at the next Resync.
	WaitRoutes(ctx context.Context, after uint64) (uint64, error)
}

// Watcher is the scheduler. Watch returns a snapshot whose Index is higher than after, waiting for one if need be;
// with after 0 it returns the present one at once.
type Watcher interface {
	Watch(ctx context.Context, after uint64) (scheduler.Snapshot, error)
}

// ParseJobID takes a job's id apart; ok is false for jobs that are not an app's revision.
type ParseJobID func(jobID string) (app string, revision int64, ok bool)

// RouteRow is one app's route as the store has it.
type RouteRow struct {
	App        string
	Stopped    bool
	Generation int64
	Targets    []RouteTarget
	Waiting    string // for callers of the app to read: why nothing serves yet
}

// RouteTarget is a revision with its share of the traffic.
type RouteTarget struct {
	Revision int64
	Weight   int
}
