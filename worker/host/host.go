package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/requesttoken"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/customhandler"
	"github.com/nightshift-functions/nightshift/worker/invoke"
	"github.com/nightshift-functions/nightshift/worker/process"
	"github.com/nightshift-functions/nightshift/worker/record"
	"github.com/nightshift-functions/nightshift/worker/trigger"
)

// engine is where an app's functions live.
type engine interface {
	invoke.Runner
	Failed() <-chan error
	Workers() []hostapi.LanguageWorkerIs
	Restart()
	Stop()
}

// loaded is an app that runs. It never changes once it is published.
type loaded struct {
	spec       hostapi.Spec
	host       azfunc.HostJSON
	functions  []*channel.Function
	router     *trigger.Router[*httpFunction]
	engine     engine
	forwarder  *customhandler.Handler  // nil unless the app is a custom handler
	streamer   *invoke.LanguageWorkers // nil when it is
	dispatcher *invoke.Dispatcher
	runtime    string
	maxBody    int64
}

// Host is one instance of one revision. Make it with New, run it once with Run.
type Host struct {
	cfg      Config
	verifier *requesttoken.Verifier
	recorder *record.Recorder
	started  time.Time
	app      atomic.Pointer[loaded]
	keyring  atomic.Pointer[Keyring]
	ready    atomic.Bool // of state, for the readiness check
	kick     chan struct{}
	stop     chan string // why the instance is to end, by a command

	mu       sync.Mutex
	state    State
	address  string
	spec     hostapi.Spec
	phases   []hostapi.StartPhase
	warnings []string
	failure  *hostapi.Failure
	done     []string // ids of commands done
	timers   *timers
	retired  []*timers // stopped, and waited for at the end

	reporting sync.Mutex // one report at a time, so that they arrive in order
}

// New makes a Host.
func New(cfg Config) *Host {
	h := &Host{
		cfg: cfg, verifier: requesttoken.NewVerifier(cfg.App, time.Now), started: time.Now(),
		recorder: record.New(cfg.Link, cfg.InstanceID, cfg.Log), kick: make(chan struct{}, 1), stop: make(chan string, 1),
	}
	h.keyring.Store(NewKeyring(hostapi.Keys{}))
	return h
}

// Run starts the app, serves it until ctx ends (SIGTERM) or it cannot go on, drains, and returns. The error says why it
// ended otherwise than asked; the manager has been told then.
func (h *Host) Run(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", h.cfg.Listen, err)
	}
	h.mu.Lock()
	h.address = listener.Addr().String()
	h.mu.Unlock()
	server := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var group sync.WaitGroup
	group.Go(func() { _ = server.Serve(listener) })
	group.Go(func() { h.recorder.Run(work) })
	group.Go(func() { h.keepReporting(work) })
	err = h.live(ctx, work)
	h.shutDown(work, server)
	cancel()
	group.Wait()
	return err
}

// live is the instance's life between the first word from the manager and the last request.
func (h *Host) live(ctx, work context.Context) error {
	app, etag, err := h.start(ctx)
	if err != nil && ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop while it was starting
	}
	if err != nil {
		h.fail(work, err)
		return err
	}
	watch, cancel := context.WithCancel(work)
	var group sync.WaitGroup
	group.Go(func() { h.follow(watch, etag) })
	select {
	case <-ctx.Done():
	case reason := <-h.stop:
		h.cfg.Log.Info().Str("reason", reason).Msg("stopping")
	case err = <-app.engine.Failed():
		h.fail(work, err)
	}
	h.drain(work, app)
	cancel()
	group.Wait()
	return err
}

// drain lets the work in flight end: the readiness check fails, listeners stop, requests are served up to the limit.
func (h *Host) drain(ctx context.Context, app *loaded) {
	h.change(ctx, func(s *State) { s.Stopping = true })
	limit := time.NewTimer(seconds(app.spec.Limits.DrainTimeoutSeconds, defaultDrainTimeout))
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for app.dispatcher.InFlight() > 0 {
		select {
		case <-tick.C:
		case <-limit.C:
			h.cfg.Log.Warn().Int("inFlight", app.dispatcher.InFlight()).Msg("drain timeout: requests are cut off")
			return
		}
	}
}

// shutDown ends the server and what runs functions, and says so.
func (h *Host) shutDown(ctx context.Context, server *http.Server) {
	h.change(ctx, func(s *State) { s.Stopping, s.Stopped = true, true })
	bound, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if server.Shutdown(bound) != nil {
		_ = server.Close()
	}
	if app := h.app.Load(); app != nil {
		app.engine.Stop()
	}
	h.mu.Lock()
	retired := h.retired
	h.mu.Unlock()
	for _, t := range retired {
		t.group.Wait() // what they were running has failed by now, its engine is gone
	}
	bound, cancel = context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	h.report(bound)
}

// change moves the state and does what follows from it: timers start and stop, the manager hears of it.
func (h *Host) change(ctx context.Context, step func(*State)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.state
	step(&h.state)
	if before == h.state {
		return
	}
	h.ready.Store(h.state.Ready())
	if before.Listening() && !h.state.Listening() {
		h.timers.stop()
		h.retired = append(h.retired, h.timers)
	}
	if !before.Listening() && h.state.Listening() {
		h.timers = h.startTimers(ctx, Deployed(before, h.state))
	}
	h.cfg.Log.Info().Str("state", string(h.state.Instance())).Msg("instance state")
	h.nudge()
}

func (h *Host) draining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state.Instance() == hostapi.StateDraining
}

// nudge makes a report go out now.
func (h *Host) nudge() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// fail notes why the instance cannot serve and tells the manager before anything else happens.
func (h *Host) fail(ctx context.Context, err error) {
	f := &hostapi.Failure{Message: err.Error(), At: time.Now().UTC(), Permanent: permanent(err)}
	if p, ok := errors.AsType[*process.Error](err); ok {
		f.Message, f.StderrLines = p.Message, p.Stderr
	}
	h.mu.Lock()
	h.failure = f
	h.mu.Unlock()
	h.cfg.Log.Error().Err(err).Strs("stderr", f.StderrLines).Bool("permanent", f.Permanent).Msg("the app cannot run")
	h.recorder.Log(hostapi.LogLine{Level: "error", Category: "Host.Startup", Message: f.Message})
	h.change(ctx, func(s *State) { s.Failed = true })
	bound, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	h.report(bound)
}

// permanent reports whether starting again cannot help: the content is wrong, or this node lacks what it needs.
func permanent(err error) bool {
	if p, ok := errors.AsType[*process.Error](err); ok {
		return p.Permanent
	}
	switch azfunc.CodeOf(err) {
	case azfunc.Invalid, azfunc.Unsupported, azfunc.TooLarge:
		return true
	}
	return false
}
