package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const appColumns = `SELECT id, name, subscription_id, resource_group, location, kind, tags, stopped, uid,
	publish_password, desired_revision, version, created_at, updated_at FROM apps `

func (tx *Tx) scanApp(r row) (App, error) {
	var (
		a      App
		tags   []byte
		sealed []byte
	)
	err := r.Scan(&a.ID, &a.Name, &a.SubscriptionID, &a.ResourceGroup, &a.Location, &a.Kind, &tags, &a.Stopped, &a.UID,
		&sealed, &a.DesiredRevision, &a.Version, timeInto{&a.CreatedAt}, timeInto{&a.UpdatedAt})
	if err != nil {
		return App{}, err
	}
	if err := json.Unmarshal(tags, &a.Tags); err != nil {
		return App{}, fmt.Errorf("read the tags of app %q: %w", a.Name, err)
	}
	password, err := tx.open(sealed, sealContext("apps", a.ID))
	if err != nil {
		return App{}, fmt.Errorf("app %q: %w", a.Name, err)
	}
	a.PublishPassword = string(password)
	return a, nil
}

// CreateApp adds an app with no settings and a route to nothing, and returns it with what is given here: id (when
// empty), UID, version 1 and times. Conflict when the name is taken, also in other case, anywhere in the installation;
// NotFound when the resource group does not exist.
//
// A UID is never given twice, so that files which an app left on a node are nobody else's.
func (db *DB) CreateApp(ctx context.Context, a App) (App, error) {
	if err := azfunc.ValidateAppName(a.Name); err != nil {
		return App{}, err
	}
	if a.ID == "" {
		a.ID = uuid.NewString()
	}
	a.SubscriptionID, a.DesiredRevision, a.Version = key(a.SubscriptionID), 0, 1
	err := db.write(ctx, "create app "+a.Name, func(tx *Tx) error {
		a.CreatedAt, a.UpdatedAt = tx.now, tx.now
		uid, err := tx.next(ctx, counterUID, int64(db.cfg.UIDBase))
		if err != nil {
			return err
		}
		a.UID = int(uid)
		if err := tx.insertApp(ctx, a); err != nil {
			return err
		}
		tx.topics = append(tx.topics, TopicApps, TopicRoutes)
		return tx.insertAppParts(ctx, a.ID)
	})
	return a, err
}

func (tx *Tx) insertApp(ctx context.Context, a App) error {
	tags, err := document(a.Tags, "null")
	if err != nil {
		return err
	}
	sealed, err := tx.seal([]byte(a.PublishPassword), sealContext("apps", a.ID))
	if err != nil {
		return err
	}
	last, err := tx.counter(ctx, counterRevision(a.Name))
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `INSERT INTO apps (id, name, name_key, subscription_id, resource_group, resource_group_key,
		location, kind, tags, stopped, uid, publish_password, desired_revision, last_revision, last_deployment, version,
		created_at, updated_at) VALUES (@id, @name, @key, @sub, @group, @groupkey,
		@location, @kind, @tags, @stopped, @uid, @password, 0, @last, 0, 1, @now, @now)`,
		p("id", a.ID), p("name", a.Name), p("key", key(a.Name)), p("sub", a.SubscriptionID), p("group", a.ResourceGroup),
		p("groupkey", key(a.ResourceGroup)), p("location", a.Location), p("kind", a.Kind), p("tags", tags),
		p("stopped", a.Stopped), p("uid", a.UID), p("password", sealed), p("last", last), p("now", tx.now))
	switch {
	case err == nil:
		return nil
	case tx.db.cfg.Dialect.Duplicate(err):
		return azfunc.Errorf(azfunc.Conflict, "an app called %q exists already; names are unique in the whole installation, choose another", a.Name)
	case tx.db.cfg.Dialect.Orphan(err):
		return azfunc.Errorf(azfunc.NotFound, "there is no resource group %q in subscription %q; create it first", a.ResourceGroup, a.SubscriptionID)
	}
	return err
}

// insertAppParts makes the rows that every app has one of. The route's generation starts where that of the highest
// deleted app ended: a gateway that still remembers a deleted app of this name would ignore lower ones.
func (tx *Tx) insertAppParts(ctx context.Context, id string) error {
	sealed, err := tx.sealMap(nil, sealContext("settings", id))
	if err != nil {
		return err
	}
	floor, err := tx.counter(ctx, counterGeneration)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "INSERT INTO settings (app_id, version, sealed) VALUES (@id, 1, @sealed)", p("id", id), p("sealed", sealed))
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, "INSERT INTO routes (app_id, generation, targets, waiting) VALUES (@id, @floor, '[]', '')",
		p("id", id), p("floor", floor))
	return err
}

// UpdateApp replaces location, kind, tags and publishing password, and returns the app as it now is. With ifVersion
// other than 0 it is a Conflict when the app's version differs. NotFound when there is no app with the id. Name,
// place, UID, Stopped and DesiredRevision are not changed here.
func (db *DB) UpdateApp(ctx context.Context, a App, ifVersion int64) (updated App, err error) {
	err = db.write(ctx, "update app "+a.Name, func(tx *Tx) error {
		tags, err := document(a.Tags, "null")
		if err != nil {
			return err
		}
		sealed, err := tx.seal([]byte(a.PublishPassword), sealContext("apps", a.ID))
		if err != nil {
			return err
		}
		n, err := tx.exec(ctx, `UPDATE apps SET location = @location, kind = @kind, tags = @tags,
			publish_password = @password, version = version + 1, updated_at = @now
			WHERE id = @id AND (@if = 0 OR version = @if)`,
			p("id", a.ID), p("location", a.Location), p("kind", a.Kind), p("tags", tags), p("password", sealed),
			p("now", tx.now), p("if", ifVersion))
		if err != nil {
			return err
		}
		if updated, err = tx.appByID(ctx, a.ID); err != nil {
			return err
		}
		if n == 0 {
			return azfunc.Errorf(azfunc.Conflict, "the app %q was changed meanwhile (version %d, not %d); read it again and repeat the change", updated.Name, updated.Version, ifVersion)
		}
		tx.topics = append(tx.topics, TopicApps)
		return nil
	})
	return updated, err
}

// App finds an app by name without regard to case; NotFound when there is none.
func (db *DB) App(ctx context.Context, name string) (a App, err error) {
	err = db.read(ctx, "read app "+name, func(tx *Tx) error {
		a, err = tx.appByName(ctx, name)
		return err
	})
	return a, err
}

// AppByID finds an app; NotFound when there is none.
func (db *DB) AppByID(ctx context.Context, id string) (a App, err error) {
	err = db.read(ctx, "read app "+id, func(tx *Tx) error {
		a, err = tx.appByID(ctx, id)
		return err
	})
	return a, err
}

func (tx *Tx) appByName(ctx context.Context, name string) (App, error) {
	a, err := one(ctx, tx, tx.scanApp, appColumns+"WHERE name_key = @key", p("key", key(name)))
	return a, orNotFound(err, "there is no app called %q", name)
}

func (tx *Tx) appByID(ctx context.Context, id string) (App, error) {
	a, err := one(ctx, tx, tx.scanApp, appColumns+"WHERE id = @id", p("id", id))
	return a, orNotFound(err, "there is no app with the id %q", id)
}

// AppFilter narrows a listing of apps; an empty field does not.
type AppFilter struct {
	SubscriptionID string
	ResourceGroup  string
}

// Apps lists apps by name.
func (db *DB) Apps(ctx context.Context, filter AppFilter, page Page) (apps []App, next string, err error) {
	after, err := page.parts("")
	if err != nil {
		return nil, "", err
	}
	err = db.read(ctx, "list apps", func(tx *Tx) error {
		apps, next, err = paged(ctx, tx, page, tx.scanApp, func(a App) string { return token(key(a.Name)) },
			appColumns+`WHERE name_key > @after AND (@sub = '' OR subscription_id = @sub)
			AND (@group = '' OR resource_group_key = @group) ORDER BY name_key`,
			p("after", after[0]), p("sub", key(filter.SubscriptionID)), p("group", key(filter.ResourceGroup)))
		return err
	})
	return apps, next, err
}

// SetAppStopped stops or starts an app for its owner; NotFound when there is none of that name. Doing it twice changes
// nothing.
func (db *DB) SetAppStopped(ctx context.Context, name string, stopped bool) error {
	return db.write(ctx, "stop or start app "+name, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE apps SET stopped = @stopped, version = version + 1, updated_at = @now
			WHERE name_key = @key AND stopped <> @stopped`,
			p("key", key(name)), p("stopped", stopped), p("now", tx.now))
		if err != nil {
			return err
		}
		a, err := tx.appByName(ctx, name)
		if err == nil && n > 0 {
			tx.topics = append(tx.topics, TopicApps, TopicRoutes, AppTopic(a.ID))
		}
		return err
	})
}

// DeleteApp removes an app and all that hangs on it, except for the audit log; packages are left to PrunePackages.
// NotFound when there is none of that name.
func (db *DB) DeleteApp(ctx context.Context, name string) error {
	return db.write(ctx, "delete app "+name, func(tx *Tx) error {
		a, err := tx.appByName(ctx, name)
		if err != nil {
			return err
		}
		if err := tx.keepGeneration(ctx, a.ID); err != nil {
			return err
		}
		if err := tx.keepRevision(ctx, a); err != nil {
			return err
		}
		tx.topics = append(tx.topics, TopicApps, TopicRoutes, AppTopic(a.ID))
		return tx.change(ctx, "DELETE FROM apps WHERE id = @id", p("id", a.ID))
	})
}

// keepGeneration raises the floor for routes of later apps; see insertAppParts.
func (tx *Tx) keepGeneration(ctx context.Context, appID string) error {
	generation, err := tx.int(ctx, "SELECT generation FROM routes WHERE app_id = @id", p("id", appID))
	if err != nil {
		return err
	}
	floor, err := tx.counter(ctx, counterGeneration)
	if err != nil || floor >= generation {
		return err
	}
	return tx.setCounter(ctx, counterGeneration, generation)
}

// keepRevision makes a later app of the same name go on counting: jobs and instances are called by name and revision,
// so an instance of the deleted app that has not ended yet would be taken for one of the new app's, run its old
// content for it and read its settings.
func (tx *Tx) keepRevision(ctx context.Context, a App) error {
	last, err := tx.int(ctx, "SELECT last_revision FROM apps WHERE id = @id", p("id", a.ID))
	if err != nil || last == 0 {
		return err
	}
	return tx.setCounter(ctx, counterRevision(a.Name), last)
}

// lockApp is the first statement of every transaction that reads an app's state and decides by it: an update without
// a change holds the row to the end of the transaction on every database, without lock hints.
func (tx *Tx) lockApp(ctx context.Context, id string) error {
	err := tx.change(ctx, "UPDATE apps SET version = version WHERE id = @id", p("id", id))
	return orNotFound(err, "there is no app with the id %q", id)
}

// The counters: the last UID given, and the highest route generation of a deleted app.
const (
	counterUID        = "uid"
	counterGeneration = "generation"
)

// counterRevision counts the revisions of the deleted apps of a name.
func counterRevision(app string) string { return "revision/" + key(app) }

// next raises a counter by one; a new counter begins at base.
func (tx *Tx) next(ctx context.Context, name string, base int64) (int64, error) {
	n, err := tx.exec(ctx, "UPDATE counters SET value = value + 1 WHERE name = @name", p("name", name))
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return base, tx.setCounter(ctx, name, base)
	}
	return tx.counter(ctx, name)
}

// counter is 0 when it was never set.
func (tx *Tx) counter(ctx context.Context, name string) (int64, error) {
	n, err := tx.int(ctx, "SELECT value FROM counters WHERE name = @name", p("name", name))
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

func (tx *Tx) setCounter(ctx context.Context, name string, value int64) error {
	n, err := tx.exec(ctx, "UPDATE counters SET value = @value WHERE name = @name", p("name", name), p("value", value))
	if err != nil || n > 0 {
		return err
	}
	_, err = tx.exec(ctx, "INSERT INTO counters (name, value) VALUES (@name, @value)", p("name", name), p("value", value))
	return err
}
