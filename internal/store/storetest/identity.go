package storetest

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

func testUsers(t *testing.T, w world) {
	ctx := t.Context()
	ann, err := w.db.CreateUser(ctx, store.User{Name: "Ann", PasswordHash: "h1"})
	w.ok(err)
	_, err = w.db.CreateUser(ctx, store.User{Name: "aNN"})
	w.code(err, azfunc.Conflict)
	_, err = w.db.CreateUser(ctx, store.User{})
	w.code(err, azfunc.Invalid)

	found, err := w.db.UserByName(ctx, "ANN")
	w.ok(err)
	w.same(ann, found)
	w.ok(w.db.SetUserPassword(ctx, ann.ID, "h2"))
	w.ok(w.db.SetUserDisabled(ctx, ann.ID, true))
	found, err = w.db.UserByID(ctx, ann.ID)
	w.ok(err)
	ann.PasswordHash, ann.Disabled = "h2", true
	w.same(ann, found)

	_, err = w.db.AssignRole(ctx, store.RoleAssignment{PrincipalID: ann.ID, Role: "Owner", Scope: "/"})
	w.ok(err)
	w.ok(w.db.DeleteUser(ctx, ann.ID))
	n, err := w.db.CountUsers(ctx)
	w.ok(err)
	w.same(int64(0), n)
	roles, err := w.db.RoleAssignments(ctx, ann.ID)
	w.ok(err)
	w.same(0, len(roles))

	_, err = w.db.UserByName(ctx, "ann")
	w.code(err, azfunc.NotFound)
	_, err = w.db.UserByID(ctx, ann.ID)
	w.code(err, azfunc.NotFound)
	w.code(w.db.SetUserPassword(ctx, ann.ID, ""), azfunc.NotFound)
	w.code(w.db.SetUserDisabled(ctx, ann.ID, true), azfunc.NotFound)
	w.code(w.db.DeleteUser(ctx, ann.ID), azfunc.NotFound)
}

func testRoles(t *testing.T, w world) {
	ctx := t.Context()
	assign := func(principal, role, scope string) store.RoleAssignment {
		t.Helper()
		a, err := w.db.AssignRole(ctx, store.RoleAssignment{PrincipalID: principal, Role: role, Scope: scope})
		w.ok(err)
		return a
	}
	reader := assign("ann", "Reader", "/Subscriptions/A/")
	owner := assign("ann", "Owner", "/subscriptions/ab")
	platform := assign("bob", "PlatformAdministrator", "")
	deeper := assign("bob", "Reader", "/subscriptions/a/resourcegroups/x")
	w.same([]string{"/subscriptions/a", "/"}, []string{reader.Scope, platform.Scope})
	_, err := w.db.AssignRole(ctx, store.RoleAssignment{PrincipalID: "ann", Role: "Reader", Scope: "/subscriptions/a"})
	w.code(err, azfunc.Conflict)
	_, err = w.db.AssignRole(ctx, store.RoleAssignment{Role: "Reader"})
	w.code(err, azfunc.Invalid)

	of, err := w.db.RoleAssignments(ctx, "ann")
	w.ok(err)
	w.same([]store.RoleAssignment{reader, owner}, of)
	for scope, want := range map[string][]store.RoleAssignment{
		"/":                {reader, owner, platform, deeper},
		"/SUBSCRIPTIONS/a": {reader, deeper}, // and not .../ab
		"/subscriptions/b": nil,
	} {
		got := all(w, 1, func(p store.Page) ([]store.RoleAssignment, string, error) {
			return w.db.RoleAssignmentsUnder(ctx, scope, p)
		})
		w.same(byID(want), byID(got))
	}

	w.ok(w.db.RemoveRole(ctx, reader.ID))
	w.code(w.db.RemoveRole(ctx, reader.ID), azfunc.NotFound)
}

func byID(all []store.RoleAssignment) map[string]store.RoleAssignment {
	m := map[string]store.RoleAssignment{}
	for _, a := range all {
		m[a.ID] = a
	}
	return m
}

func testAudit(t *testing.T, w world) {
	ctx := t.Context()
	w.setClock(noon())
	for i, scope := range []string{"/subscriptions/a", "/subscriptions/a/b", "/subscriptions/a0", "/subscriptions/A_", ""} {
		w.ok(w.db.AppendAudit(ctx, store.AuditEntry{
			Principal: "ann", Action: fmt.Sprint(i), Scope: scope, Outcome: "allowed", Detail: "d", ClientIP: "ip", RequestID: "r",
		}))
	}
	actions := func(scope string) string {
		text := ""
		for _, e := range all(w, 2, func(p store.Page) ([]store.AuditEntry, string, error) { return w.db.Audit(ctx, scope, p) }) {
			text += e.Action
		}
		return text
	}
	w.same("43210", actions("/"))
	w.same("10", actions("/subscriptions/A/"))
	first, _, err := w.db.Audit(ctx, "/subscriptions/a/b", store.Page{})
	w.ok(err)
	w.same([]store.AuditEntry{{
		At: noon(), Principal: "ann", Action: "1", Scope: "/subscriptions/a/b", Outcome: "allowed", Detail: "d", ClientIP: "ip", RequestID: "r",
	}}, first, cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "ID" }, cmp.Ignore()))
}
