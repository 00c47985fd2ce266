package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/discovery"
	"github.com/nightshift-functions/nightshift/manager/gateway"
)

type problem struct{ Code, Message, App, RequestID string }

func TestAnswersOfThePlatform(t *testing.T) {
	t.Parallel()
	apps := []discovery.App{
		app("hello", says(t, "hi")),
		{Name: "off", Stopped: true, Targets: []discovery.Target{target(1, 100, says(t, "hi"))}},
		{Name: "new", Waiting: "waiting for capacity"},
		{Name: "silent"},
		{Name: "empty", Waiting: "its instance at 10.1.2.3:8080 and [fe80::1]:99 on node-7:8080 has failed", Targets: []discovery.Target{{Revision: 1, Weight: 100}}},
	}
	r := newRig(t, gateway.Config{WakeTimeout: 30 * time.Millisecond}, apps...)
	for path, want := range map[string]struct {
		status     int
		code, app  string
		says       []string
		retryAfter bool
	}{
		"/nope/api/x":              {404, gateway.CodeAppNotFound, "nope", []string{`"nope"`}, false},
		"/":                        {404, gateway.CodeAppNotFound, "", nil, false},
		"/off/api/x":               {403, gateway.CodeAppStopped, "off", []string{"This web app is stopped.", `"off"`}, false},
		"/new/api/x":               {503, gateway.CodeNoRevision, "new", []string{"waiting for capacity"}, true},
		"/silent/api/x":            {503, gateway.CodeNoRevision, "silent", []string{`"silent"`}, true},
		"/empty/api/x":             {503, gateway.CodeNoInstance, "empty", []string{"has failed"}, true},
		"/hello/admin/host/config": {404, gateway.CodeNotServedOutside, "hello", nil, false},
		"/hello/admin/host/keys":   {404, gateway.CodeNotServedOutside, "hello", nil, false}, // no Admin handler given
	} {
		status, body, h := r.get(t, path)
		var p problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Errorf("%s: %s: %v", path, body, err)
		}
		if status != want.status || p.Code != want.code || p.App != want.app || h.Get(gateway.HeaderError) != want.code {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if p.RequestID == "" || h.Get("x-ms-request-id") != p.RequestID || (h.Get("Retry-After") != "") != want.retryAfter {
			t.Errorf("%s: %v %s", path, h, body)
		}
		for _, s := range want.says {
			if !strings.Contains(p.Message, s) {
				t.Errorf("%s: %q does not say %q", path, p.Message, s)
			}
		}
		for _, s := range []string{"10.1.2.3", "fe80", "node-7", "8080"} {
			if strings.Contains(p.Message, s) {
				t.Errorf("%s: %q tells an address", path, body)
			}
		}
	}
}

func TestBrowserGetsText(t *testing.T) {
	t.Parallel()
	r := newRig(t, gateway.Config{}, discovery.App{Name: "off", Stopped: true})
	resp := r.send(t, http.MethodGet, "/off/", nil, func(req *http.Request) { req.Header.Set("Accept", "text/html,*/*") })
	body := text(t, resp)
	if !strings.HasPrefix(body, "Error 403 - This web app is stopped.") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") ||
		!strings.Contains(body, resp.Header.Get("x-ms-request-id")) || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got %s %v", body, resp.Header)
	}
}

func TestBeforeTheFirstPicture(t *testing.T) {
	t.Parallel()
	r := newRig(t, gateway.Config{})
	r.current.Store(nil)
	if status, _, h := r.get(t, "/hello/api/x"); status != 503 || h.Get(gateway.HeaderError) != gateway.CodeNotReady {
		t.Errorf("got %d", status)
	}
}

type brokenSigner struct{}

func (brokenSigner) Token(string) (string, error) { return "", errors.New("the key is at /etc/secret") }

func TestWithoutATokenNothingIsSent(t *testing.T) {
	t.Parallel()
	var executed atomic.Int64
	address := instance(t, func(http.ResponseWriter, *http.Request) { executed.Add(1) })
	r := newRig(t, gateway.Config{}, app("hello", address))
	g, err := gateway.New(gateway.Config{PathForm: true}, r.board, brokenSigner{}, zerolog.New(io.Discard), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	r.server.Config.Handler = g
	status, body, _ := r.get(t, "/hello/api/x")
	if status != 500 || strings.Contains(body, "secret") || executed.Load() != 0 {
		t.Errorf("got %d %s, executed %d", status, body, executed.Load())
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, cfg := range []gateway.Config{{OverloadStatus: 500}, {MaxInFlight: -1}} {
		if _, err := gateway.New(cfg, newBoard(), brokenSigner{}, zerolog.Nop(), nil); azfunc.CodeOf(err) != azfunc.Invalid {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

func TestAdminGoesToTheManager(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	admin := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.Store(fmt.Sprint(r.PathValue("app"), " ", r.Method, " ", r.URL.Path, " ", r.URL.Query().Get("code"), " ", r.Header.Get("X-Ms-Client-Principal")))
		w.WriteHeader(http.StatusCreated)
	})
	r := newRig(t, gateway.Config{Admin: admin}, app("Hello", says(t, "instance")))
	for path, want := range map[string]string{
		"/hello/admin/host/keys?code=k":             "Hello PUT /admin/host/keys k ",
		"/HELLO//ADMIN/functions/Fn/Keys/x":         "Hello PUT /admin/functions/Fn/keys/x  ",
		"/hello/%61dmin/vfs/site/wwwroot/host.json": "Hello PUT /admin/vfs/site/wwwroot/host.json  ",
	} {
		resp := r.send(t, http.MethodPut, path, strings.NewReader("{}"), func(req *http.Request) { req.Header.Set("X-Ms-Client-Principal", "forged") })
		if diff := cmp.Diff(want, got.Load()); diff != "" || resp.StatusCode != http.StatusCreated {
			t.Errorf("%s: %d %s", path, resp.StatusCode, diff)
		}
	}
	if _, body, _ := r.get(t, "/hello/admin/host/status"); body != "instance" {
		t.Errorf("got %s", body)
	}
}

func TestWake(t *testing.T) {
	t.Parallel()
	var wakes atomic.Int64
	asleep := discovery.App{Name: "Sleepy", Targets: []discovery.Target{target(1, 100)}}
	woken := make(chan string, 100)
	cfg := gateway.Config{Wake: func(_ context.Context, app string) error { wakes.Add(1); woken <- app; return nil }}
	r := newRig(t, cfg, asleep)
	const callers = 50
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			if _, body, _ := r.get(t, "/sleepy/api/x"); body != "awake" {
				t.Errorf("got %s", body)
			}
		})
	}
	if got := <-woken; got != "Sleepy" {
		t.Errorf("woke %q", got)
	}
	eventually(t, "all wait", func() bool {
		return r.scrape(t, "requests_waiting") == fmt.Sprintf(`nightshift_gateway_requests_waiting{app="Sleepy"} %d`, callers)
	})
	r.publish(asleep) // a change that helps nobody
	r.publish(app("Sleepy", says(t, "awake")))
	wg.Wait()
	if n := wakes.Load(); n > 5 {
		t.Errorf("%d callers woke it %d times", callers, n)
	}
}

func TestWakeInVain(t *testing.T) {
	t.Parallel()
	cfg := gateway.Config{WakeTimeout: 40 * time.Millisecond, Wake: func(context.Context, string) error {
		return azfunc.Errorf(azfunc.Conflict, "the plan is asleep until 18:00")
	}}
	r := newRig(t, cfg, discovery.App{Name: "sleepy", Waiting: "starting", Targets: []discovery.Target{target(1, 100)}})
	if status, body, _ := r.get(t, "/sleepy/api/x"); status != 503 || !strings.Contains(body, "asleep until 18") {
		t.Errorf("got %d %s", status, body)
	}
}

func TestWaitersAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t, gateway.Config{MaxWaiters: 3}, discovery.App{Name: "sleepy", Targets: []discovery.Target{target(1, 100)}})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { r.get(t, "/sleepy/api/x") })
	}
	eventually(t, "three wait", func() bool { return strings.HasSuffix(r.scrape(t, "requests_waiting"), " 3") })
	if status, body, _ := r.get(t, "/sleepy/api/x"); status != 503 || !strings.Contains(body, "too many") {
		t.Errorf("got %d %s", status, body)
	}
	r.publish() // the app is deleted
	wg.Wait()
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		hold := make(chan struct{})
		address := instance(t, func(w http.ResponseWriter, _ *http.Request) { <-hold; _, _ = io.WriteString(w, "done") })
		r := newRig(t, gateway.Config{MaxInFlight: 2, MaxQueue: 1, OverloadStatus: status}, app("busy", address), app("calm", says(t, "calm")))
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, body, _ := r.get(t, "/busy/api/x"); body != "done" {
					t.Errorf("got %s", body)
				}
			})
		}
		eventually(t, "two run and one waits", func() bool {
			l := r.gateway.Load()
			return len(l) == 1 && l[0].InFlight == 2 && l[0].Queued == 1
		})
		if got, _, h := r.get(t, "/busy/api/x"); got != status || h.Get(gateway.HeaderError) != gateway.CodeOverloaded || h.Get("Retry-After") == "" {
			t.Errorf("got %d, want %d", got, status)
		}
		if _, body, _ := r.get(t, "/calm/api/x"); body != "calm" {
			t.Error("one app's queue holds another app up")
		}
		close(hold)
		wg.Wait()
	}
}

func TestQueueTimeout(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	address := instance(t, func(http.ResponseWriter, *http.Request) { <-hold })
	r := newRig(t, gateway.Config{MaxInFlight: 1, QueueTimeout: 20 * time.Millisecond}, app("busy", address))
	var wg sync.WaitGroup
	wg.Go(func() { r.get(t, "/busy/api/x") })
	eventually(t, "one runs", func() bool { l := r.gateway.Load(); return len(l) == 1 && l[0].InFlight == 1 })
	if status, _, h := r.get(t, "/busy/api/x"); status != 503 || h.Get(gateway.HeaderError) != gateway.CodeOverloaded {
		t.Errorf("got %d", status)
	}
	close(hold)
	wg.Wait()
}

func TestMetricsPerApp(t *testing.T) {
	t.Parallel()
	address := instance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusBadRequest)
		}
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	for _, path := range []string{"/hello/", "/hello/", "/hello/bad", "/nope/"} {
		r.get(t, path)
	}
	eventually(t, "three requests are counted", func() bool {
		return r.scrape(t, "gateway_requests_total") == `nightshift_gateway_requests_total{app="hello",class="2xx"} 2
nightshift_gateway_requests_total{app="hello",class="4xx"} 1`
	})
	if got := r.scrape(t, "upstream_seconds_count"); got != "nightshift_gateway_upstream_seconds_count 3" {
		t.Error(got)
	}
	if got := r.scrape(t, "gateway_failures_total"); got != `nightshift_gateway_failures_total{code="AppNotFound"} 1` {
		t.Error(got)
	}
	r.publish(app("other", address)) // hello is deleted: its series go when the next app is first called
	r.get(t, "/other/")
	if got := r.scrape(t, `app="hello"`); got != "" {
		t.Errorf("left behind: %s", got)
	}
}
