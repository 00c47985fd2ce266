package store

import (
	"context"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// TakeLease gives a named lock of an app to owner for ttl: when it is free, when its time is over, or when owner has
// it already (which renews it). Conflict while somebody else holds it, NotFound when there is no app with the id.
func (db *DB) TakeLease(ctx context.Context, appID, name, owner string, ttl time.Duration) error {
	return db.write(ctx, "take lease "+name, func(tx *Tx) error {
		params := leaseParams(appID, name, owner, tx.now, ttl)
		n, err := tx.exec(ctx, `UPDATE leases SET owner = @owner, expires_at = @expires
			WHERE app_id = @app AND name = @name AND (expires_at <= @now OR owner = @owner)`, params...)
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.exec(ctx, "INSERT INTO leases (app_id, name, owner, expires_at) VALUES (@app, @name, @owner, @expires)", params...)
		if err != nil && db.cfg.Dialect.Duplicate(err) {
			return azfunc.Errorf(azfunc.Conflict, "the lease %q is held by somebody else", name)
		}
		return tx.orAppGone(err, appID)
	})
}

// RenewLease extends a lease to ttl from now. Conflict when owner does not hold it any more: whoever let a lease run
// out must stop what it was doing, even if nobody else has taken it yet.
func (db *DB) RenewLease(ctx context.Context, appID, name, owner string, ttl time.Duration) error {
	return db.write(ctx, "renew lease "+name, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE leases SET expires_at = @expires
			WHERE app_id = @app AND name = @name AND owner = @owner AND expires_at > @now`,
			leaseParams(appID, name, owner, tx.now, ttl)...)
		if err == nil && n == 0 {
			return azfunc.Errorf(azfunc.Conflict, "the lease %q is lost; take it again", name)
		}
		return err
	})
}

// ReleaseLease gives a lease back. A lease that owner does not hold is left alone, without an error.
func (db *DB) ReleaseLease(ctx context.Context, appID, name, owner string) error {
	return db.write(ctx, "release lease "+name, func(tx *Tx) error {
		_, err := tx.exec(ctx, "DELETE FROM leases WHERE app_id = @app AND name = @name AND owner = @owner",
			p("app", appID), p("name", name), p("owner", owner))
		return err
	})
}

func leaseParams(appID, name, owner string, now time.Time, ttl time.Duration) []any {
	return []any{p("app", appID), p("name", name), p("owner", owner), p("now", now), p("expires", now.Add(ttl))}
}
