package store

import (
	"context"
	"math"
	"strconv"
)

func scanAudit(r row) (AuditEntry, error) {
	var e AuditEntry
	err := r.Scan(&e.ID, timeInto{&e.At}, &e.Principal, &e.Action, &e.Scope, &e.Outcome, &e.Detail, &e.ClientIP, &e.RequestID)
	return e, err
}

// AppendAudit adds an entry; its id is given here, and its time when it has none. The scope is kept clean (see
// CleanScope). The caller has masked what is secret.
func (db *DB) AppendAudit(ctx context.Context, e AuditEntry) error {
	return db.write(ctx, "write the audit log", func(tx *Tx) error {
		if e.At.IsZero() {
			e.At = tx.now
		}
		_, err := tx.exec(ctx, `INSERT INTO audit (at, principal, action, scope, outcome, detail, client_ip, request_id)
			VALUES (@at, @principal, @action, @scope, @outcome, @detail, @ip, @request)`,
			p("at", e.At), p("principal", e.Principal), p("action", e.Action), p("scope", CleanScope(e.Scope)),
			p("outcome", e.Outcome), p("detail", e.Detail), p("ip", e.ClientIP), p("request", e.RequestID))
		return err
	})
}

// Audit lists the entries on a scope and below it, newest first; "/" is everything.
func (db *DB) Audit(ctx context.Context, scope string, page Page) (entries []AuditEntry, next string, err error) {
	before, err := page.number(math.MaxInt64)
	if err != nil {
		return nil, "", err
	}
	where, params := underScope(scope)
	err = db.read(ctx, "read the audit log", func(tx *Tx) error {
		entries, next, err = paged(ctx, tx, page, scanAudit,
			func(e AuditEntry) string { return token(strconv.FormatInt(e.ID, 10)) },
			`SELECT id, at, principal, action, scope, outcome, detail, client_ip, request_id FROM audit
			WHERE id < @before AND `+where+" ORDER BY id DESC", append(params, p("before", before))...)
		return err
	})
	return entries, next, err
}
