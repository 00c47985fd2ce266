package gateway

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nightshift-functions/nightshift/internal/discovery"
)

// appState is what the gateway counts for one app. It outlives snapshots.
type appState struct {
	name    string
	slots   chan struct{} // one element per request under way
	release func()        // gives a slot back; made once, so that a request allocates none

	requests atomic.Uint64
	queued   atomic.Int64
	waiting  atomic.Int64 // for a first instance
	answered [6]atomic.Uint64
	wokenAt  atomic.Int64 // Unix nanoseconds of the last call of Wake
	wakeWord atomic.Pointer[string]

	compiled  atomic.Pointer[compiledApp]
	compiling sync.Mutex
}

// state returns the app's counters, made on first use.
func (g *Gateway) state(app string) *appState {
	if s := (*g.apps.Load())[app]; s != nil {
		return s
	}
	g.adding.Lock()
	defer g.adding.Unlock()
	have := *g.apps.Load()
	if s := have[app]; s != nil {
		return s
	}
	s := &appState{name: app, slots: make(chan struct{}, g.cfg.MaxInFlight)}
	s.release = func() { <-s.slots }
	next := maps.Clone(have)
	maps.DeleteFunc(next, func(_ string, old *appState) bool { return old.idle() && g.snapshots.Current().App(old.name) == nil })
	next[app] = s
	g.apps.Store(&next)
	return s
}

// idle apps that are no longer in the picture are forgotten.
func (s *appState) idle() bool {
	return len(s.slots) == 0 && s.queued.Load() == 0
}

// count adds an answer to its status class.
func (s *appState) count(status int) {
	if class := status / 100; class > 0 && class < len(s.answered) {
		s.answered[class].Add(1)
	}
}

// admit takes one of the app's slots, waiting in its bounded queue if all are taken. The returned func gives it
// back and must be called once.
func (g *Gateway) admit(ctx context.Context, s *appState) (release func(), fail *failure) {
	select {
	case s.slots <- struct{}{}:
		return s.release, nil
	default:
	}
	defer s.queued.Add(-1)
	if s.queued.Add(1) > int64(g.cfg.MaxQueue) {
		return nil, failQueueFull(s.name, g.cfg.OverloadStatus)
	}
	timer := time.NewTimer(g.cfg.QueueTimeout)
	defer timer.Stop()
	select {
	case s.slots <- struct{}{}:
		return s.release, nil
	case <-timer.C:
		return nil, failQueueTimeout(s.name)
	case <-ctx.Done():
		return nil, failClientGone()
	}
}

// AppLoad is one app's traffic as this gateway sees it, for the scale role.
type AppLoad struct {
	App      string
	Requests uint64 // since the gateway first saw the app
	InFlight int
	Queued   int // for a slot
	Waiting  int // for a first instance
}

// Load returns the traffic of every app that has had any.
func (g *Gateway) Load() []AppLoad {
	states := *g.apps.Load()
	load := make([]AppLoad, 0, len(states))
	for _, s := range states {
		load = append(load, AppLoad{App: s.name, Requests: s.requests.Load(), InFlight: len(s.slots),
			Queued: int(s.queued.Load()), Waiting: int(s.waiting.Load())})
	}
	return load
}

// compiledApp is an app of one snapshot with its instances' counters.
type compiledApp struct {
	app     *discovery.App
	targets []compiledTarget // those with a weight and an endpoint
}

type compiledTarget struct {
	weight    int
	endpoints []*endpoint
}

// compile returns the counters for app. They are made anew when the snapshot is another one; an instance that is in
// both keeps its own.
func (s *appState) compile(app *discovery.App, snapshots Snapshots) *compiledApp {
	if c := s.compiled.Load(); c != nil && c.app == app {
		return c
	}
	s.compiling.Lock()
	defer s.compiling.Unlock()
	// Of two requests that hold different snapshots, the newer picture must win, or counters would be lost.
	if newest := snapshots.Current().App(app.Name); newest != nil {
		app = newest
	}
	old := s.compiled.Load()
	if old != nil && old.app == app {
		return old
	}
	c := newCompiledApp(app, old)
	s.compiled.Store(c)
	return c
}

func newCompiledApp(app *discovery.App, old *compiledApp) *compiledApp {
	known := map[discovery.Endpoint]*endpoint{}
	if old != nil {
		for _, t := range old.targets {
			for _, e := range t.endpoints {
				known[e.Endpoint] = e
			}
		}
	}
	c := &compiledApp{app: app}
	for _, t := range app.Targets {
		if t.Weight <= 0 || len(t.Endpoints) == 0 {
			continue
		}
		ct := compiledTarget{weight: t.Weight, endpoints: make([]*endpoint, len(t.Endpoints))}
		for i, e := range t.Endpoints {
			if ct.endpoints[i] = known[e]; ct.endpoints[i] == nil {
				ct.endpoints[i] = &endpoint{Endpoint: e}
			}
		}
		c.targets = append(c.targets, ct)
	}
	return c
}
