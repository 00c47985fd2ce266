package store

import (
	"context"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// ClaimOccurrence gives one due time of a timer to one claimant, once and for all: anybody else's claim is a Conflict.
// A claimant may repeat its claim when it did not hear the answer, so it names one attempt to fire, not an instance: a
// restarted instance keeps its id and may have fired already. NotFound when there is no app with the id.
func (db *DB) ClaimOccurrence(ctx context.Context, appID, function string, due time.Time, claimant string) error {
	return db.write(ctx, "claim an occurrence of "+function, func(tx *Tx) error {
		params := []any{p("app", appID), p("function", key(function)), p("due", due), p("claimant", claimant)}
		mine, err := tx.int(ctx, `SELECT COUNT(*) FROM occurrences WHERE app_id = @app AND function_key = @function
			AND due = @due AND instance_id = @claimant`, params...)
		if err != nil || mine > 0 {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO occurrences (app_id, function_key, due, instance_id, claimed_at)
			VALUES (@app, @function, @due, @claimant, @now)`, append(params, p("now", tx.now))...)
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
