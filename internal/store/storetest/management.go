package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
)

func testSubscriptions(t *testing.T, w world) {
	ctx := t.Context()
	w.code(w.db.PutSubscription(ctx, store.Subscription{}), azfunc.Invalid)
	w.code(w.db.PutResourceGroup(ctx, store.ResourceGroup{SubscriptionID: subscription, Name: group}), azfunc.NotFound)
	w.place()
	w.ok(w.db.PutSubscription(ctx, store.Subscription{ID: subscription, Name: "Renamed"}))
	s, err := w.db.Subscription(ctx, subscription)
	w.ok(err)
	w.same("Renamed", s.Name)
	_, err = w.db.Subscription(ctx, "other")
	w.code(err, azfunc.NotFound)

	w.ok(w.db.PutResourceGroup(ctx, store.ResourceGroup{SubscriptionID: subscription, Name: "TEAM-rg", Location: "there"}))
	g, err := w.db.ResourceGroup(ctx, subscription, "team-RG")
	w.ok(err)
	w.same([]string{group, "there"}, []string{g.Name, g.Location})
	groups, _, err := w.db.ResourceGroups(ctx, subscription, store.Page{})
	w.ok(err)
	w.same([]store.ResourceGroup{g}, groups)

	w.app("inside")
	w.code(w.db.DeleteResourceGroup(ctx, subscription, group), azfunc.Conflict)
	w.ok(w.db.DeleteApp(ctx, "inside"))
	w.ok(w.db.DeleteResourceGroup(ctx, subscription, "team-rg"))
	w.code(w.db.DeleteResourceGroup(ctx, subscription, group), azfunc.NotFound)
	_, err = w.db.ResourceGroup(ctx, subscription, group)
	w.code(err, azfunc.NotFound)
}

func testApps(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("My-App")
	for _, name := range []string{"My-App", "my-app", "MY-APP"} {
		found, err := w.db.App(ctx, name)
		w.ok(err)
		w.same(a, found)
		_, err = w.db.CreateApp(ctx, store.App{Name: name, SubscriptionID: subscription, ResourceGroup: group})
		w.code(err, azfunc.Conflict)
	}
	found, err := w.db.AppByID(ctx, a.ID)
	w.ok(err)
	w.same(a, found)
	_, err = w.db.CreateApp(ctx, store.App{Name: "elsewhere", SubscriptionID: subscription, ResourceGroup: "none"})
	w.code(err, azfunc.NotFound)
	_, err = w.db.CreateApp(ctx, store.App{Name: "-not-a-name-"})
	w.code(err, azfunc.Invalid)
	_, err = w.db.App(ctx, "none")
	w.code(err, azfunc.NotFound)
	_, err = w.db.AppByID(ctx, "none")
	w.code(err, azfunc.NotFound)

	w.ok(w.db.SetAppStopped(ctx, "MY-app", true))
	w.ok(w.db.SetAppStopped(ctx, "my-app", true))
	found, err = w.db.App(ctx, "my-app")
	w.ok(err)
	w.same([]any{true, a.Version + 1}, []any{found.Stopped, found.Version})
	w.code(w.db.SetAppStopped(ctx, "none", true), azfunc.NotFound)

	for filter, want := range map[store.AppFilter]int{
		{}: 1, {SubscriptionID: subscription}: 1, {ResourceGroup: "team-rg"}: 1, {SubscriptionID: "none"}: 0, {ResourceGroup: "none"}: 0,
	} {
		apps, _, err := w.db.Apps(ctx, filter, store.Page{})
		w.ok(err)
		w.same(want, len(apps))
	}
}

func testAppVersions(t *testing.T, w world) {
	ctx := t.Context()
	advance := w.setClock(noon())
	a := w.app("versions")
	advance(time.Minute)
	a.Tags, a.PublishPassword, a.Location = nil, "new", "there"
	updated, err := w.db.UpdateApp(ctx, a, a.Version)
	w.ok(err)
	a.Version, a.UpdatedAt = 2, noon().Add(time.Minute)
	w.same(a, updated)
	_, err = w.db.UpdateApp(ctx, a, 1)
	w.code(err, azfunc.Conflict)
	updated, err = w.db.UpdateApp(ctx, a, 0)
	w.ok(err)
	w.same(int64(3), updated.Version)
	_, err = w.db.UpdateApp(ctx, store.App{ID: "none"}, 0)
	w.code(err, azfunc.NotFound)
}

// A UID is not given again, whatever was deleted before.
func testAppUIDs(t *testing.T, w world) {
	var uids []int
	for i := range 5 {
		a := w.app(fmt.Sprintf("app%d", i))
		uids = append(uids, a.UID)
		if i%2 == 0 {
			w.ok(w.db.DeleteApp(t.Context(), a.Name))
		}
	}
	first := uids[0]
	w.same([]int{first, first + 1, first + 2, first + 3, first + 4}, uids)
	if first < 1000 {
		t.Errorf("the first UID is %d, which the system may use itself", first)
	}
	refused := w.app("refused")
	_, err := w.db.CreateApp(t.Context(), store.App{Name: "refused", SubscriptionID: subscription, ResourceGroup: group})
	w.code(err, azfunc.Conflict)
	if next := w.app("next"); next.UID != refused.UID+1 {
		t.Errorf("a refused app took a UID: %d after %d", next.UID, refused.UID)
	}
}

// Everything that hangs on an app goes with it, except for the audit log; another app keeps its own.
func testDeleteApp(t *testing.T, w world) {
	ctx := t.Context()
	kept, gone := w.app("kept"), w.app("gone")
	for _, a := range []store.App{kept, gone} {
		w.fill(a)
	}
	w.ok(w.db.AppendAudit(ctx, store.AuditEntry{Scope: "/apps/gone"}))
	w.ok(w.db.DeleteApp(ctx, "GONE"))
	w.code(w.db.DeleteApp(ctx, "gone"), azfunc.NotFound)

	w.same(0, w.rows(gone.ID))
	if w.rows(kept.ID) < 8 {
		t.Errorf("the other app lost rows: %d are left", w.rows(kept.ID))
	}
	entries, _, err := w.db.Audit(ctx, "/apps/gone", store.Page{})
	w.ok(err)
	w.same(1, len(entries))
	_, _, err = w.db.Settings(ctx, gone.ID)
	w.code(err, azfunc.NotFound)
}

// fill gives an app a row of everything.
func (w world) fill(a store.App) {
	w.t.Helper()
	ctx := w.t.Context()
	_, rev := w.publish(a.ID, 1)
	_, _, err := w.db.ReplaceSettings(ctx, a.ID, map[string]string{"A": "1"}, 0, false)
	w.ok(err)
	_, err = w.db.PutKey(ctx, a.ID, store.Key{Kind: "master", Name: "_master", Value: "v"})
	w.ok(err)
	w.ok(w.db.PutInstance(ctx, store.Instance{ID: "i-" + a.ID, AppID: a.ID, Revision: rev.Number, State: "active"}))
	w.ok(w.db.PutTriggers(ctx, a.ID, rev.Number, []byte(`{}`)))
	w.ok(w.db.AddInvocations(ctx, []store.Invocation{{ID: "1", AppID: a.ID, Function: "F", Started: noon()}}))
	w.ok(w.db.AddLogs(ctx, []store.AppLog{{ID: "1", AppID: a.ID, At: noon()}}))
	w.ok(w.db.ClaimOccurrence(ctx, a.ID, "T", noon(), "i"))
	w.ok(w.db.TakeLease(ctx, a.ID, "l", "i", time.Hour))
}

// rows counts what listings show of an app.
func (w world) rows(appID string) int {
	w.t.Helper()
	ctx := w.t.Context()
	n := 0
	count := func(rows int, err error) { w.ok(err); n += rows }
	keys, err := w.db.Keys(ctx, appID)
	count(len(keys), err)
	deployments, _, err := w.db.Deployments(ctx, appID, store.Page{})
	count(len(deployments), err)
	revisions, err := w.db.Revisions(ctx, appID, false)
	count(len(revisions), err)
	instances, err := w.db.Instances(ctx, appID)
	count(len(instances), err)
	invocations, _, err := w.db.Invocations(ctx, appID, "", store.Page{})
	count(len(invocations), err)
	logs, _, err := w.db.Logs(ctx, appID, store.LogFilter{}, store.Page{})
	count(len(logs), err)
	last, err := w.db.LastOccurrence(ctx, appID, "T")
	w.ok(err)
	if !last.IsZero() {
		n++
	}
	routes, err := w.db.Routes(ctx)
	w.ok(err)
	if slices.ContainsFunc(routes, func(r store.Route) bool { return r.AppID == appID }) {
		n++
	}
	return n
}

func testSettings(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("settings")
	values, version, err := w.db.Settings(ctx, a.ID)
	w.ok(err)
	w.same(map[string]string{}, values)

	// Nothing is published: there is no revision to make.
	set := map[string]string{"A": "1", "B": ""}
	v2, revision, err := w.db.ReplaceSettings(ctx, a.ID, set, version, true)
	w.ok(err)
	w.same([]int64{version + 1, 0}, []int64{v2, revision})
	values, _, err = w.db.Settings(ctx, a.ID)
	w.ok(err)
	w.same(set, values)
	_, _, err = w.db.ReplaceSettings(ctx, a.ID, nil, version, true)
	w.code(err, azfunc.Conflict)

	_, rev := w.publish(a.ID, 1)
	w.same(set, rev.Settings)
	same, revision, err := w.db.ReplaceSettings(ctx, a.ID, set, v2, true)
	w.ok(err)
	w.same([]int64{v2, 0}, []int64{same, revision})
	_, revision, err = w.db.ReplaceSettings(ctx, a.ID, map[string]string{"A": "2"}, 0, false)
	w.ok(err)
	w.same(int64(0), revision)
	_, revision, err = w.db.ReplaceSettings(ctx, a.ID, map[string]string{"A": "3"}, 0, true)
	w.ok(err)
	w.same(rev.Number+1, revision)

	// The new revision is the old one with other settings, made by no deployment; the old one keeps its snapshot.
	made, err := w.db.Revision(ctx, a.ID, revision)
	w.ok(err)
	want := rev
	want.Number, want.Settings, want.DeploymentID = revision, map[string]string{"A": "3"}, ""
	want.CreatedAt, want.PhaseAt = made.CreatedAt, made.PhaseAt
	w.same(want, made)
	old, err := w.db.Revision(ctx, a.ID, rev.Number)
	w.ok(err)
	w.same(set, old.Settings)
	now, err := w.db.AppByID(ctx, a.ID)
	w.ok(err)
	w.same(revision, now.DesiredRevision)

	renewed, err := w.db.RenewRevision(ctx, a.ID)
	w.ok(err)
	again, err := w.db.Revision(ctx, a.ID, renewed)
	w.ok(err)
	want.Number, want.CreatedAt, want.PhaseAt = revision+1, again.CreatedAt, again.PhaseAt
	w.same(want, again)
	nothing, err := w.db.RenewRevision(ctx, w.app("empty").ID)
	w.ok(err)
	w.same(int64(0), nothing)

	_, _, err = w.db.Settings(ctx, "none")
	w.code(err, azfunc.NotFound)
	_, _, err = w.db.ReplaceSettings(ctx, "none", set, 0, true)
	w.code(err, azfunc.NotFound)
}

func testSCMSettings(t *testing.T, w world) {
	ctx := t.Context()
	a := w.app("scm")
	w.ok(w.db.PutSCMSettings(ctx, a.ID, map[string]string{"One": "1", "Two": "2"}, nil))
	w.ok(w.db.PutSCMSettings(ctx, a.ID, map[string]string{"ONE": "3"}, []string{"two", "none"}))
	values, err := w.db.SCMSettings(ctx, a.ID)
	w.ok(err)
	w.same(map[string]string{"ONE": "3"}, values)
	w.code(w.db.PutSCMSettings(ctx, "none", nil, nil), azfunc.NotFound)
}

func testKeys(t *testing.T, w world) {
	ctx := t.Context()
	w.setClock(noon())
	a, other := w.app("keys"), w.app("other")
	put := func(k store.Key) bool {
		t.Helper()
		created, err := w.db.PutKey(ctx, a.ID, k)
		w.ok(err)
		return created
	}
	fn := store.Key{Kind: "function", Function: "Hello", Name: "Default", Value: "v1", Hash: "not this"}
	w.same(true, put(fn))
	w.same(true, put(store.Key{Kind: "host", Name: "default", Value: "h"}))
	fn.Function, fn.Name, fn.Value = "hello", "DEFAULT", "v2"
	w.same(false, put(fn))
	added, err := w.db.EnsureKeys(ctx, a.ID, []store.Key{
		{Kind: "host", Name: "Default", Value: "not this"}, {Kind: "master", Name: "_master", Value: "m"},
	})
	w.ok(err)
	w.same(1, added)

	got, err := w.db.Keys(ctx, a.ID)
	w.ok(err)
	w.same([]store.Key{
		{Kind: "function", Function: "Hello", Name: "Default", Value: "v2", Hash: keys.Hash("v2"), CreatedAt: noon()},
		{Kind: "host", Name: "default", Value: "h", Hash: keys.Hash("h"), CreatedAt: noon()},
		{Kind: "master", Name: "_master", Value: "m", Hash: keys.Hash("m"), CreatedAt: noon()},
	}, got)
	none, err := w.db.Keys(ctx, other.ID)
	w.ok(err)
	w.same(0, len(none))

	w.ok(w.db.DeleteKey(ctx, a.ID, "function", "HELLO", "default"))
	w.code(w.db.DeleteKey(ctx, a.ID, "function", "hello", "default"), azfunc.NotFound)
	_, err = w.db.PutKey(ctx, "none", fn)
	w.code(err, azfunc.NotFound)
	_, err = w.db.PutKey(ctx, a.ID, store.Key{Kind: "host", Name: "empty"})
	w.code(err, azfunc.Invalid)
	_, err = w.db.EnsureKeys(ctx, "none", []store.Key{fn})
	w.code(err, azfunc.NotFound)
}
