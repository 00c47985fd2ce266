package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

func scanRoute(r row) (Route, error) {
	var (
		route   Route
		targets []byte
	)
	err := r.Scan(&route.AppID, &route.App, &route.Stopped, &route.Generation, &targets, &route.Waiting)
	if err != nil {
		return Route{}, err
	}
	if err := json.Unmarshal(targets, &route.Targets); err != nil {
		return Route{}, fmt.Errorf("read the route of app %q: %w", route.App, err)
	}
	return route, nil
}

const routeColumns = `SELECT r.app_id, a.name, a.stopped, r.generation, r.targets, r.waiting
	FROM routes r JOIN apps a ON a.id = r.app_id `

// Routes are the routes of all apps by name, also of those that nothing has gone live of yet: they have no targets.
func (db *DB) Routes(ctx context.Context) (routes []Route, err error) {
	err = db.read(ctx, "list routes", func(tx *Tx) error {
		routes, err = list(ctx, tx, scanRoute, routeColumns+"ORDER BY a.name_key")
		return err
	})
	return routes, err
}

// Route finds an app's route; NotFound when there is no app with the id.
func (db *DB) Route(ctx context.Context, appID string) (route Route, err error) {
	err = db.read(ctx, "read a route", func(tx *Tx) error {
		route, err = tx.route(ctx, appID)
		return err
	})
	return route, err
}

func (tx *Tx) route(ctx context.Context, appID string) (Route, error) {
	route, err := one(ctx, tx, scanRoute, routeColumns+"WHERE r.app_id = @app", p("app", appID))
	return route, orNotFound(err, "there is no app with the id %q", appID)
}

// SetRoute says which revisions take an app's traffic, and why nobody answers yet. It returns the route's generation,
// which grows by one when the targets change, and stays when only the words do or nothing. Fenced when the epoch is over,
// NotFound when there is no app with the id.
func (db *DB) SetRoute(ctx context.Context, epoch int64, appID string, targets []RouteTarget, waiting string) (generation int64, err error) {
	err = db.write(ctx, "set a route", func(tx *Tx) error {
		if err := tx.fence(ctx, epoch); err != nil {
			return err
		}
		old, err := tx.route(ctx, appID)
		if err != nil {
			return err
		}
		generation = old.Generation
		same := slices.Equal(old.Targets, targets)
		if same && old.Waiting == waiting {
			return nil
		}
		if !same {
			generation++
		}
		text, err := document(targets, "[]")
		if err != nil {
			return err
		}
		tx.topics = append(tx.topics, TopicRoutes, AppTopic(appID))
		return tx.change(ctx, "UPDATE routes SET generation = @generation, targets = @targets, waiting = @waiting WHERE app_id = @app",
			p("generation", generation), p("targets", text), p("waiting", waiting), p("app", appID))
	})
	return generation, err
}
