package hostapi

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nightshift-functions/nightshift/internal/store"
)

// Store is what the link reads and writes; *store.DB is one.
type Store interface {
	Revisions
	Watcher
	Packages
	Records
	Claims
}

// Claims are what only one instance may have.
type Claims interface {
	Occurrences
	Leases
}

// Revisions says what an instance runs.
type Revisions interface {
	App(ctx context.Context, name string) (store.App, error)
	AppByID(ctx context.Context, id string) (store.App, error)
	Revision(ctx context.Context, appID string, number int64) (store.Revision, error)
	Revisions(ctx context.Context, appID string, liveOnly bool) ([]store.Revision, error)
	Keys(ctx context.Context, appID string) ([]store.Key, error)
}

// Watcher waits for changes instead of polling.
type Watcher interface {
	Version(topic string) uint64
	Wait(ctx context.Context, topic string, after uint64) (uint64, error)
}

// Packages holds content by its SHA-256.
type Packages interface {
	OpenPackage(ctx context.Context, digest string) (*store.PackageReader, error)
}

// Records keeps what instances tell.
type Records interface {
	PutInstance(ctx context.Context, i store.Instance) error
	PutTriggers(ctx context.Context, appID string, revision int64, document json.RawMessage) error
	AddInvocations(ctx context.Context, all []store.Invocation) error
	AddLogs(ctx context.Context, lines []store.AppLog) error
}

// Occurrences gives each due time of a timer away once.
type Occurrences interface {
	ClaimOccurrence(ctx context.Context, appID, function string, due time.Time, claimant string) error
	LastOccurrence(ctx context.Context, appID, function string) (time.Time, error)
}

// Leases are singleton locks, per app.
type Leases interface {
	TakeLease(ctx context.Context, appID, name, owner string, ttl time.Duration) error
	RenewLease(ctx context.Context, appID, name, owner string, ttl time.Duration) error
	ReleaseLease(ctx context.Context, appID, name, owner string) error
}
