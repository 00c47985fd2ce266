package store

import (
	"context"
	"time"
)

// PruneRecords forgets invocations and log lines from before a time, and of each app all but its newest perApp of each
// (0 = no such bound), and claimed occurrences from before the time except for each timer's last. It returns how many
// rows went. Each app is its own transaction.
func (db *DB) PruneRecords(ctx context.Context, before time.Time, perApp int) (removed int64, err error) {
	apps, err := db.appIDs(ctx)
	if err != nil {
		return 0, err
	}
	for _, id := range apps {
		var gone int64
		err := db.write(ctx, "prune the records of app "+id, func(tx *Tx) error {
			gone, err = tx.pruneApp(ctx, id, before, perApp)
			return err
		})
		if err != nil {
			return removed, err
		}
		removed += gone
	}
	return removed, nil
}

func (db *DB) appIDs(ctx context.Context) (ids []string, err error) {
	err = db.read(ctx, "list apps", func(tx *Tx) error {
		ids, err = list(ctx, tx, scanText, "SELECT id FROM apps ORDER BY id")
		return err
	})
	return ids, err
}

func (tx *Tx) pruneApp(ctx context.Context, appID string, before time.Time, perApp int) (removed int64, err error) {
	for _, table := range []struct{ name, at string }{{"invocations", "started_at"}, {"app_logs", "at"}} {
		n, err := tx.pruneTable(ctx, table.name, table.at, appID, before, perApp)
		if err != nil {
			return 0, err
		}
		removed += n
	}
	n, err := tx.exec(ctx, `DELETE FROM occurrences WHERE app_id = @app AND due < @before AND due <
		(SELECT MAX(l.due) FROM occurrences l WHERE l.app_id = @app AND l.function_key = occurrences.function_key)`,
		p("app", appID), p("before", before))
	return removed + n, err
}

// pruneTable removes rows up to the one that stands perApp rows below the newest.
func (tx *Tx) pruneTable(ctx context.Context, table, at, appID string, before time.Time, perApp int) (int64, error) {
	removed, err := tx.exec(ctx, "DELETE FROM "+table+" WHERE app_id = @app AND "+at+" < @before", p("app", appID), p("before", before))
	if err != nil || perApp <= 0 {
		return removed, err
	}
	type position struct{ at, id string }
	last, err := list(ctx, tx, func(r row) (pos position, err error) {
		var t time.Time
		err = r.Scan(timeInto{&t}, &pos.id)
		pos.at = formatTime(t)
		return pos, err
	}, "SELECT "+at+", id FROM "+table+" WHERE app_id = @app ORDER BY "+at+" DESC, id DESC "+tx.db.cfg.Dialect.Page,
		p("app", appID), p("skip", perApp), p("take", 1))
	if err != nil || len(last) == 0 {
		return removed, err
	}
	n, err := tx.exec(ctx, "DELETE FROM "+table+" WHERE app_id = @app AND ("+at+" < @at OR ("+at+" = @at AND id <= @id))",
		p("app", appID), p("at", last[0].at), p("id", last[0].id))
	return removed + n, err
}
