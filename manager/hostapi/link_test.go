package hostapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/hostapi"
)

func TestDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, k := range []store.Key{
		{Kind: "master", Name: "_master", Value: "m"}, {Kind: "host", Name: "default", Value: "h"},
		{Kind: "system", Name: "durabletask", Value: "s"}, {Kind: "function", Function: "Hello", Name: "default", Value: "f"},
	} {
		_, err := r.db.PutKey(t.Context(), r.orders.ID, k)
		ok(t, err)
	}
	got, etag, err := r.worker(t, ordersToken).App(t.Context(), "", 0)
	ok(t, err)
	hash := func(value string) string { return digest([]byte(value)) }
	want := &link.App{
		Spec: link.Spec{
			App: "Orders", Revision: 1, HostID: "orders", Runtime: "node", Settings: map[string]string{"SECRET": "secret of Orders"},
			Package: link.Package{SHA256: digest(content("Orders")), SizeBytes: int64(len(content("Orders")))},
			Limits:  link.Limits{MaxBodyBytes: 5}, PublicURL: "http://localhost:7081/Orders",
		},
		Live: link.Live{Phase: link.Active, GatewayKeys: []string{"gateway-key"}, Keys: link.Keys{
			Master: []link.KeyHash{{Name: "_master", Hash: hash("m")}}, Host: []link.KeyHash{{Name: "default", Hash: hash("h")}},
			System:    []link.KeyHash{{Name: "durabletask", Hash: hash("s")}},
			Functions: map[string][]link.KeyHash{"Hello": {{Name: "default", Hash: hash("f")}}},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" || etag == "" {
		t.Errorf("etag %q: %s", etag, diff)
	}
	same, _, err := r.worker(t, ordersToken).App(t.Context(), etag, 0)
	ok(t, err)
	if same != nil {
		t.Error("an unchanged document was sent again")
	}
}

// TestRuntime changes the setting after the package was published, and takes it away again.
func TestRuntime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for revision, c := range []struct {
		settings map[string]string
		want     string
	}{
		{map[string]string{"Functions_Worker_Runtime": " Python "}, "python"},
		{map[string]string{"OTHER": "x"}, "node"},
	} {
		number := int64(revision) + 2
		_, made, err := r.db.ReplaceSettings(t.Context(), r.orders.ID, c.settings, 0, true)
		ok(t, err)
		if made != number {
			t.Fatalf("revision %d, want %d", made, number)
		}
		r.tokens["later"] = hostapi.Instance{ID: "later", App: "Orders", Revision: number}
		app, _, err := r.worker(t, "later").App(t.Context(), "", 0)
		ok(t, err)
		if app.Spec.Runtime != c.want {
			t.Errorf("settings %v: runtime %q, want %q", c.settings, app.Spec.Runtime, c.want)
		}
	}
}

func TestPhases(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish(t, r.orders, []byte("two"))
	r.tokens["two"] = hostapi.Instance{ID: "instance-two", App: "orders", Revision: 2}
	one, two := r.worker(t, ordersToken), r.worker(t, "two")
	step := func(name string, wantOne, wantTwo link.Phase) {
		t.Helper()
		a, _, err := one.App(t.Context(), "", 0)
		ok(t, err)
		b, _, err := two.App(t.Context(), "", 0)
		ok(t, err)
		if a.Live.Phase != wantOne || b.Live.Phase != wantTwo {
			t.Errorf("%s: %s and %s, want %s and %s", name, a.Live.Phase, b.Live.Phase, wantOne, wantTwo)
		}
		if a.Spec.Package.SHA256 == b.Spec.Package.SHA256 {
			t.Error("both revisions have one package")
		}
	}
	step("pending", link.Active, link.Standby)
	r.phase(t, r.orders, 2, store.PhaseStandby)
	step("standby", link.Active, link.Standby)
	r.phase(t, r.orders, 1, store.PhaseDraining)
	r.phase(t, r.orders, 2, store.PhaseActive)
	step("switched", link.Draining, link.Active)
	r.phase(t, r.orders, 1, store.PhaseRetired)
	step("retired", link.Draining, link.Active)
	ok(t, r.db.SetAppStopped(t.Context(), "orders", true))
	step("stopped", link.Draining, link.Draining)
	ok(t, r.db.SetAppStopped(t.Context(), "orders", false))
	step("started", link.Draining, link.Active)
}

// A long poll ends at the change that it waits for and sleeps through what does not concern its document.
func TestLongPoll(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	worker := r.worker(t, ordersToken)
	_, etag, err := worker.App(t.Context(), "", 0)
	ok(t, err)
	answers := make(chan *link.App, 1)
	go func() {
		app, _, err := worker.App(t.Context(), etag, 30*time.Second)
		if err != nil {
			t.Error(err)
		}
		answers <- app
	}()
	// Heartbeats and other apps change nothing in it.
	ok(t, worker.Report(t.Context(), link.InstanceReport{InstanceID: "instance-orders", State: link.StateActive}))
	ok(t, r.db.SetAppStopped(t.Context(), "bills", true))
	select {
	case app := <-answers:
		t.Fatalf("answered without a change: %+v", app)
	case <-time.After(200 * time.Millisecond):
	}
	changed := time.Now()
	_, err = r.db.PutKey(t.Context(), r.orders.ID, store.Key{Kind: "host", Name: "default", Value: "h"})
	ok(t, err)
	app := <-answers
	if app == nil || len(app.Live.Keys.Host) != 1 {
		t.Fatalf("answered %+v", app)
	}
	if took := time.Since(changed); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestLongPollEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	worker := r.worker(t, ordersToken)
	_, etag, err := worker.App(t.Context(), "", 0)
	ok(t, err)
	started := time.Now()
	app, same, err := worker.App(t.Context(), etag, time.Second)
	ok(t, err)
	if took := time.Since(started); app != nil || same != etag || took < 900*time.Millisecond || took > 10*time.Second {
		t.Errorf("after %v: %+v", took, app)
	}
	ended := make(chan error, 1)
	go func() {
		_, _, err := worker.App(t.Context(), etag, 30*time.Second)
		ended <- err
	}()
	r.svc.Stop()
	ok(t, <-ended)
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("Stop left a long poll waiting: %v", took)
	}
}

func TestPackage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var got bytes.Buffer
	ok(t, r.worker(t, ordersToken).Package(t.Context(), digest(content("Orders")), &got))
	if digest(got.Bytes()) != digest(content("Orders")) {
		t.Errorf("%d bytes came", got.Len())
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL+"/hostapi/v1/packages/"+digest(content("Orders")), nil)
	ok(t, err)
	req.Header.Set("Authorization", "Bearer "+ordersToken)
	req.Header.Set("Range", "bytes=11-16")
	resp, err := http.DefaultClient.Do(req)
	ok(t, err)
	defer func() { _ = resp.Body.Close() }()
	part := new(bytes.Buffer)
	_, err = part.ReadFrom(resp.Body)
	ok(t, err)
	if resp.StatusCode != http.StatusPartialContent || part.String() != "Orders" || resp.Header.Get("ETag") != `"`+digest(content("Orders"))+`"` {
		t.Errorf("%d %q %v", resp.StatusCode, part, resp.Header)
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, worker := t.Context(), r.worker(t, ordersToken)
	ok(t, worker.Report(ctx, link.InstanceReport{InstanceID: "instance-orders", State: link.StateFailed, LastError: &link.Failure{Message: "boom"}}))
	got, err := r.db.Instance(ctx, "instance-orders")
	ok(t, err)
	if got.State != "failed" || got.Revision != 1 || got.AppID != r.orders.ID || !strings.Contains(string(got.Report), "boom") {
		t.Errorf("instance %+v", got)
	}
	batch := link.InvocationBatch{Invocations: []link.Invocation{
		{ID: "i1", Function: "Hello", InstanceID: "somebody else", Started: time.Now(), Success: true},
		{ID: "i2", Function: "Hello", Started: time.Now().AddDate(50, 0, 0)},
	}}
	lines := link.LogBatch{Lines: []link.LogLine{
		{ID: "instance-orders-1", Level: "information", Message: "one", At: time.Now()},
		{ID: "instance-bills-1", Level: "information", Message: "two", At: time.Now()},
	}}
	for range 2 { // at least once
		ok(t, worker.Invocations(ctx, batch))
		ok(t, worker.Logs(ctx, lines))
	}
	invocations, _, err := r.db.Invocations(ctx, r.orders.ID, "", store.Page{})
	ok(t, err)
	if len(invocations) != 2 || invocations[0].Started.After(time.Now().Add(time.Hour)) || strings.Contains(string(invocations[1].Record), "somebody") {
		t.Errorf("invocations %+v", invocations)
	}
	logs, _, err := r.db.Logs(ctx, r.orders.ID, store.LogFilter{}, store.Page{})
	ok(t, err)
	ids := map[string]bool{}
	for _, l := range logs {
		ids[l.ID] = true
	}
	if diff := cmp.Diff(map[string]bool{"instance-orders-1": true, "instance-orders/instance-bills-1": true}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestTriggers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	functions := []json.RawMessage{json.RawMessage(`{"name":"Hello","config":{}}`), json.RawMessage(`{"name":"Tick"}`)}
	ok(t, r.worker(t, ordersToken).Triggers(t.Context(), link.Triggers{HostID: "whatever", Functions: functions}))
	raw, err := r.db.Triggers(t.Context(), r.orders.ID, 1)
	ok(t, err)
	var kept link.Triggers
	ok(t, json.Unmarshal(raw, &kept))
	if kept.HostID != "orders" || len(kept.Functions) != 2 {
		t.Errorf("kept %s", raw)
	}
	if diff := cmp.Diff([]string{r.orders.ID + "/Hello", r.orders.ID + "/Tick"}, r.ensured); diff != "" {
		t.Error(diff)
	}
	for _, wrong := range []string{`{"name":"../x"}`, `{"name":"host"}`, `{}`, `[]`} {
		err := r.worker(t, ordersToken).Triggers(t.Context(), link.Triggers{Functions: []json.RawMessage{json.RawMessage(wrong)}})
		wantCode(t, err, azfunc.Invalid)
	}
}

func TestOccurrences(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, worker := t.Context(), r.worker(t, ordersToken)
	due := time.Now().UTC().Truncate(time.Second)
	first, err := worker.Schedule(ctx, "Tick")
	ok(t, err)
	if !first.Last.IsZero() {
		t.Errorf("a timer that never fired has %v", first.Last)
	}
	ok(t, worker.Claim(ctx, "Tick", link.Occurrence{Due: due, InstanceID: "instance-orders"}))
	wantCode(t, worker.Claim(ctx, "Tick", link.Occurrence{Due: due}), azfunc.Conflict)
	again := link.Occurrence{Due: due, Attempt: "one"} // whose answer was lost
	ok(t, worker.Claim(ctx, "Tock", again))
	ok(t, worker.Claim(ctx, "Tock", again))
	again.Attempt = "another"
	wantCode(t, worker.Claim(ctx, "Tock", again), azfunc.Conflict)
	wantCode(t, worker.Claim(ctx, "Tock", link.Occurrence{Due: due}), azfunc.Conflict)
	last, err := worker.Schedule(ctx, "tick")
	ok(t, err)
	if !last.Last.Equal(due) {
		t.Errorf("last %v, want %v", last.Last, due)
	}
	wantCode(t, worker.Claim(ctx, "Tick", link.Occurrence{Due: due.Add(time.Hour)}), azfunc.Invalid)
	wantCode(t, worker.Claim(ctx, "Tick", link.Occurrence{}), azfunc.Invalid)
	wantCode(t, worker.Claim(ctx, "Tick", link.Occurrence{Due: due.Add(time.Second), InstanceID: "instance-bills"}), azfunc.Forbidden)
}

// What is in standby or draining takes no timer, whatever its listeners think.
func TestOnlyActiveClaims(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.publish(t, r.orders, []byte("two"))
	r.tokens["two"] = hostapi.Instance{ID: "instance-two", App: "orders", Revision: 2}
	due := time.Now().UTC().Truncate(time.Second)
	wantCode(t, r.worker(t, "two").Claim(t.Context(), "Tick", link.Occurrence{Due: due}), azfunc.Conflict)
	r.phase(t, r.orders, 2, store.PhaseStandby)
	wantCode(t, r.worker(t, "two").Claim(t.Context(), "Tick", link.Occurrence{Due: due}), azfunc.Conflict)
	r.phase(t, r.orders, 1, store.PhaseDraining)
	r.phase(t, r.orders, 2, store.PhaseActive)
	wantCode(t, r.worker(t, ordersToken).Claim(t.Context(), "Tick", link.Occurrence{Due: due}), azfunc.Conflict)
	ok(t, r.worker(t, "two").Claim(t.Context(), "Tick", link.Occurrence{Due: due}))
}

func TestLeases(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, orders, bills := t.Context(), r.worker(t, ordersToken), r.worker(t, billsToken)
	mine, theirs := link.LeaseRequest{Owner: "a", TTLSeconds: 30}, link.LeaseRequest{Owner: "b", TTLSeconds: 30}
	const name = "singleton/Tick é%" // as a worker may spell it: escaped in the path
	ok(t, orders.TakeLease(ctx, name, mine))
	wantCode(t, orders.TakeLease(ctx, name, theirs), azfunc.Conflict)
	wantCode(t, orders.RenewLease(ctx, name, theirs), azfunc.Conflict)
	ok(t, orders.RenewLease(ctx, name, mine))
	ok(t, bills.TakeLease(ctx, name, theirs)) // another app's lease of this name is another lease
	ok(t, orders.ReleaseLease(ctx, name, "b"))
	wantCode(t, orders.TakeLease(ctx, name, theirs), azfunc.Conflict)
	ok(t, orders.ReleaseLease(ctx, name, "a"))
	ok(t, orders.TakeLease(ctx, name, theirs))
	for _, wrong := range []link.LeaseRequest{{Owner: "", TTLSeconds: 1}, {Owner: "a"}, {Owner: "a", TTLSeconds: 301}, {Owner: strings.Repeat("a", 300), TTLSeconds: 1}} {
		wantCode(t, orders.TakeLease(ctx, "x", wrong), azfunc.Invalid)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	many := strings.TrimSuffix(strings.Repeat(`{"id":"x"},`, 5001), ",")
	tests := []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "instance", `{"state":"starting","workerVersion":"` + strings.Repeat("x", 2<<20) + `"}`, 413},
		{"PUT", "instance", `{"state":"sleeping"}`, 400},
		{"PUT", "instance", `{`, 400},
		{"PUT", "instance", ``, 400},
		{"PUT", "instance", `{"state":"active","instanceId":"instance-bills"}`, 403},
		{"POST", "invocations", `{"invocations":[` + many + `]}`, 413},
		{"POST", "invocations", `{"invocations":[{"function":"x"}]}`, 400},
		{"POST", "invocations", `{}`, 204},
		{"POST", "logs", `{"lines":[` + many + `]}`, 413},
		{"POST", "logs", `{"lines":[{"message":"x"}]}`, 400},
		{"POST", "logs", `{"lines":[{"id":"` + strings.Repeat("x", 201) + `"}]}`, 400},
		{"POST", "schedules/host/occurrences", `{}`, 400},
		{"POST", "leases/" + strings.Repeat("x", 201), `{"owner":"a","ttlSeconds":1}`, 400},
		{"GET", "nope", ``, 404},
		{"DELETE", "app", ``, 404},
	}
	for _, tt := range tests {
		status, body := r.call(t, tt.method, "/hostapi/v1/"+tt.path, ordersToken, tt.body)
		if status != tt.status {
			t.Errorf("%s %s: %d, want %d: %s", tt.method, tt.path, status, tt.status, body)
		}
		var problem link.Problem
		if status >= 400 && (json.Unmarshal([]byte(body), &problem) != nil || problem.Code == "" || problem.Message == "") {
			t.Errorf("%s %s: not a problem: %s", tt.method, tt.path, body)
		}
	}
}

// everyCall is each call of the link once, speaking of the app Orders.
func everyCall(r *rig) []struct{ method, path, body string } {
	return []struct{ method, path, body string }{
		{"GET", "app", ""},
		{"GET", "packages/" + digest(content("Orders")), ""},
		{"PUT", "instance", `{"instanceId":"instance-orders","state":"active"}`},
		{"PUT", "triggers", `{"hostId":"orders","functions":[{"name":"Evil"}]}`},
		{"POST", "invocations", `{"invocations":[{"id":"evil","function":"Hello","instanceId":"instance-orders"}]}`},
		{"POST", "logs", `{"lines":[{"id":"instance-orders-1","message":"evil","instanceId":"instance-orders"}]}`},
		{"GET", "schedules/Tick", ""},
		{"POST", "schedules/Tick/occurrences", fmt.Sprintf(`{"due":%q,"instanceId":"instance-orders"}`, time.Now().UTC().Format(time.RFC3339))},
		{"POST", "leases/lock", `{"owner":"evil","ttlSeconds":30}`},
		{"PUT", "leases/lock", `{"owner":"mine","ttlSeconds":30}`},
		{"DELETE", "leases/lock?owner=mine", ""},
	}
}

// A token of another app opens nothing of Orders: what it may call concerns its own app alone.
func TestOtherAppsToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, orders := t.Context(), r.worker(t, ordersToken)
	ok(t, orders.Claim(ctx, "Tick", link.Occurrence{Due: time.Now().Add(-time.Minute)}))
	ok(t, orders.TakeLease(ctx, "lock", link.LeaseRequest{Owner: "mine", TTLSeconds: 300}))
	for _, c := range everyCall(r) {
		status, body := r.call(t, c.method, "/hostapi/v1/"+c.path, billsToken, c.body)
		for _, secret := range []string{"secret of Orders", "content of Orders", digest(content("Orders")), `"Orders"`} {
			if strings.Contains(body, secret) {
				t.Errorf("%s %s answers %q: %d %s", c.method, c.path, secret, status, body)
			}
		}
		if strings.Contains(c.path, "packages") && status != http.StatusNotFound || c.path == "instance" && status != http.StatusForbidden {
			t.Errorf("%s %s: %d", c.method, c.path, status)
		}
	}
	if instances, err := r.db.Instances(ctx, r.orders.ID); err != nil || len(instances) != 0 {
		t.Errorf("instances of Orders: %v %v", instances, err)
	}
	if _, err := r.db.Triggers(ctx, r.orders.ID, 1); azfunc.CodeOf(err) != azfunc.NotFound {
		t.Errorf("triggers of Orders: %v", err)
	}
	if all, _, err := r.db.Invocations(ctx, r.orders.ID, "", store.Page{}); err != nil || len(all) != 0 {
		t.Errorf("invocations of Orders: %v %v", all, err)
	}
	if lines, _, err := r.db.Logs(ctx, r.orders.ID, store.LogFilter{}, store.Page{}); err != nil || len(lines) != 0 {
		t.Errorf("log of Orders: %v %v", lines, err)
	}
	if last, err := r.db.LastOccurrence(ctx, r.orders.ID, "Tick"); err != nil || last.After(time.Now().Add(-30*time.Second)) {
		t.Errorf("Orders' timer was claimed: %v %v", last, err)
	}
	ok(t, orders.RenewLease(ctx, "lock", link.LeaseRequest{Owner: "mine", TTLSeconds: 300})) // still its own
	for _, name := range r.ensured {
		if strings.HasPrefix(name, r.orders.ID) {
			t.Errorf("keys were made for %s", name)
		}
	}
}

// Without the token of a running instance every path answers 401, also those that do not exist.
func TestNoToken(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.tokens["gone"] = hostapi.Instance{ID: "x", App: "deleted", Revision: 1}
	r.tokens["empty"] = hostapi.Instance{}
	calls := append(everyCall(r), struct{ method, path, body string }{"GET", "nope", ""})
	for _, c := range calls {
		for token, want := range map[string]int{"": 401, "wrong": 401, "empty": 401, "gone": 404} {
			if status, body := r.call(t, c.method, "/hostapi/v1/"+c.path, token, c.body); status != want {
				t.Errorf("%s %s with %q: %d, want %d: %s", c.method, c.path, token, status, want, body)
			}
		}
	}
}

// A revision's token does not open another revision of the same app.
func TestOtherRevision(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rev := r.publish(t, r.orders, []byte("two"))
	status, _ := r.call(t, http.MethodGet, "/hostapi/v1/packages/"+rev.PackageSHA256, ordersToken, "")
	if status != http.StatusNotFound {
		t.Errorf("the package of revision 2 with the token of revision 1: %d", status)
	}
}
