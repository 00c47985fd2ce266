package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/discovery"
)

// Config is what an operator may choose. A zero value means the default that the field names.
type Config struct {
	Domain   string // apps are <app>.<Domain>; default "functions.localhost"
	PathForm bool   // also serve /<app>/... on hosts that are not an app's
	// TrustedProxies are the peers whose x-forwarded-* headers are believed; from anybody else they are replaced.
	TrustedProxies []netip.Prefix
	// Admin answers the /admin paths that are the manager's (keys, vfs, function writes). It finds the app's name in
	// r.PathValue("app") and the canonical path in r.URL.Path. nil answers 404.
	Admin http.Handler
	Wake  WakeFunc // nil: nobody to wake, only wait

	WakeTimeout     time.Duration // how long a request waits for a first instance; default 10 s
	MaxWaiters      int           // requests of one app that may wait for it; default 1000
	MaxInFlight     int           // requests of one app under way; default 10000
	MaxQueue        int           // requests of one app waiting for those; default 10000
	QueueTimeout    time.Duration // how long one waits there; default 30 s
	OverloadStatus  int           // when the queue is full: 429 (default) or 503
	ResponseTimeout time.Duration // from the request's last byte to the answer's header; default 230 s, as Azure's front end
	DialTimeout     time.Duration // per connect; default 2 s
	ReconnectWait   time.Duration // how long a request outlasts instances that refuse connections; default 3 s
}

func (c Config) withDefaults() Config {
	if c.Domain == "" {
		c.Domain = "functions.localhost"
	}
	c.Domain = strings.ToLower(strings.Trim(c.Domain, "."))
	setDefault(&c.WakeTimeout, 10*time.Second)
	setDefault(&c.MaxWaiters, 1000)
	setDefault(&c.MaxInFlight, 10000)
	setDefault(&c.MaxQueue, 10000)
	setDefault(&c.QueueTimeout, 30*time.Second)
	setDefault(&c.OverloadStatus, http.StatusTooManyRequests)
	setDefault(&c.ResponseTimeout, 230*time.Second)
	setDefault(&c.DialTimeout, 2*time.Second)
	setDefault(&c.ReconnectWait, 3*time.Second)
	return c
}

func setDefault[T int | time.Duration](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

// Validate says what cannot work, in an Invalid error.
func (c Config) Validate() error {
	if s := c.OverloadStatus; s != 0 && s != http.StatusTooManyRequests && s != http.StatusServiceUnavailable {
		return azfunc.Errorf(azfunc.Invalid, "the gateway answers 429 or 503 when an app's queue is full, not %d", s)
	}
	if c.MaxInFlight < 0 || c.MaxQueue < 0 || c.MaxWaiters < 0 {
		return azfunc.Errorf(azfunc.Invalid, "the gateway's limits of requests cannot be negative")
	}
	return nil
}

// Snapshots is discovery: the last picture, and a channel that closes when a newer one is published.
type Snapshots interface {
	Current() *discovery.Snapshot
	Changed() <-chan struct{}
}

// Signer makes the token by which an instance knows that a request came through a gateway.
type Signer interface {
	Token(app string) (string, error)
}

// WakeFunc asks for an instance of an app that has none. It returns at once; it is called again about each second
// while requests wait. The message of an azfunc.Error is told to them when the wait ends in vain.
type WakeFunc func(ctx context.Context, app string) error

// Gateway is an http.Handler. It is safe for concurrent use.
type Gateway struct {
	cfg       Config
	snapshots Snapshots
	signer    Signer
	logger    zerolog.Logger
	transport *http.Transport
	metrics   *metrics
	buffers   sync.Pool // *[]byte for copying bodies

	apps   atomic.Pointer[map[string]*appState] // by App.Name; copied to add one
	adding sync.Mutex
}

// New makes a Gateway and registers its metrics with registerer, if there is one. It starts nothing; Close ends its
// idle connections.
func New(cfg Config, snapshots Snapshots, signer Signer, logger zerolog.Logger, registerer prometheus.Registerer) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	g := &Gateway{cfg: cfg.withDefaults(), snapshots: snapshots, signer: signer, logger: logger}
	g.buffers.New = func() any { b := make([]byte, copyBufferBytes); return &b }
	g.transport = newTransport(g.cfg, &g.buffers)
	g.apps.Store(&map[string]*appState{})
	g.metrics = newMetrics(g)
	if registerer != nil {
		if err := registerer.Register(g.metrics); err != nil {
			return nil, azfunc.Errorf(azfunc.Internal, "register the gateway's metrics: %w", err)
		}
	}
	return g, nil
}

// Close ends idle connections to instances. Requests under way are not touched.
func (g *Gateway) Close() { g.transport.CloseIdleConnections() }

// ServeHTTP routes, admits and proxies one request. It panics with http.ErrAbortHandler, and with nothing else, when
// the caller must not take what it got for a whole answer.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer g.recovered(r)
	t, fail := g.route(r)
	if fail != nil {
		g.answer(w, r, fail)
		return
	}
	switch t.door {
	case doorClosed:
		g.answer(w, r, failNotOutside(t.app.Name))
	case doorManager:
		g.serveAdmin(w, r, t)
	case doorInstance:
		g.serveApp(w, r, t)
	}
}

// recovered logs a panic of our own making, which net/http would tell only to its error log. It is the deferred call
// itself, as recover asks.
func (g *Gateway) recovered(r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		g.logger.Error().Interface("panic", v).Bytes("stack", debug.Stack()).Str("host", r.Host).Str("path", r.URL.Path).Msg("panic in the gateway")
	}
	panic(http.ErrAbortHandler)
}

// serveAdmin hands a request for the host's own API to the manager, with the app's name and the path that was
// checked, so that nobody reads the path another way.
func (g *Gateway) serveAdmin(w http.ResponseWriter, r *http.Request, t target) {
	if g.cfg.Admin == nil {
		g.answer(w, r, failNotOutside(t.app.Name))
		return
	}
	r2 := r.Clone(r.Context())
	r2.URL.Path, r2.URL.RawPath = t.path, ""
	r2.Header = make(http.Header, len(r.Header)+extraHeaders)
	g.requestHeaders(r2.Header, r, t.prefix)
	r2.SetPathValue("app", t.app.Name)
	g.cfg.Admin.ServeHTTP(w, r2)
}

func (g *Gateway) serveApp(w http.ResponseWriter, r *http.Request, t target) {
	s := g.state(t.app.Name)
	s.requests.Add(1)
	release, fail := g.admit(r.Context(), s)
	if fail != nil {
		s.count(fail.status)
		g.answer(w, r, fail)
		return
	}
	x := &exchange{g: g, w: w, in: r, target: t, state: s}
	defer release()
	defer x.end()
	if fail := x.run(); fail != nil { //nolint:contextcheck // it uses the context of the request that it holds
		x.status = fail.status
		g.answer(w, r, fail)
	}
}
