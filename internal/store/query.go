package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// timeLayout is UTC with six digits and a fixed width, so that comparing text compares times. SQL Server converts it
// to DATETIME2(6) by itself, whose range also begins with Go's zero time.
const timeLayout = "2006-01-02T15:04:05.000000Z"

// endOfTime is later than every time that is ever stored; newest-first listings begin below it.
const endOfTime = "9999-12-31T23:59:59.999999Z"

// row is what a scan function reads: *sql.Row or *sql.Rows.
type row interface {
	Scan(dest ...any) error
}

// p is a named parameter. Times are given as fixed-width text, documents as text.
func p(name string, value any) any {
	switch v := value.(type) {
	case time.Time:
		value = formatTime(v)
	case json.RawMessage:
		value = string(v)
	}
	return sql.Named(name, value)
}

func formatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// timeInto scans a time written by p; SQL Server's driver answers with a time.Time.
type timeInto struct{ to *time.Time }

// Scan implements sql.Scanner.
func (t timeInto) Scan(src any) error {
	switch v := src.(type) {
	case time.Time:
		*t.to = v.UTC()
		return nil
	case string:
		parsed, err := time.Parse(timeLayout, v)
		if err != nil {
			return fmt.Errorf("read a time: %w", err)
		}
		*t.to = parsed
		return nil
	}
	return fmt.Errorf("read a time from a %T", src)
}

// exec returns the number of rows that the statement changed.
func (tx *Tx) exec(ctx context.Context, query string, params ...any) (int64, error) {
	result, err := tx.sql.ExecContext(ctx, query, params...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// change is exec for statements that must meet a row: without one it returns sql.ErrNoRows.
func (tx *Tx) change(ctx context.Context, query string, params ...any) error {
	n, err := tx.exec(ctx, query, params...)
	if err == nil && n == 0 {
		return sql.ErrNoRows
	}
	return err
}

// int reads one number.
func (tx *Tx) int(ctx context.Context, query string, params ...any) (n int64, err error) {
	err = tx.sql.QueryRowContext(ctx, query, params...).Scan(&n)
	return n, err
}

// one reads one row; sql.ErrNoRows when there is none.
func one[T any](ctx context.Context, tx *Tx, scan func(row) (T, error), query string, params ...any) (T, error) {
	return scan(tx.sql.QueryRowContext(ctx, query, params...))
}

// list reads all rows.
func list[T any](ctx context.Context, tx *Tx, scan func(row) (T, error), query string, params ...any) ([]T, error) {
	rows, err := tx.sql.QueryContext(ctx, query, params...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // its error is also rows.Err
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// orNotFound gives a missing row its code and a message that names the thing.
func orNotFound(err error, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return azfunc.Errorf(azfunc.NotFound, format, args...)
	}
	return err
}

// orAppGone does the same for a row that hangs on an app which is not there any more.
func (tx *Tx) orAppGone(err error, appID string) error {
	if err != nil && tx.db.cfg.Dialect.Orphan(err) {
		return azfunc.Errorf(azfunc.NotFound, "there is no app with the id %q", appID)
	}
	return err
}

// key is how names that compare without case are kept and looked up. ASCII only, as all our names are.
func key(name string) string { return strings.ToLower(name) }

// document makes a JSON text of a value, with "{}" or "[]" chosen by the caller for nothing.
func document(v any, empty string) (string, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	if string(raw) == "null" {
		return empty, nil
	}
	return string(raw), nil
}
