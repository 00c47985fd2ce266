package channel

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/process"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// patience is how long an invocation waits for a language worker while none is ready.
const patience = 5 * time.Second

// Pool keeps an app's language workers. Use it in this order: Spawn, Init, Index, Load; then Invoke from any goroutine,
// and Stop. Load starts a goroutine per process, which Stop ends.
type Pool struct {
	o     Options
	first *Channel // until Load hands it over

	functions []*Function
	failed    chan error
	stop      context.CancelFunc
	group     sync.WaitGroup

	mu       sync.Mutex
	loaded   bool // the keepers own the channels
	ready    []*Channel
	next     int
	changed  chan struct{} // closed and replaced whenever ready changes
	budget   process.Budget
	restarts int
	lastErr  error
}

// NewPool makes a pool; nothing runs yet.
func NewPool(o Options) *Pool {
	return &Pool{
		o: o, failed: make(chan error, 1), changed: make(chan struct{}),
		budget: process.Budget{Processes: o.count()}, stop: func() {},
	}
}

// Spawn starts the first language worker and waits for its stream.
func (p *Pool) Spawn(ctx context.Context) error {
	c, err := spawn(ctx, p.o)
	p.first = c
	return err
}

// Init initialises the first language worker: the app's code may be loaded here.
func (p *Pool) Init(ctx context.Context) error { return p.first.init(ctx) }

// Index asks the first language worker for the functions; useDefault means that the host reads function.json files.
func (p *Pool) Index(ctx context.Context) (functions []*Function, useDefault bool, err error) {
	return p.first.index(ctx)
}

// Capabilities returns what the language worker can do; only after Init.
func (p *Pool) Capabilities() Capabilities { return p.first.Capabilities }

// Runtime returns the runtime's name and version as the language worker gave them, such as "node 20.20.2".
func (p *Pool) Runtime() string {
	m := p.first.Runtime
	if m.GetRuntimeName() == "" {
		return p.o.Config.Language
	}
	return m.GetRuntimeName() + " " + m.GetRuntimeVersion()
}

// Stderr returns the first language worker's last lines of standard error.
func (p *Pool) Stderr() []string {
	if p.first == nil {
		return nil
	}
	return p.first.proc.Stderr()
}

// Load loads the functions into the first language worker, notes what did not load as the function's problem, and
// from then on keeps the wanted number of language workers running: the others start side by side.
func (p *Pool) Load(ctx context.Context, functions []*Function) error {
	p.functions = functions
	if err := p.first.load(ctx, functions); err != nil {
		return err
	}
	for _, f := range functions {
		if problem := p.first.problem(f.ID); problem != "" {
			f.Problem = problem
		}
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.mu.Lock()
	p.stop, p.loaded = stop, true
	p.mu.Unlock()
	p.add(p.first)
	for i := range p.o.count() {
		var c *Channel
		if i == 0 {
			c = p.first
		}
		p.group.Go(func() { p.keep(run, c) })
	}
	return nil
}

// keep keeps one language worker alive until ctx ends or the budget is spent.
func (p *Pool) keep(ctx context.Context, c *Channel) {
	for {
		var err error
		if c == nil {
			c, err = p.start(ctx)
		}
		if c != nil {
			select {
			case <-c.Dead():
				err = c.Cause()
			case <-ctx.Done():
				c.Stop() //nolint:contextcheck // ctx is over; stopping has deadlines of its own
				return
			}
			p.remove(c)
			if c.intended() {
				p.o.Log.Info().Err(err).Msg("language worker restarts")
				c = nil
				continue
			}
			c = nil
		}
		if ctx.Err() != nil || !p.pause(ctx, err) {
			return
		}
	}
}

// start brings up one more language worker, ready to be used.
func (p *Pool) start(ctx context.Context) (*Channel, error) {
	c, err := spawn(ctx, p.o)
	if err != nil {
		return nil, err
	}
	if err = c.init(ctx); err == nil {
		err = c.load(ctx, p.functions)
	}
	if err != nil {
		c.Kill("it did not start: " + err.Error())
		<-c.Dead()
		return nil, err
	}
	p.add(c)
	return c, nil
}

// pause counts an error and waits before the restart; false when there is to be none.
func (p *Pool) pause(ctx context.Context, err error) bool {
	p.mu.Lock()
	p.restarts++
	p.lastErr = err
	delay, ok := p.budget.Spend(time.Now(), p.o.Config.Process.RestartInterval)
	p.mu.Unlock()
	p.o.Log.Warn().Err(err).Dur("delay", delay).Bool("again", ok).Msg("language worker lost")
	p.o.Emit(hostapi.LogLine{Level: "error", Category: "Host.General", Message: err.Error()})
	if !ok {
		select {
		case p.failed <- p.exhausted(err):
		default:
		}
		return false
	}
	return process.Pause(ctx, delay)
}

func (p *Pool) exhausted(err error) error {
	f := process.Failf(nil, "the language worker failed too often to be started again; at last: %s", err.Error())
	if last, ok := errors.AsType[*process.Error](err); ok {
		f.Stderr, f.Message = last.Stderr, "the language worker failed too often to be started again; at last: "+last.Message
	}
	return f
}

// Failed yields the reason when the restart budget is spent.
func (p *Pool) Failed() <-chan error { return p.failed }

func (p *Pool) add(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready = append(p.ready, c)
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Pool) remove(c *Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, have := range p.ready {
		if have == c {
			p.ready = append(append([]*Channel(nil), p.ready[:i]...), p.ready[i+1:]...)
			break
		}
	}
}

// Invoke runs one invocation in the next language worker, see Channel.Invoke. While none is ready it waits a few
// seconds; then the error is Unavailable and says why none is.
func (p *Pool) Invoke(ctx context.Context, f *Function, req *rpcpb.InvocationRequest, abandoned <-chan struct{}) (*rpcpb.InvocationResponse, error) {
	for {
		c, err := p.acquire(ctx)
		if err != nil {
			return nil, err
		}
		r, err := c.Invoke(ctx, f, req, abandoned)
		if !errors.Is(err, errNotSent) {
			p.afterwards(ctx, c, f, err)
			return r, err
		}
		p.remove(c) // it is dying; nothing has been asked of it yet, so another may do it
	}
}

// InvokeWith is Invoke with something to do beside it: exchange gets the address of the language worker's own HTTP
// server, and its answer (nil when there is none) as soon as it has come. It returns when both have ended. exchange
// runs in the caller's goroutine, so that it may panic as an HTTP handler does.
func (p *Pool) InvokeWith(ctx context.Context, f *Function, req *rpcpb.InvocationRequest, abandoned <-chan struct{},
	exchange func(uri string, answered <-chan *rpcpb.InvocationResponse),
) (*rpcpb.InvocationResponse, error) {
	c, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	var r *rpcpb.InvocationResponse
	answered := make(chan *rpcpb.InvocationResponse, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r, err = c.Invoke(ctx, f, req, abandoned)
		answered <- r
	}()
	defer func() { <-ended }()
	exchange(c.Capabilities.HTTPURI, answered)
	<-ended
	p.afterwards(ctx, c, f, err)
	return r, err
}

// afterwards ends a language worker whose function ran into the functionTimeout, as Azure's host does: the code may
// never return.
func (p *Pool) afterwards(ctx context.Context, c *Channel, f *Function, err error) {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.remove(c)
		c.Kill("function " + f.Name + " ran longer than functionTimeout")
	}
}

func (p *Pool) acquire(ctx context.Context) (*Channel, error) {
	if c, _ := p.pick(); c != nil {
		return c, nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		c, changed := p.pick()
		if c != nil {
			return c, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil, p.unavailable()
		case <-ctx.Done():
			return nil, p.unavailable()
		}
	}
}

func (p *Pool) pick() (*Channel, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready) == 0 {
		return nil, p.changed
	}
	p.next++
	return p.ready[p.next%len(p.ready)], nil
}

func (p *Pool) unavailable() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lastErr == nil {
		return azfunc.Errorf(azfunc.Unavailable, "no language worker is ready")
	}
	return azfunc.Errorf(azfunc.Unavailable, "no language worker is ready: %s", process.Public(p.lastErr))
}

// Workers describes the running processes.
func (p *Pool) Workers() []hostapi.LanguageWorkerIs {
	p.mu.Lock()
	ready, restarts := p.ready, p.restarts
	p.mu.Unlock()
	list := make([]hostapi.LanguageWorkerIs, len(ready))
	for i, c := range ready {
		list[i] = hostapi.LanguageWorkerIs{PID: c.PID(), RSSBytes: c.RSSBytes(), Restarts: restarts}
	}
	return list
}

// Restart ends every language worker; they come up again, and this does not count against the budget.
func (p *Pool) Restart() {
	p.mu.Lock()
	ready := p.ready
	p.mu.Unlock()
	for _, c := range ready {
		p.remove(c)
		c.Kill("a restart was asked for")
	}
}

// Stop ends every language worker and returns when they are gone. Call it once nothing is in flight.
func (p *Pool) Stop() {
	p.mu.Lock()
	loaded := p.loaded
	p.mu.Unlock()
	if !loaded {
		if p.first != nil { // it serves nothing yet, so there is nobody to be polite to
			p.first.Kill("it did not start")
			<-p.first.Dead()
		}
		return
	}
	p.stop()
	p.group.Wait()
}
