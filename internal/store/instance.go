package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const instanceColumns = "SELECT id, app_id, revision, state, report, created_at, seen_at FROM instances "

func scanInstance(r row) (Instance, error) {
	var i Instance
	err := r.Scan(&i.ID, &i.AppID, &i.Revision, &i.State, (*[]byte)(&i.Report), timeInto{&i.CreatedAt}, timeInto{&i.SeenAt})
	return i, err
}

// PutInstance keeps the last report of an instance; SeenAt is now. A change of its state is a change of TopicApps.
// NotFound when its app is gone, Conflict when the id is one of another app's instance.
func (db *DB) PutInstance(ctx context.Context, i Instance) error {
	if len(i.Report) == 0 {
		i.Report = json.RawMessage("{}")
	}
	return db.write(ctx, "put instance "+i.ID, func(tx *Tx) error {
		params := []any{
			p("id", i.ID), p("app", i.AppID), p("revision", i.Revision), p("state", i.State), p("report", i.Report), p("now", tx.now),
		}
		tx.topics = append(tx.topics, AppTopic(i.AppID))
		// Rollouts wait for instances to become ready or to fail, not for every heartbeat.
		same, err := tx.int(ctx, "SELECT COUNT(*) FROM instances WHERE id = @id AND state = @state", p("id", i.ID), p("state", i.State))
		if err != nil {
			return err
		}
		if same == 0 {
			tx.topics = append(tx.topics, TopicApps)
		}
		n, err := tx.exec(ctx, `UPDATE instances SET revision = @revision, state = @state, report = @report, seen_at = @now
			WHERE id = @id AND app_id = @app`, params...)
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO instances (id, app_id, revision, state, report, created_at, seen_at)
			VALUES (@id, @app, @revision, @state, @report, @now, @now)`, params...)
		if err != nil && db.cfg.Dialect.Duplicate(err) {
			return azfunc.Errorf(azfunc.Conflict, "the instance %q belongs to another app", i.ID)
		}
		return tx.orAppGone(err, i.AppID)
	})
}

// Instances are the last reports of an app's instances, by id. Those that ended are among them until DeleteInstances.
func (db *DB) Instances(ctx context.Context, appID string) (all []Instance, err error) {
	err = db.read(ctx, "list instances", func(tx *Tx) error {
		all, err = list(ctx, tx, scanInstance, instanceColumns+"WHERE app_id = @app ORDER BY id", p("app", appID))
		return err
	})
	return all, err
}

// Instance finds an instance's last report; NotFound when it never reported.
func (db *DB) Instance(ctx context.Context, id string) (i Instance, err error) {
	err = db.read(ctx, "read instance "+id, func(tx *Tx) error {
		i, err = one(ctx, tx, scanInstance, instanceColumns+"WHERE id = @id", p("id", id))
		return orNotFound(err, "the instance %q has not reported", id)
	})
	return i, err
}

// DeleteInstances forgets the instances that were last seen before the given time and returns how many.
func (db *DB) DeleteInstances(ctx context.Context, seenBefore time.Time) (removed int64, err error) {
	err = db.write(ctx, "forget old instances", func(tx *Tx) error {
		removed, err = tx.exec(ctx, "DELETE FROM instances WHERE seen_at < @before", p("before", seenBefore))
		return err
	})
	return removed, err
}

// PutTriggers keeps what the host indexed in a revision. NotFound when there is no such revision.
func (db *DB) PutTriggers(ctx context.Context, appID string, revision int64, document json.RawMessage) error {
	return db.write(ctx, "put the triggers of a revision", func(tx *Tx) error {
		params := []any{p("app", appID), p("revision", revision), p("document", document), p("now", tx.now)}
		tx.topics = append(tx.topics, AppTopic(appID))
		n, err := tx.exec(ctx, `UPDATE triggers SET document = @document, updated_at = @now
			WHERE app_id = @app AND revision = @revision`, params...)
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO triggers (app_id, revision, document, updated_at)
			VALUES (@app, @revision, @document, @now)`, params...)
		if err != nil && db.cfg.Dialect.Orphan(err) {
			return azfunc.Errorf(azfunc.NotFound, "there is no revision %d of this app", revision)
		}
		return err
	})
}

// Triggers returns what PutTriggers kept; NotFound when the revision's host has not said yet.
func (db *DB) Triggers(ctx context.Context, appID string, revision int64) (document json.RawMessage, err error) {
	err = db.read(ctx, "read the triggers of a revision", func(tx *Tx) error {
		err := tx.sql.QueryRowContext(ctx, "SELECT document FROM triggers WHERE app_id = @app AND revision = @revision",
			p("app", appID), p("revision", revision)).Scan((*[]byte)(&document))
		return orNotFound(err, "the host has not yet said which functions revision %d of this app has", revision)
	})
	return document, err
}
