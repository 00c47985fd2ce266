package store

import (
	"context"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// ClaimOccurrence gives one due time of a timer to one instance, once and for all: a second claim is a Conflict, even
// from the same instance, because a restarted instance keeps its id and may have fired already. NotFound when there is
// no app with the id.
func (db *DB) ClaimOccurrence(ctx context.Context, appID, function string, due time.Time, instanceID string) error {
	return db.write(ctx, "claim an occurrence of "+function, func(tx *Tx) error {
		_, err := tx.exec(ctx, `INSERT INTO occurrences (app_id, function_key, due, instance_id, claimed_at)
			VALUES (@app, @function, @due, @instance, @now)`,
			p("app", appID), p("function", key(function)), p("due", due), p("instance", instanceID), p("now", tx.now))
		if err != nil && db.cfg.Dialect.Duplicate(err) {
			return azfunc.Errorf(azfunc.Conflict, "the occurrence of %q at %s is claimed already", function, formatTime(due))
		}
		return tx.orAppGone(err, appID)
	})
}

// LastOccurrence is the latest due time of a timer that was ever claimed; the zero time when none was.
func (db *DB) LastOccurrence(ctx context.Context, appID, function string) (due time.Time, err error) {
	err = db.read(ctx, "read the last occurrence of "+function, func(tx *Tx) error {
		found, err := list(ctx, tx, scanTime, `SELECT due FROM occurrences WHERE app_id = @app AND function_key = @function
			ORDER BY due DESC `+db.cfg.Dialect.Page, p("app", appID), p("function", key(function)), p("skip", 0), p("take", 1))
		due = time.Time{}
		if len(found) > 0 {
			due = found[0]
		}
		return err
	})
	return due, err
}

func scanTime(r row) (t time.Time, err error) {
	err = r.Scan(timeInto{&t})
	return t, err
}
