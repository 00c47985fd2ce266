package customhandler

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/forward"
	"github.com/nightshift-functions/nightshift/worker/process"
)

const (
	pollInterval    = 25 * time.Millisecond
	restartInterval = 10 * time.Second
	killGrace       = 5 * time.Second
	patience        = 5 * time.Second
)

// Options is what a Handler needs. Emit must not block.
type Options struct {
	Config azfunc.CustomHandler
	AppDir string
	Env    map[string]string // the program's whole environment; FUNCTIONS_* of the contract are added
	Emit   func(hostapi.LogLine)
	Log    zerolog.Logger
}

// Handler keeps a custom handler running. Use Start, then Run and Forward from any goroutine, then Stop.
type Handler struct {
	o      Options
	client *http.Client
	proxy  *forward.Proxy
	failed chan error
	stop   context.CancelFunc
	group  sync.WaitGroup

	mu       sync.Mutex
	current  *instance     // nil while none is ready
	changed  chan struct{} // closed and replaced whenever current changes
	restarts int
	lastErr  error
}

// instance is one run of the program.
type instance struct {
	proc *process.Process
	host string // 127.0.0.1:port
	// intended is closed before we end it ourselves.
	intended chan struct{}
}

// New makes a Handler; nothing runs yet.
func New(o Options) *Handler {
	proxy := forward.New(false)
	return &Handler{
		o: o, failed: make(chan error, 1), changed: make(chan struct{}), stop: func() {}, proxy: proxy,
		client: &http.Client{Transport: proxy.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// Start starts the program and waits until it answers. The error is a *process.Error.
func (h *Handler) Start(ctx context.Context) error {
	i, err := h.launch(ctx)
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	h.set(i)
	h.group.Go(func() { h.keep(run, i) })
	return nil
}

// keep restarts the program while the budget lasts.
func (h *Handler) keep(ctx context.Context, i *instance) {
	var budget process.Budget
	for {
		var err error
		if i == nil {
			i, err = h.launch(ctx)
			h.set(i)
		}
		if i != nil {
			select {
			case <-i.proc.Done():
			case <-ctx.Done():
				h.set(nil)
				i.proc.Stop(killGrace)
				return
			}
			h.set(nil)
			exit := i.proc.Exit()
			err = process.Failf(exit.Stderr, "the custom handler died (%s)", exit.Reason)
			if isClosed(i.intended) {
				budget = process.Budget{}
				i = nil
				continue
			}
			i = nil
		}
		if ctx.Err() != nil || !h.pause(ctx, &budget, err) {
			return
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (h *Handler) pause(ctx context.Context, budget *process.Budget, err error) bool {
	delay, ok := budget.Spend(time.Now(), restartInterval)
	h.mu.Lock()
	h.restarts++
	h.lastErr = err
	h.mu.Unlock()
	h.o.Log.Warn().Err(err).Dur("delay", delay).Bool("again", ok).Msg("custom handler lost")
	h.o.Emit(hostapi.LogLine{Level: "error", Category: "Host.General", Message: err.Error()})
	if !ok {
		h.failed <- err
		return false
	}
	return process.Pause(ctx, delay)
}

func (h *Handler) set(i *instance) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.current = i
	close(h.changed)
	h.changed = make(chan struct{})
}

// acquire returns the address of the running program, waiting a few seconds for one.
func (h *Handler) acquire(ctx context.Context) (string, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		h.mu.Lock()
		current, changed, lastErr := h.current, h.changed, h.lastErr
		h.mu.Unlock()
		if current != nil {
			return current.host, nil
		}
		select {
		case <-changed:
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		if lastErr == nil {
			return "", azfunc.Errorf(azfunc.Unavailable, "the custom handler is not ready")
		}
		return "", azfunc.Errorf(azfunc.Unavailable, "the custom handler is not ready: %s", process.Public(lastErr))
	}
}

// Failed yields the reason when the restart budget is spent.
func (h *Handler) Failed() <-chan error { return h.failed }

// Workers describes the running program.
func (h *Handler) Workers() []hostapi.LanguageWorkerIs {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil {
		return nil
	}
	return []hostapi.LanguageWorkerIs{{PID: h.current.proc.PID(), RSSBytes: h.current.proc.RSSBytes(), Restarts: h.restarts}}
}

// Restart ends the program; it comes up again, and this does not count against the budget.
func (h *Handler) Restart() {
	h.mu.Lock()
	i := h.current
	h.mu.Unlock()
	if i != nil && !isClosed(i.intended) {
		close(i.intended)
		i.proc.Kill()
	}
}

// Stop ends the program and returns when it is gone. Call it once nothing is in flight.
func (h *Handler) Stop() {
	h.stop()
	h.group.Wait()
	h.proxy.Close()
}

// launch starts the program and waits for its first answer.
func (h *Handler) launch(ctx context.Context) (*instance, error) {
	port, err := h.port(ctx)
	if err != nil {
		return nil, err
	}
	path, args := h.command()
	env := maps.Clone(h.o.Env)
	maps.Copy(env, map[string]string{
		"FUNCTIONS_CUSTOMHANDLER_PORT":      strconv.Itoa(port),
		"FUNCTIONS_HTTPWORKER_PORT":         strconv.Itoa(port),
		"FUNCTIONS_CUSTOMHANDLER_WORKER_ID": uuid.NewString(),
		"FUNCTIONS_APP_ROOT_PATH":           h.o.AppDir,
	})
	proc, err := process.Start(ctx, process.Command{Path: path, Args: args, Dir: h.workDir(), Env: environ(env), Line: h.console})
	if err != nil {
		return nil, &process.Error{Permanent: true, Message: err.Error() +
			"; customHandler.description.defaultExecutablePath in host.json must name a program in the package or on the node's PATH"}
	}
	i := &instance{proc: proc, host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), intended: make(chan struct{})}
	if err := h.awaitAnswer(ctx, i); err != nil {
		proc.Kill()
		<-proc.Done()
		return nil, err
	}
	return i, nil
}

// port returns host.json's port, or a free one, and makes sure that nobody listens there: whoever does, the program of
// another app or revision, would answer in the place of ours. Between finding it free and the program's listening
// somebody else may take it; the start then fails and is tried again.
func (h *Handler) port(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(h.o.Config.Port)))
	if err != nil && h.o.Config.Port > 0 {
		return 0, process.Failf(nil, "customHandler.port in host.json is %d, which is in use on this node (%v); leave it out, and let the "+
			"program listen on the port in FUNCTIONS_CUSTOMHANDLER_PORT: then instances can run side by side", h.o.Config.Port, err)
	}
	if err != nil {
		return 0, process.Failf(nil, "find a free port for the custom handler: %v", err)
	}
	addr, _ := l.Addr().(*net.TCPAddr)
	return addr.Port, l.Close() // closing a listener that nobody used
}

func (h *Handler) command() (string, []string) {
	c := h.o.Config
	path := h.expand(c.Executable)
	if local := filepath.Join(h.o.AppDir, filepath.FromSlash(path)); !filepath.IsAbs(path) {
		if program, err := exec.LookPath(local); err == nil {
			path = program
		}
	}
	args := h.expandAll(c.Arguments)
	if c.WorkerPath != "" {
		args = append(args, h.expand(c.WorkerPath))
	}
	return path, append(args, h.expandAll(c.WorkerArguments)...)
}

func (h *Handler) expandAll(list []string) []string {
	out := make([]string, len(list))
	for i, text := range list {
		out[i] = h.expand(text)
	}
	return out
}

func (h *Handler) expand(text string) string { return channel.Expand(text, h.o.Env) }

func (h *Handler) workDir() string {
	if h.o.Config.WorkingDirectory == "" {
		return h.o.AppDir
	}
	if filepath.IsAbs(h.o.Config.WorkingDirectory) {
		return h.o.Config.WorkingDirectory
	}
	return filepath.Join(h.o.AppDir, filepath.FromSlash(h.o.Config.WorkingDirectory))
}

// awaitAnswer polls GET / as Azure's host does: once the program takes the connection it is ready.
func (h *Handler) awaitAnswer(ctx context.Context, i *instance) error {
	limit := h.o.Config.InitializationTimeout
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if h.answers(ctx, i.host) {
			return nil
		}
		select {
		case <-ticker.C:
		case <-i.proc.Done():
			exit := i.proc.Exit()
			return process.Failf(exit.Stderr, "the custom handler ended before it answered (%s)", exit.Reason)
		case <-ctx.Done():
			return process.Failf(i.proc.Stderr(), "the custom handler did not listen on %s within %s; it must listen on the port in FUNCTIONS_CUSTOMHANDLER_PORT", i.host, limit)
		}
	}
}

func (h *Handler) answers(ctx context.Context, host string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/", nil)
	if err != nil {
		return false
	}
	res, err := h.client.Do(req)
	if err == nil {
		_ = res.Body.Close()
		return true
	}
	// Azure's host waits for a program that cannot be connected to; any other failure means that somebody is there
	// (DefaultHttpWorkerService). Many small servers close the connection on a path that they do not know.
	refused, isNet := errors.AsType[*net.OpError](err)
	return ctx.Err() == nil && (!isNet || refused.Op != "dial")
}

func (h *Handler) console(stderr bool, line string) {
	if l, ok := channel.Console(stderr, line); ok {
		h.o.Emit(l)
	}
}

func environ(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}
