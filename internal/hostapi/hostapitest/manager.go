package hostapitest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// Manager is the fake manager. Its methods are safe for concurrent use.
type Manager struct {
	URL string
	// Token is the bearer token that every call must carry; set it before the first call, "" takes any.
	Token string

	server *httptest.Server

	mu          sync.Mutex
	app         hostapi.App
	version     int
	changed     chan struct{} // closed and replaced whenever anything changes
	packages    map[string][]byte
	reports     []hostapi.InstanceReport
	triggers    []hostapi.Triggers
	invocations []hostapi.Invocation
	logs        []hostapi.LogLine
	claims      map[string]map[time.Time]hostapi.Occurrence
	leases      map[string]string
	down        bool
}

// Start starts a manager that the test's end stops.
func Start(t testing.TB) *Manager {
	t.Helper()
	m := &Manager{
		changed: make(chan struct{}), packages: map[string][]byte{},
		claims: map[string]map[time.Time]hostapi.Occurrence{}, leases: map[string]string{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+hostapi.PathApp, m.getApp)
	mux.HandleFunc("GET "+hostapi.PathPackage, m.getPackage)
	mux.HandleFunc("PUT "+hostapi.PathInstance, keep(m, &m.reports))
	mux.HandleFunc("PUT "+hostapi.PathTriggers, keep(m, &m.triggers))
	mux.HandleFunc("POST "+hostapi.PathInvocations, taking(m, m.postInvocations))
	mux.HandleFunc("POST "+hostapi.PathLogs, taking(m, m.postLogs))
	mux.HandleFunc("GET "+hostapi.PathSchedule, m.getSchedule)
	mux.HandleFunc("POST "+hostapi.PathOccurrences, taking(m, m.claim))
	mux.HandleFunc("POST "+hostapi.PathLease, taking(m, m.takeLease))
	mux.HandleFunc("PUT "+hostapi.PathLease, taking(m, m.takeLease))
	mux.HandleFunc("DELETE "+hostapi.PathLease, m.releaseLease)
	m.server = httptest.NewServer(m.guard(mux))
	m.URL = m.server.URL
	t.Cleanup(func() {
		m.mu.Lock()
		m.notify()
		m.down = true
		m.mu.Unlock()
		m.server.CloseClientConnections()
		m.server.Close()
	})
	return m
}

// guard refuses wrong tokens, and everything while the manager is down.
func (m *Manager) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		down := m.down
		m.mu.Unlock()
		switch {
		case down:
			problem(w, http.StatusServiceUnavailable, azfunc.Unavailable, "down")
		case m.Token != "" && r.Header.Get("Authorization") != "Bearer "+m.Token:
			problem(w, http.StatusUnauthorized, azfunc.Unauthenticated, "wrong token")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// SetDown makes every call fail until it is called with false.
func (m *Manager) SetDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
	m.notify()
}

// SetApp replaces the app; waiting long polls get it.
func (m *Manager) SetApp(app hostapi.App) { m.Update(func(a *hostapi.App) { *a = app }) }

// Update changes the app; waiting long polls get it.
func (m *Manager) Update(change func(*hostapi.App)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.app)
	m.version++
	m.notify()
}

// AddPackage stores a package's bytes and returns how an app names it.
func (m *Manager) AddPackage(zip []byte) hostapi.Package {
	sum := sha256.Sum256(zip)
	p := hostapi.Package{SHA256: hex.EncodeToString(sum[:]), SizeBytes: int64(len(zip))}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.packages[p.SHA256] = zip
	return p
}

// notify wakes whoever waits; the caller holds the lock.
func (m *Manager) notify() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Seen is a copy of all that workers told.
type Seen struct {
	Reports     []hostapi.InstanceReport
	Triggers    []hostapi.Triggers
	Invocations []hostapi.Invocation
	Logs        []hostapi.LogLine
	Claims      map[string][]hostapi.Occurrence
}

// Await waits until what workers told satisfies a condition, and fails the test after limit. The condition is asked
// again whenever something changes, and every 50 ms because it may look elsewhere.
func (m *Manager) Await(t testing.TB, what string, limit time.Duration, ok func(Seen) bool) Seen {
	t.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		seen, changed := m.snapshot()
		if ok(seen) {
			return seen
		}
		select {
		case <-changed:
		case <-again.C:
		case <-timer.C:
			raw, _ := json.MarshalIndent(last(seen.Reports), "", "  ")
			t.Fatalf("within %s there was no %s; the last report was %s\nlogs: %v", limit, what, raw, seen.Logs)
		}
	}
}

// AwaitState waits for a report of a state and returns it.
func (m *Manager) AwaitState(t testing.TB, state hostapi.InstanceState, limit time.Duration) hostapi.InstanceReport {
	t.Helper()
	seen := m.Await(t, "report of state "+string(state), limit, func(s Seen) bool {
		return last(s.Reports).State == state
	})
	return last(seen.Reports)
}

func last(reports []hostapi.InstanceReport) hostapi.InstanceReport {
	if len(reports) == 0 {
		return hostapi.InstanceReport{}
	}
	return reports[len(reports)-1]
}

// Now returns what workers told so far.
func (m *Manager) Now() Seen {
	seen, _ := m.snapshot()
	return seen
}

func (m *Manager) snapshot() (Seen, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	claims := map[string][]hostapi.Occurrence{}
	for fn, of := range m.claims {
		for _, o := range of {
			claims[fn] = append(claims[fn], o)
		}
	}
	return Seen{
		Reports:     append([]hostapi.InstanceReport(nil), m.reports...),
		Triggers:    append([]hostapi.Triggers(nil), m.triggers...),
		Invocations: append([]hostapi.Invocation(nil), m.invocations...),
		Logs:        append([]hostapi.LogLine(nil), m.logs...),
		Claims:      claims,
	}, m.changed
}

func (m *Manager) getApp(w http.ResponseWriter, r *http.Request) {
	wait, _ := strconv.Atoi(strings.TrimPrefix(r.Header.Get("Prefer"), "wait="))
	timer := time.NewTimer(time.Duration(wait) * time.Second)
	defer timer.Stop()
	for {
		m.mu.Lock()
		etag, changed, down := `"`+strconv.Itoa(m.version)+`"`, m.changed, m.down
		raw, err := json.Marshal(m.app)
		m.mu.Unlock()
		if down || err != nil {
			problem(w, http.StatusServiceUnavailable, azfunc.Unavailable, "down")
			return
		}
		if r.Header.Get("If-None-Match") != etag {
			w.Header().Set("ETag", etag)
			_, _ = w.Write(raw)
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			w.WriteHeader(http.StatusNotModified)
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (m *Manager) getPackage(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	zip, ok := m.packages[r.PathValue("sha256")]
	m.mu.Unlock()
	if !ok {
		problem(w, http.StatusNotFound, azfunc.NotFound, "no such package")
		return
	}
	_, _ = w.Write(zip)
}

// taking makes a handler that reads a call's body and hands it to f under the lock.
func taking[T any](m *Manager, f func(w http.ResponseWriter, r *http.Request, body T)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			problem(w, http.StatusBadRequest, azfunc.Invalid, "no JSON")
			return
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		f(w, r, body)
	}
}

// keep stores a call's body in a list of the manager.
func keep[T any](m *Manager, list *[]T) http.HandlerFunc {
	return taking(m, func(w http.ResponseWriter, _ *http.Request, body T) {
		*list = append(*list, body)
		m.notify()
		w.WriteHeader(http.StatusNoContent)
	})
}

func (m *Manager) postInvocations(_ http.ResponseWriter, _ *http.Request, b hostapi.InvocationBatch) {
	m.invocations = append(m.invocations, b.Invocations...)
	m.notify()
}

func (m *Manager) postLogs(_ http.ResponseWriter, _ *http.Request, b hostapi.LogBatch) {
	m.logs = append(m.logs, b.Lines...)
	m.notify()
}

func (m *Manager) getSchedule(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var s hostapi.Schedule
	for due := range m.claims[r.PathValue("function")] {
		if due.After(s.Last) {
			s.Last = due
		}
	}
	_ = json.NewEncoder(w).Encode(s)
}

// SetLast records a claimed occurrence, as if an earlier instance had fired it.
func (m *Manager) SetLast(function string, due time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.claims[function] = map[time.Time]hostapi.Occurrence{due.UTC(): {Due: due, InstanceID: "earlier"}}
}

func (m *Manager) claim(w http.ResponseWriter, r *http.Request, o hostapi.Occurrence) {
	fn := r.PathValue("function")
	if m.claims[fn] == nil {
		m.claims[fn] = map[time.Time]hostapi.Occurrence{}
	}
	if earlier, taken := m.claims[fn][o.Due.UTC()]; taken && (o.Attempt == "" || o.Attempt != earlier.Attempt) {
		problem(w, http.StatusConflict, azfunc.Conflict, "taken")
		return
	}
	m.claims[fn][o.Due.UTC()] = o
	m.notify()
	w.WriteHeader(http.StatusCreated)
}

func (m *Manager) takeLease(w http.ResponseWriter, r *http.Request, l hostapi.LeaseRequest) {
	holder := m.leases[r.PathValue("name")]
	if (holder != "" && holder != l.Owner) || (holder == "" && r.Method == http.MethodPut) {
		problem(w, http.StatusConflict, azfunc.Conflict, "held by "+holder)
		return
	}
	m.leases[r.PathValue("name")] = l.Owner
	w.WriteHeader(http.StatusCreated)
}

func (m *Manager) releaseLease(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leases[r.PathValue("name")] == r.URL.Query().Get("owner") {
		delete(m.leases, r.PathValue("name"))
	}
	w.WriteHeader(http.StatusNoContent)
}

func problem(w http.ResponseWriter, status int, code azfunc.Code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(hostapi.Problem{Code: string(code), Message: message})
}

// DropPackages forgets every package.
func (m *Manager) DropPackages() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.packages = map[string][]byte{}
}

// SpoilPackages changes what is served under the packages' digests.
func (m *Manager) SpoilPackages(change func([]byte) []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for digest, zip := range m.packages {
		m.packages[digest] = change(append([]byte(nil), zip...))
	}
}
