package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// More rows than one page may hold, in the order promised, none twice and none missing.
func testPages(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("pages")
	const n = 2100
	var logs []store.AppLog
	var invocations []store.Invocation
	for i := range n {
		// Three rows at a time share their moment, so that the id has to order them.
		at := noon().Add(time.Duration(i/3) * time.Second)
		logs = append(logs, store.AppLog{ID: fmt.Sprintf("%05d", i), AppID: a.ID, At: at})
		invocations = append(invocations, store.Invocation{ID: fmt.Sprintf("%05d", i), AppID: a.ID, Function: []string{"Even", "Odd"}[i%2], Started: at})
	}
	w.ok(w.db.AddLogs(ctx, logs))
	w.ok(w.db.AddInvocations(ctx, invocations))
	ordered := func(step int, ids []string) {
		t.Helper()
		var want []string
		for i := n - 1; i >= 0; i -= step {
			want = append(want, fmt.Sprintf("%05d", i))
		}
		w.same(want, ids)
	}
	ids := func(lines []store.AppLog) (ids []string) {
		for _, l := range lines {
			ids = append(ids, l.ID)
		}
		return ids
	}
	for _, limit := range []int{7, 1000} {
		ordered(1, ids(all(w, limit, func(p store.Page) ([]store.AppLog, string, error) {
			return w.db.Logs(ctx, a.ID, store.LogFilter{}, p)
		})))
	}
	var odd []string
	for _, i := range all(w, 99, func(p store.Page) ([]store.Invocation, string, error) { return w.db.Invocations(ctx, a.ID, "ODD", p) }) {
		odd = append(odd, i.ID)
	}
	ordered(2, odd)
	page, next, err := w.db.Logs(ctx, a.ID, store.LogFilter{}, store.Page{Limit: 5000})
	w.ok(err)
	w.same([]any{1000, true}, []any{len(page), next != ""})
	page, _, err = w.db.Logs(ctx, a.ID, store.LogFilter{}, store.Page{})
	w.ok(err)
	w.same(100, len(page))
	w.pagesOfUsers()
}

func (w world) pagesOfUsers() {
	w.t.Helper()
	var want, got []string
	for i := range 1010 {
		u, err := w.db.CreateUser(w.t.Context(), store.User{Name: fmt.Sprintf("User%04d", i)})
		w.ok(err)
		want = append(want, u.Name)
	}
	for _, u := range all(w, 1000, func(p store.Page) ([]store.User, string, error) { return w.db.Users(w.t.Context(), p) }) {
		got = append(got, u.Name)
	}
	w.same(want, got)
}

func testPageTokens(t *testing.T, w world) {
	for _, token := range []string{"%", "AAAA", "bm90IGEgbnVtYmVy", "YR9i"} {
		_, _, err := w.db.Audit(t.Context(), "/", store.Page{After: token})
		w.code(err, azfunc.Invalid)
	}
	_, _, err := w.db.Logs(t.Context(), "a", store.LogFilter{}, store.Page{After: "AAAA"})
	w.code(err, azfunc.Invalid)
}
