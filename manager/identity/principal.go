package identity

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// Kind is what sort of caller a principal is.
type Kind string

// The kinds of principals.
const (
	KindAnonymous Kind = "anonymous"
	KindUser      Kind = "user"
	KindPublisher Kind = "publisher" // an app's publishing credentials
)

// Principal is who asks. The zero value is nobody: it may do nothing.
type Principal struct {
	ID      string // the user's; empty for others
	Name    string
	Kind    Kind
	App     string // only for a publisher: the one app it may publish
	Address string // where the request came from, for the audit
}

// The outcomes in the audit.
const (
	OutcomeAllowed = "allowed" // done
	OutcomeRefused = "refused" // not allowed, or not signed in
	OutcomeFailed  = "failed"  // allowed, but it did not work
)

// Event is what a row of the audit tells of an action, besides who and when.
type Event struct {
	Action  string
	Scope   string
	Outcome string
	Detail  string // names only, never a value
}

// AuditWriter appends to the audit.
type AuditWriter interface {
	AppendAudit(ctx context.Context, entry store.AuditEntry) error
}

// Record appends a row to the audit, with the request id of ctx.
func (s *Service) Record(ctx context.Context, p Principal, e Event) error {
	if err := s.store.AppendAudit(ctx, entryOf(ctx, p, e)); err != nil {
		return fmt.Errorf("record %q in the audit: %w", e.Action, err)
	}
	return nil
}

func entryOf(ctx context.Context, p Principal, e Event) store.AuditEntry {
	name := p.Name
	if name == "" {
		name = string(KindAnonymous)
	}
	return store.AuditEntry{
		Principal: bounded(name, maxAuditName), Action: e.Action, Scope: CleanScope(e.Scope), Outcome: e.Outcome,
		Detail: bounded(e.Detail, maxAuditDetail), ClientIP: p.Address, RequestID: httpserver.RequestIDFrom(ctx),
	}
}

// note is Record where the answer is a refusal anyway: a row that cannot be written goes to the log.
func (s *Service) note(ctx context.Context, p Principal, e Event) {
	if err := s.Record(ctx, p, e); err != nil {
		s.log.Error().Err(err).Str("action", e.Action).Str("scope", e.Scope).Msg("audit row not written")
	}
}

// The bounds of what a stranger can make us write into one row.
const (
	maxAuditName   = 256
	maxAuditDetail = 4000
)

func bounded(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit-3] + "..."
}

// addressOf returns the caller's IP address. Forwarding headers are not asked: anybody can send them.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// fromLoopback reports whether the request came from this machine.
func fromLoopback(r *http.Request) bool {
	ip := net.ParseIP(addressOf(r))
	return ip != nil && ip.IsLoopback()
}
