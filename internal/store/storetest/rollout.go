package storetest

import (
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

func testPhases(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("phases")
	epoch := w.epoch()
	phases := []store.Phase{
		store.PhasePending, store.PhaseStandby, store.PhaseActive, store.PhaseDraining,
		store.PhaseRetired, store.PhaseSuperseded, store.PhaseFailed,
	}
	type move struct{ from, to store.Phase }
	legal := map[move]bool{
		{store.PhasePending, store.PhaseStandby}: true, {store.PhasePending, store.PhaseSuperseded}: true, {store.PhasePending, store.PhaseFailed}: true,
		{store.PhaseStandby, store.PhaseActive}: true, {store.PhaseStandby, store.PhaseSuperseded}: true, {store.PhaseStandby, store.PhaseFailed}: true,
		{store.PhaseActive, store.PhaseDraining}: true, {store.PhaseActive, store.PhaseRetired}: true,
		{store.PhaseDraining, store.PhaseActive}: true, {store.PhaseDraining, store.PhaseRetired}: true,
	}
	path := map[store.Phase][]store.Phase{
		store.PhaseStandby: {store.PhaseStandby}, store.PhaseActive: {store.PhaseStandby, store.PhaseActive},
		store.PhaseDraining:   {store.PhaseStandby, store.PhaseActive, store.PhaseDraining},
		store.PhaseRetired:    {store.PhaseStandby, store.PhaseActive, store.PhaseRetired},
		store.PhaseSuperseded: {store.PhaseSuperseded}, store.PhaseFailed: {store.PhaseFailed},
	}
	for _, from := range phases {
		for _, to := range append(phases, "nonsense") {
			_, rev := w.publish(a.ID, 1)
			for _, step := range path[from] {
				w.ok(w.db.SetPhase(ctx, epoch, a.ID, rev.Number, step, ""))
			}
			err := w.db.SetPhase(ctx, epoch, a.ID, rev.Number, to, "text")
			if want := from == to || legal[move{from, to}]; want != (err == nil) {
				t.Errorf("%s to %s: legal is %v, got %v", from, to, want, err)
			}
			if err != nil {
				w.code(err, azfunc.Conflict)
			}
		}
	}
	w.code(w.db.SetPhase(ctx, epoch, a.ID, 9999, store.PhaseStandby, ""), azfunc.NotFound)
	w.code(w.db.SetPhase(ctx, epoch, "none", 1, store.PhaseStandby, ""), azfunc.NotFound)
}

func testEpoch(t *testing.T, w world) {
	ctx := t.Context()
	advance := w.setClock(noon())
	a := w.app("epoch")
	_, rev := w.publish(a.ID, 1)
	old := w.epoch()
	advance(time.Minute)
	w.ok(w.db.SetPhase(ctx, old, a.ID, rev.Number, store.PhaseStandby, ""))
	young := w.epoch()
	w.same(old+1, young)
	w.code(w.db.SetPhase(ctx, old, a.ID, rev.Number, store.PhaseFailed, "old leader"), azfunc.Fenced)
	_, err := w.db.SetRoute(ctx, old, a.ID, []store.RouteTarget{{Revision: 1, Weight: 1}}, "old leader")
	w.code(err, azfunc.Fenced)
	_, err = w.db.SetRoute(ctx, young+1, a.ID, nil, "from the future")
	w.code(err, azfunc.Fenced)
	w.ok(w.db.SetPhase(ctx, young, a.ID, rev.Number, store.PhaseFailed, "why"))
	got, err := w.db.Revision(ctx, a.ID, rev.Number)
	w.ok(err)
	w.same([]any{store.PhaseFailed, "why", noon().Add(time.Minute)}, []any{got.Phase, got.Error, got.PhaseAt})
}

func testRoutes(t *testing.T, w world) {
	ctx := t.Context()
	a, b := w.app("b-App"), w.app("a-App")
	epoch := w.epoch()
	set := func(targets []store.RouteTarget, waiting string) int64 {
		t.Helper()
		generation, err := w.db.SetRoute(ctx, epoch, a.ID, targets, waiting)
		w.ok(err)
		return generation
	}
	one := []store.RouteTarget{{Revision: 1, Weight: 100}}
	w.same(int64(0), set(nil, "waiting for capacity"))
	w.same(int64(1), set(one, "waiting for capacity"))
	w.same(int64(1), set(one, ""))
	w.same(int64(1), set(one, "starting"))
	w.same(int64(2), set([]store.RouteTarget{{Revision: 1, Weight: 90}, {Revision: 2, Weight: 10}}, ""))
	w.same(int64(3), set(one, "again"))
	w.ok(w.db.SetAppStopped(ctx, a.Name, true))
	routes, err := w.db.Routes(ctx)
	w.ok(err)
	w.same([]store.Route{
		{AppID: b.ID, App: "a-App", Targets: []store.RouteTarget{}},
		{AppID: a.ID, App: "b-App", Stopped: true, Generation: 3, Targets: one, Waiting: "again"},
	}, routes)
	route, err := w.db.Route(ctx, a.ID)
	w.ok(err)
	w.same(routes[1], route)
	_, err = w.db.SetRoute(ctx, epoch, "none", one, "")
	w.code(err, azfunc.NotFound)
}

// A gateway ignores a generation lower than the one it has of a name, and a scheduler knows jobs by name and revision:
// an app made again must not begin below either.
func testRecreatedApp(t *testing.T, w world) {
	ctx := t.Context()
	epoch := w.epoch()
	generation, revision := int64(0), int64(0)
	for _, name := range []string{"again", "Again", "again"} {
		a := w.app(name)
		_, rev := w.publish(a.ID, 1)
		if rev.Number != revision+1 {
			t.Fatalf("revision %d after %d", rev.Number, revision)
		}
		revision = rev.Number
		next, err := w.db.SetRoute(ctx, epoch, a.ID, []store.RouteTarget{{Revision: 1, Weight: 1}}, "")
		w.ok(err)
		if next <= generation {
			t.Fatalf("generation %d after %d", next, generation)
		}
		generation = next
		w.ok(w.db.DeleteApp(ctx, "again"))
	}
}

func testRolloutApps(t *testing.T, w world) {
	ctx := t.Context()
	w.app("nothing-published")
	a := w.app("published")
	w.publish(a.ID, 1)
	apps, err := w.db.RolloutApps(ctx)
	w.ok(err)
	if len(apps) != 1 || apps[0].ID != a.ID {
		t.Fatalf("want the published app, got %v", apps)
	}
}

func testPruneRevisions(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("prune")
	epoch := w.epoch()
	for n := int64(1); n <= 8; n++ {
		w.publish(a.ID, int(n))
		if n != 2 && n != 8 {
			w.ok(w.db.SetPhase(ctx, epoch, a.ID, n, store.PhaseSuperseded, ""))
		}
	}
	w.ok(w.db.PutTriggers(ctx, a.ID, 1, []byte(`{}`)))
	w.ok(w.db.SetPhase(ctx, epoch, a.ID, 8, store.PhaseFailed, "but desired"))
	numbers := func() (n []int64) {
		revisions, err := w.db.Revisions(ctx, a.ID, false)
		w.ok(err)
		for _, r := range revisions {
			n = append(n, r.Number)
		}
		return n
	}
	removed, err := w.db.PruneRevisions(ctx, a.ID, 3)
	w.ok(err)
	w.same(int64(4), removed)
	w.same([]int64{8, 7, 6, 2}, numbers())
	_, err = w.db.PruneRevisions(ctx, a.ID, 0)
	w.ok(err)
	w.same([]int64{8, 2}, numbers())
	_, err = w.db.Triggers(ctx, a.ID, 1)
	w.code(err, azfunc.NotFound)
	live, err := w.db.Revisions(ctx, a.ID, true)
	w.ok(err)
	w.same(1, len(live))
	_, rev := w.publish(a.ID, 9)
	w.same(int64(9), rev.Number)
}
