package store

import (
	"context"
	"encoding/json"
)

// AddInvocations keeps finished invocations; an id that the app has already is passed over, because workers send
// at least once. NotFound when an app is gone.
func (db *DB) AddInvocations(ctx context.Context, all []Invocation) error {
	return db.write(ctx, "keep invocations", func(tx *Tx) error {
		for _, i := range all {
			if err := tx.addInvocation(ctx, i); err != nil {
				return tx.orAppGone(err, i.AppID)
			}
		}
		return nil
	})
}

func (tx *Tx) addInvocation(ctx context.Context, i Invocation) error {
	_, err := tx.exec(ctx, `INSERT INTO invocations (app_id, id, revision, function_name, function_key, started_at, duration_us, success, record)
		SELECT @app, @id, @revision, @function, @functionkey, @started, @duration, @success, @record
		WHERE NOT EXISTS (SELECT 1 FROM invocations WHERE app_id = @app AND id = @id)`,
		p("app", i.AppID), p("id", i.ID), p("revision", i.Revision), p("function", i.Function),
		p("functionkey", key(i.Function)), p("started", i.Started), p("duration", i.DurationUS),
		p("success", i.Success), p("record", orObject(i.Record)))
	return err
}

func orObject(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("{}")
	}
	return raw
}

func scanInvocation(r row) (Invocation, error) {
	var i Invocation
	err := r.Scan(&i.AppID, &i.ID, &i.Revision, &i.Function, timeInto{&i.Started}, &i.DurationUS, &i.Success, (*[]byte)(&i.Record))
	return i, err
}

// Invocations lists an app's invocations, newest first, of one function (without regard to case) or of all when it is empty.
func (db *DB) Invocations(ctx context.Context, appID, function string, page Page) (all []Invocation, next string, err error) {
	before, err := page.parts(endOfTime, "")
	if err != nil {
		return nil, "", err
	}
	where := "WHERE app_id = @app "
	if function != "" {
		where += "AND function_key = @function "
	}
	err = db.read(ctx, "list invocations", func(tx *Tx) error {
		all, next, err = paged(ctx, tx, page, scanInvocation,
			func(i Invocation) string { return token(formatTime(i.Started), i.ID) },
			`SELECT app_id, id, revision, function_name, started_at, duration_us, success, record FROM invocations `+where+
				`AND started_at <= @before AND (started_at < @before OR id < @id) ORDER BY started_at DESC, id DESC`,
			p("app", appID), p("function", key(function)), p("before", before[0]), p("id", before[1]))
		return err
	})
	return all, next, err
}

// AddLogs keeps log lines; an id that the app has already is passed over. NotFound when an app is gone.
func (db *DB) AddLogs(ctx context.Context, lines []AppLog) error {
	return db.write(ctx, "keep log lines", func(tx *Tx) error {
		for _, l := range lines {
			if err := tx.addLog(ctx, l); err != nil {
				return tx.orAppGone(err, l.AppID)
			}
		}
		return nil
	})
}

func (tx *Tx) addLog(ctx context.Context, l AppLog) error {
	_, err := tx.exec(ctx, `INSERT INTO app_logs (app_id, id, at, level, function_name, function_key, invocation_id, line)
		SELECT @app, @id, @at, @level, @function, @functionkey, @invocation, @line
		WHERE NOT EXISTS (SELECT 1 FROM app_logs WHERE app_id = @app AND id = @id)`,
		p("app", l.AppID), p("id", l.ID), p("at", l.At), p("level", l.Level), p("function", l.Function),
		p("functionkey", key(l.Function)), p("invocation", l.InvocationID), p("line", orObject(l.Line)))
	return err
}

func scanLog(r row) (AppLog, error) {
	var l AppLog
	err := r.Scan(&l.AppID, &l.ID, timeInto{&l.At}, &l.Level, &l.Function, &l.InvocationID, (*[]byte)(&l.Line))
	return l, err
}

// LogFilter narrows a listing of log lines; an empty field does not.
type LogFilter struct {
	Function     string // without regard to case
	InvocationID string
}

// Logs lists an app's log lines, newest first.
func (db *DB) Logs(ctx context.Context, appID string, filter LogFilter, page Page) (lines []AppLog, next string, err error) {
	before, err := page.parts(endOfTime, "")
	if err != nil {
		return nil, "", err
	}
	err = db.read(ctx, "list log lines", func(tx *Tx) error {
		lines, next, err = paged(ctx, tx, page, scanLog, func(l AppLog) string { return token(formatTime(l.At), l.ID) },
			`SELECT app_id, id, at, level, function_name, invocation_id, line FROM app_logs WHERE app_id = @app
			AND (@function = '' OR function_key = @function) AND (@invocation = '' OR invocation_id = @invocation)
			AND at <= @before AND (at < @before OR id < @id) ORDER BY at DESC, id DESC`,
			p("app", appID), p("function", key(filter.Function)), p("invocation", filter.InvocationID),
			p("before", before[0]), p("id", before[1]))
		return err
	})
	return lines, next, err
}
