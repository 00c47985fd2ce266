package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

func testInstances(t *testing.T, w world) {
	ctx := t.Context()
	advance := w.setClock(noon())
	a, other := w.app("instances"), w.app("other")
	w.ok(w.db.PutInstance(ctx, store.Instance{ID: "i2", AppID: a.ID, Revision: 1, State: "starting"}))
	w.ok(w.db.PutInstance(ctx, store.Instance{ID: "i1", AppID: a.ID, Revision: 1, State: "standby"}))
	advance(time.Minute)
	w.ok(w.db.PutInstance(ctx, store.Instance{ID: "i2", AppID: a.ID, Revision: 1, State: "active", Report: []byte(`{"inFlight":3}`)}))
	w.code(w.db.PutInstance(ctx, store.Instance{ID: "i2", AppID: other.ID}), azfunc.Conflict)
	w.code(w.db.PutInstance(ctx, store.Instance{ID: "i3", AppID: "none"}), azfunc.NotFound)
	want := []store.Instance{
		{ID: "i1", AppID: a.ID, Revision: 1, State: "standby", Report: []byte("{}"), CreatedAt: noon(), SeenAt: noon()},
		{ID: "i2", AppID: a.ID, Revision: 1, State: "active", Report: []byte(`{"inFlight":3}`), CreatedAt: noon(), SeenAt: noon().Add(time.Minute)},
	}
	got, err := w.db.Instances(ctx, a.ID)
	w.ok(err)
	w.same(want, got)
	one, err := w.db.Instance(ctx, "i2")
	w.ok(err)
	w.same(want[1], one)
	removed, err := w.db.DeleteInstances(ctx, noon().Add(time.Second))
	w.ok(err)
	w.same(int64(1), removed)
	_, err = w.db.Instance(ctx, "i1")
	w.code(err, azfunc.NotFound)
}

func testTriggers(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("triggers")
	w.code(w.db.PutTriggers(ctx, a.ID, 1, []byte(`[]`)), azfunc.NotFound)
	w.publish(a.ID, 1)
	_, err := w.db.Triggers(ctx, a.ID, 1)
	w.code(err, azfunc.NotFound)
	w.ok(w.db.PutTriggers(ctx, a.ID, 1, []byte(`[1]`)))
	w.ok(w.db.PutTriggers(ctx, a.ID, 1, []byte(`[2]`)))
	got, err := w.db.Triggers(ctx, a.ID, 1)
	w.ok(err)
	w.same(json.RawMessage(`[2]`), got)
}

func testInvocations(t *testing.T, w world) {
	ctx := t.Context()
	a, other := w.app("invocations"), w.app("other")
	first := store.Invocation{ID: "1", AppID: a.ID, Revision: 2, Function: "Hello", Started: noon(), DurationUS: 7, Success: true, Record: []byte(`{"x":1}`)}
	w.ok(w.db.AddInvocations(ctx, []store.Invocation{first, {ID: "2", AppID: a.ID, Function: "Other", Started: noon()}, {ID: "1", AppID: other.ID}}))
	again := first
	again.Success = false
	w.ok(w.db.AddInvocations(ctx, []store.Invocation{again}))
	got, _, err := w.db.Invocations(ctx, a.ID, "hello", store.Page{})
	w.ok(err)
	w.same([]store.Invocation{first}, got)
	got, _, err = w.db.Invocations(ctx, a.ID, "", store.Page{})
	w.ok(err)
	w.same(2, len(got))
	// A batch is kept whole or not at all.
	w.code(w.db.AddInvocations(ctx, []store.Invocation{{ID: "3", AppID: a.ID}, {ID: "4", AppID: "none"}}), azfunc.NotFound)
	got, _, err = w.db.Invocations(ctx, a.ID, "", store.Page{})
	w.ok(err)
	w.same(2, len(got))
	w.ok(w.db.AddInvocations(ctx, nil))
}

func testLogs(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("logs")
	line := store.AppLog{ID: "1", AppID: a.ID, At: noon(), Level: "warning", Function: "Hello", InvocationID: "i", Line: []byte(`{"m":"x"}`)}
	w.ok(w.db.AddLogs(ctx, []store.AppLog{line, line, {ID: "2", AppID: a.ID, At: noon()}}))
	for filter, want := range map[store.LogFilter]int{
		{}: 2, {Function: "HELLO"}: 1, {InvocationID: "i"}: 1, {Function: "none"}: 0, {Function: "hello", InvocationID: "none"}: 0,
	} {
		got, _, err := w.db.Logs(ctx, a.ID, filter, store.Page{})
		w.ok(err)
		w.same(want, len(got))
	}
	got, _, err := w.db.Logs(ctx, a.ID, store.LogFilter{Function: "Hello"}, store.Page{})
	w.ok(err)
	w.same([]store.AppLog{line}, got)
	w.code(w.db.AddLogs(ctx, []store.AppLog{{ID: "3", AppID: "none"}}), azfunc.NotFound)
}

func testPruneRecords(t *testing.T, w world) {
	ctx := t.Context()
	a, b := w.app("app-a"), w.app("app-b")
	for _, app := range []store.App{a, b} {
		for i := range 10 {
			at := noon().Add(time.Duration(i/2) * time.Hour)
			w.ok(w.db.AddInvocations(ctx, []store.Invocation{{ID: fmt.Sprint(i), AppID: app.ID, Function: "F", Started: at}}))
			w.ok(w.db.AddLogs(ctx, []store.AppLog{{ID: fmt.Sprint(i), AppID: app.ID, At: at}}))
		}
	}
	w.ok(w.db.ClaimOccurrence(ctx, a.ID, "F", noon().Add(-2*time.Hour), "i"))
	w.ok(w.db.ClaimOccurrence(ctx, a.ID, "F", noon().Add(-time.Hour), "i"))
	left := func(appID string) string {
		t.Helper()
		text := ""
		invocations, _, err := w.db.Invocations(ctx, appID, "", store.Page{})
		w.ok(err)
		logs, _, err := w.db.Logs(ctx, appID, store.LogFilter{}, store.Page{})
		w.ok(err)
		w.same(len(invocations), len(logs))
		for i := range invocations {
			w.same(invocations[i].ID, logs[i].ID)
			text += logs[i].ID
		}
		return text
	}
	removed, err := w.db.PruneRecords(ctx, noon().Add(time.Hour), 0)
	w.ok(err)
	w.same(int64(2*2*2+1), removed) // two hours' rows of two tables in two apps, and the older occurrence
	w.same("98765432", left(a.ID))
	_, err = w.db.PruneRecords(ctx, noon(), 3)
	w.ok(err)
	w.same([]string{"987", "987"}, []string{left(a.ID), left(b.ID)})
	last, err := w.db.LastOccurrence(ctx, a.ID, "F")
	w.ok(err)
	w.same(noon().Add(-time.Hour), last)
}

func testOccurrences(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("timers")
	last := func(function string) time.Time {
		t.Helper()
		due, err := w.db.LastOccurrence(ctx, a.ID, function)
		w.ok(err)
		return due
	}
	w.same(time.Time{}, last("Tick"))
	w.ok(w.db.ClaimOccurrence(ctx, a.ID, "Tick", noon().Add(time.Minute), "i1"))
	w.ok(w.db.ClaimOccurrence(ctx, a.ID, "Tick", noon(), "i2"))
	w.code(w.db.ClaimOccurrence(ctx, a.ID, "TICK", noon(), "i1"), azfunc.Conflict)
	w.ok(w.db.ClaimOccurrence(ctx, a.ID, "TICK", noon(), "i2")) // its answer was lost
	w.code(w.db.ClaimOccurrence(ctx, a.ID, "Tick", noon().In(time.FixedZone("x", 3600)), "i1"), azfunc.Conflict)
	w.ok(w.db.ClaimOccurrence(ctx, a.ID, "Other", noon(), "i1"))
	w.same(noon().Add(time.Minute), last("tick"))
	w.code(w.db.ClaimOccurrence(ctx, "none", "Tick", noon(), "i1"), azfunc.NotFound)
}

func testLeases(t *testing.T, w world) {
	ctx := t.Context()
	advance := w.setClock(noon())
	a, other := w.app("leases"), w.app("other")
	take := func(owner string) error { return w.db.TakeLease(ctx, a.ID, "l", owner, time.Minute) }
	renew := func(owner string) error { return w.db.RenewLease(ctx, a.ID, "l", owner, time.Minute) }
	w.code(renew("ann"), azfunc.Conflict)
	w.ok(take("ann"))
	w.code(take("bob"), azfunc.Conflict)
	w.ok(w.db.TakeLease(ctx, other.ID, "l", "bob", time.Minute))
	advance(50 * time.Second)
	w.ok(renew("ann"))
	w.code(renew("bob"), azfunc.Conflict)
	advance(50 * time.Second)
	w.code(take("bob"), azfunc.Conflict)
	advance(10 * time.Second) // its last moment is over
	w.code(renew("ann"), azfunc.Conflict)
	w.ok(take("bob"))
	w.ok(w.db.ReleaseLease(ctx, a.ID, "l", "ann"))
	w.code(take("ann"), azfunc.Conflict)
	w.ok(w.db.ReleaseLease(ctx, a.ID, "l", "bob"))
	w.ok(take("ann"))
	w.ok(take("ann"))
	w.code(w.db.TakeLease(ctx, "none", "l", "ann", time.Minute), azfunc.NotFound)
}
