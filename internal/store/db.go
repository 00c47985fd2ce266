package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// attempts bounds how often a transaction is run again after a transient error, and retryPause how long the first
// pause may be; the longest doubles each time, so the last is at most 160 ms.
const (
	attempts   = 5
	retryPause = 10 * time.Millisecond
)

// DB is the store. It is safe for concurrent use.
type DB struct {
	// Now is the clock, time.Now when nil. Set it before the first use only.
	Now func() time.Time

	cfg     Config
	changes *changes
}

// New makes a store of an opened and migrated database. It owns the two connections' pools: Close closes them.
func New(cfg Config) *DB {
	if cfg.UIDBase == 0 {
		cfg.UIDBase = DefaultUIDBase
	}
	return &DB{cfg: cfg, changes: newChanges()}
}

// Close ends all connections and gives up the database. Transactions under way end first.
func (db *DB) Close() error {
	err := errors.Join(db.cfg.Reader.Close(), db.cfg.Writer.Close())
	if db.cfg.Close != nil {
		err = errors.Join(err, db.cfg.Close())
	}
	return err
}

// Ping reports whether the database answers: nil, or an Unavailable error that says why not.
func (db *DB) Ping(ctx context.Context) error {
	return db.read(ctx, "ask the database", func(tx *Tx) error {
		_, err := tx.int(ctx, "SELECT epoch FROM leadership WHERE id = 1")
		return err
	})
}

// Tx is one transaction. It has one now, so that everything it writes carries the same time.
type Tx struct {
	sql    *sql.Tx
	db     *DB
	now    time.Time
	topics []string
}

// write runs fn in a transaction that is committed when fn returns nil. fn may run several times (after a deadlock,
// say), so it overwrites its results. doing says what is done on what, for errors.
func (db *DB) write(ctx context.Context, doing string, fn func(*Tx) error) error {
	var err error
	for attempt := range attempts {
		if err = db.writeOnce(ctx, fn); err == nil || !db.cfg.Dialect.Transient(err) {
			break
		}
		if !pause(ctx, rand.N(retryPause<<attempt)) {
			break
		}
	}
	return db.explain(doing, err)
}

func (db *DB) writeOnce(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.begin(ctx, db.cfg.Writer, &db.cfg.Dialect.Write)
	if err != nil {
		return err
	}
	defer func() { _ = tx.sql.Rollback() }() // after a commit it does nothing
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.sql.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	// Only now is the change visible to whoever is woken.
	db.changes.bump(tx.topics)
	return nil
}

// read runs fn in a transaction that sees one state of the database and writes nothing.
func (db *DB) read(ctx context.Context, doing string, fn func(*Tx) error) error {
	tx, err := db.begin(ctx, db.cfg.Reader, &db.cfg.Dialect.Read)
	if err != nil {
		return db.explain(doing, err)
	}
	defer func() { _ = tx.sql.Rollback() }()
	return db.explain(doing, fn(tx))
}

func (db *DB) begin(ctx context.Context, pool *sql.DB, opts *sql.TxOptions) (*Tx, error) {
	inner, err := pool.BeginTx(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	return &Tx{sql: inner, db: db, now: db.now()}, nil
}

func (db *DB) now() time.Time {
	clock := db.Now
	if clock == nil {
		clock = time.Now
	}
	return clock().UTC().Truncate(time.Microsecond)
}

// explain leaves errors that have a code alone, lets the dialect name the database's own troubles, and says of all
// others what was being done.
func (db *DB) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*azfunc.Error](err); ok {
		return err
	}
	if db.cfg.Dialect.Transient(err) {
		return azfunc.Errorf(azfunc.Unavailable, "%s: the database is busy, try again: %w", doing, err)
	}
	if known := db.cfg.Dialect.Explain(err); known != nil {
		return known
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// pause reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
