package store

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const roleColumns = "SELECT id, principal_id, role, scope, created_at FROM role_assignments "

func scanRole(r row) (RoleAssignment, error) {
	var a RoleAssignment
	err := r.Scan(&a.ID, &a.PrincipalID, &a.Role, &a.Scope, timeInto{&a.CreatedAt})
	return a, err
}

// CleanScope is a scope as it is stored and compared: lower case, no trailing slash except for "/" itself.
func CleanScope(scope string) string {
	return "/" + strings.Trim(strings.ToLower(scope), "/")
}

// AssignRole gives a principal a role and returns the assignment with its id (a new one when empty), clean scope and
// time. The same role on the same scope twice is a Conflict, as in ARM (RoleAssignmentExists).
func (db *DB) AssignRole(ctx context.Context, a RoleAssignment) (RoleAssignment, error) {
	if a.PrincipalID == "" || a.Role == "" {
		return RoleAssignment{}, azfunc.Errorf(azfunc.Invalid, "a role assignment needs a principal and a role")
	}
	if a.ID == "" {
		a.ID = uuid.NewString()
	}
	a.Scope = CleanScope(a.Scope)
	err := db.write(ctx, "assign role "+a.Role, func(tx *Tx) error {
		a.CreatedAt = tx.now
		_, err := tx.exec(ctx, `INSERT INTO role_assignments (id, principal_id, role, scope, created_at)
			VALUES (@id, @principal, @role, @scope, @now)`,
			p("id", a.ID), p("principal", a.PrincipalID), p("role", a.Role), p("scope", a.Scope), p("now", tx.now))
		if err != nil && db.cfg.Dialect.Duplicate(err) {
			return azfunc.Errorf(azfunc.Conflict, "the principal has the role %s on %s already", a.Role, a.Scope)
		}
		return err
	})
	return a, err
}

// RemoveRole takes a role assignment back; NotFound when there is none with the id.
func (db *DB) RemoveRole(ctx context.Context, id string) error {
	return db.write(ctx, "remove role assignment "+id, func(tx *Tx) error {
		err := tx.change(ctx, "DELETE FROM role_assignments WHERE id = @id", p("id", id))
		return orNotFound(err, "there is no role assignment with the id %q", id)
	})
}

// RoleAssignments are all roles of one principal, by scope.
func (db *DB) RoleAssignments(ctx context.Context, principalID string) (all []RoleAssignment, err error) {
	err = db.read(ctx, "read the roles of "+principalID, func(tx *Tx) error {
		all, err = list(ctx, tx, scanRole, roleColumns+"WHERE principal_id = @id ORDER BY scope, role", p("id", principalID))
		return err
	})
	return all, err
}

// RoleAssignmentsUnder lists everybody's roles on a scope and below it, by id.
func (db *DB) RoleAssignmentsUnder(ctx context.Context, scope string, page Page) (all []RoleAssignment, next string, err error) {
	after, err := page.parts("")
	if err != nil {
		return nil, "", err
	}
	where, params := underScope(scope)
	err = db.read(ctx, "list role assignments", func(tx *Tx) error {
		all, next, err = paged(ctx, tx, page, scanRole, func(a RoleAssignment) string { return token(a.ID) },
			roleColumns+"WHERE id > @after AND "+where+" ORDER BY id", append(params, p("after", after[0]))...)
		return err
	})
	return all, next, err
}

// underScope is the condition for a scope and everything below it. It compares ranges of bytes instead of LIKE, whose
// case and wildcards differ between databases: below "/a" is from "/a/" to before "/a0", because '0' follows '/'.
func underScope(scope string) (string, []any) {
	clean := CleanScope(scope)
	if clean == "/" {
		return "1 = 1", nil
	}
	return "(scope = @scope OR (scope >= @from AND scope < @before))",
		[]any{p("scope", clean), p("from", clean+"/"), p("before", clean+"0")}
}
