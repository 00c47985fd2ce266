package gateway_test

import (
	"crypto/ed25519"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/discovery"
	"github.com/nightshift-functions/nightshift/internal/requesttoken"
	"github.com/nightshift-functions/nightshift/manager/gateway"
)

// board is a picture that a test paints.
type board struct {
	current atomic.Pointer[discovery.Snapshot]
	mu      sync.Mutex
	changed chan struct{}
}

func newBoard(apps ...discovery.App) *board {
	b := &board{changed: make(chan struct{})}
	b.publish(apps...)
	return b
}

func (b *board) publish(apps ...discovery.App) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current.Store(discovery.NewSnapshot(apps))
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *board) Current() *discovery.Snapshot { return b.current.Load() }

func (b *board) Changed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

// app is live with one revision on these addresses, whose instance ids are the addresses.
func app(name string, addresses ...string) discovery.App {
	return discovery.App{Name: name, Generation: 1, Targets: []discovery.Target{target(1, 100, addresses...)}}
}

func target(revision int64, weight int, addresses ...string) discovery.Target {
	t := discovery.Target{Revision: revision, Weight: weight}
	for _, a := range addresses {
		t.Endpoints = append(t.Endpoints, discovery.Endpoint{InstanceID: "i-" + a, Address: a})
	}
	return t
}

// rig is a gateway that listens.
type rig struct {
	*board
	gateway  *gateway.Gateway
	server   *httptest.Server
	signer   *requesttoken.Signer
	registry *prometheus.Registry
}

func newRig(t testing.TB, cfg gateway.Config, apps ...discovery.App) *rig {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{board: newBoard(apps...), signer: requesttoken.NewSigner(key, time.Now), registry: prometheus.NewRegistry()}
	cfg.PathForm = true
	if r.gateway, err = gateway.New(cfg, r.board, r.signer, zerolog.New(io.Discard).Level(zerolog.WarnLevel), r.registry); err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewServer(r.gateway)
	t.Cleanup(func() { r.server.Close(); r.gateway.Close() })
	return r
}

// instance is a backend; it returns its address.
func instance(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// says answers every request with text.
func says(t testing.TB, text string) string {
	t.Helper()
	return instance(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

// deadAddress is a port that refuses connections.
func deadAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// send does one request on a connection of its own; edit may be nil.
func (r *rig) send(t testing.TB, method, path string, body io.Reader, edit func(*http.Request)) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(req)
	}
	resp, err := r.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (r *rig) get(t testing.TB, path string) (int, string, http.Header) {
	t.Helper()
	resp := r.send(t, http.MethodGet, path, nil, nil)
	return resp.StatusCode, text(t, resp), resp.Header
}

func text(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// scrape returns the lines of /metrics that contain part.
func (r *rig) scrape(t testing.TB, part string) string {
	t.Helper()
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, part) && !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, "\n")
}

// eventually waits until ok, without sleeping blindly for longer than needed.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}
