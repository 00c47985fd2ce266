package server

import (
	"context"

	"github.com/nightshift-functions/nightshift/internal/discovery/local"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// routes shows the store's routes to discovery.
type routes struct{ store *store.DB }

// Routes returns every app's route, also of apps that have none yet.
func (r routes) Routes(ctx context.Context) ([]local.RouteRow, error) {
	all, err := r.store.Routes(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]local.RouteRow, len(all))
	for i, route := range all {
		rows[i] = local.RouteRow{App: route.App, Stopped: route.Stopped, Generation: route.Generation, Waiting: route.Waiting}
		for _, t := range route.Targets {
			rows[i].Targets = append(rows[i].Targets, local.RouteTarget{Revision: t.Revision, Weight: t.Weight})
		}
	}
	return rows, nil
}

// WaitRoutes waits for the next change.
func (r routes) WaitRoutes(ctx context.Context, after uint64) (uint64, error) {
	return r.store.Wait(ctx, store.TopicRoutes, after)
}
