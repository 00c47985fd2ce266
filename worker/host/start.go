package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/metadata"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/customhandler"
	"github.com/nightshift-functions/nightshift/worker/invoke"
	"github.com/nightshift-functions/nightshift/worker/process"
	"github.com/nightshift-functions/nightshift/worker/rpc"
)

// The waits between attempts to reach the manager at start.
const (
	firstAsk = 200 * time.Millisecond
	lastAsk  = 3 * time.Second
)

// start brings the app up. Its steps are timed; how long each took is in the reports.
func (h *Host) start(ctx context.Context) (*loaded, string, error) {
	ctx, cancel := context.WithTimeout(ctx, defaultStartTimeout)
	defer cancel()
	var app *hostapi.App
	var etag string
	err := h.timed("link", func() (err error) { app, etag, err = h.ask(ctx); return err })
	if err != nil {
		return nil, "", err
	}
	h.mu.Lock()
	h.spec = app.Spec
	h.mu.Unlock()
	h.applyKeys(app.Live)
	h.nudge()
	if limit := app.Spec.Limits.StartTimeoutSeconds; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, seconds(limit, 0))
		defer cancel()
	}
	run, err := h.load(ctx, app.Spec)
	if errors.Is(err, context.DeadlineExceeded) {
		err = process.Failf(nil, "the app did not start in time: %v", err)
	}
	if err != nil {
		return nil, "", err
	}
	h.app.Store(run)
	h.change(ctx, func(s *State) { s.Loaded = true; s.Phase = app.Live.Phase })
	_ = h.publishTriggers(context.WithoutCancel(ctx), run) // logged; the manager can ask again
	return run, etag, nil
}

// ask gets the app from the manager, who may be away for a while.
func (h *Host) ask(ctx context.Context) (*hostapi.App, string, error) {
	delay := firstAsk
	for {
		app, etag, err := h.cfg.Link.App(ctx, "", 0)
		switch {
		case err == nil && app.Spec.App != h.cfg.App:
			return nil, "", azfunc.Errorf(azfunc.Invalid, "the manager gave app %q to an instance of app %q", app.Spec.App, h.cfg.App)
		case err == nil:
			return app, etag, nil
		}
		h.cfg.Log.Warn().Err(err).Msg("cannot get the app from the manager")
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, "", fmt.Errorf("get the app from the manager: %w", err)
		}
		delay = min(2*delay, lastAsk)
	}
}

func (h *Host) timed(name string, step func() error) error {
	begin := time.Now()
	err := step()
	h.mu.Lock()
	h.phases = append(h.phases, hostapi.StartPhase{Name: name, DurationMicros: time.Since(begin).Microseconds()})
	h.mu.Unlock()
	return err
}

// load fetches the content and starts what runs it.
func (h *Host) load(ctx context.Context, spec hostapi.Spec) (*loaded, error) {
	var report metadata.Report
	err := h.timed("content", func() (err error) {
		report, err = fetchContent(ctx, h.cfg, spec, metadata.Release())
		return err
	})
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.warnings = report.Warnings
	h.mu.Unlock()
	h.recorder.SetLevels(report.HostJSON.LogLevel)
	run := &loaded{spec: spec, host: report.HostJSON, maxBody: maxBody(spec)}
	if strings.EqualFold(spec.Runtime, azfunc.RuntimeCustom) {
		err = h.startHandler(ctx, run, report)
	} else {
		err = h.startLanguageWorkers(ctx, run, report)
	}
	if err != nil {
		return nil, err
	}
	if run.router, err = newRouter(run.functions, run.host); err != nil {
		run.engine.Stop()
		return nil, err
	}
	run.dispatcher = invoke.New(invoke.Options{
		Runner: run.engine, Timeout: functionTimeout(run.host), Record: h.recorder.Invocation, Emit: h.recorder.Log,
	})
	return run, nil
}

func functionTimeout(host azfunc.HostJSON) time.Duration {
	if host.FunctionTimeout == 0 {
		return defaultFunctionTimeout
	}
	return host.FunctionTimeout
}

// maxBody is the plan's limit, or the one of the setting that Azure's host reads.
func maxBody(spec hostapi.Spec) int64 {
	if spec.Limits.MaxBodyBytes > 0 {
		return spec.Limits.MaxBodyBytes
	}
	n, err := strconv.ParseInt(azfunc.Setting(spec.Settings, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"), 10, 64)
	if err == nil && n > 0 {
		return n
	}
	return defaultMaxBody
}

func (h *Host) startHandler(ctx context.Context, run *loaded, report metadata.Report) error {
	for _, f := range report.Functions {
		run.functions = append(run.functions, withProblems(channel.FromFunctionJSON(appDir(h.cfg), f.Function), f))
	}
	judge(run.functions, run.host, run.spec.Settings)
	if err := nothingRuns(run.functions, whereFunctionsBelong(report, channel.Config{})); err != nil {
		return err
	}
	if run.host.CustomHandler == nil {
		return &process.Error{Message: "host.json has no customHandler, and the app's runtime is custom", Permanent: true}
	}
	handler := customhandler.New(customhandler.Options{
		Config: *run.host.CustomHandler, AppDir: appDir(h.cfg), Env: Environment(h.cfg, run.spec, appDir(h.cfg)),
		Emit: h.recorder.Log, Log: h.cfg.Log,
	})
	if err := h.timed("spawn", func() error { return handler.Start(ctx) }); err != nil {
		return err
	}
	run.engine, run.forwarder, run.runtime = handler, handler, azfunc.RuntimeCustom
	return nil
}

func withProblems(f *channel.Function, from metadata.FunctionReport) *channel.Function {
	f.Problem = strings.Join(from.Problems, "; ")
	return f
}

func (h *Host) startLanguageWorkers(ctx context.Context, run *loaded, report metadata.Report) error {
	config, err := channel.Find(appDir(h.cfg), h.cfg.LanguagesDir, run.spec.Runtime)
	if err != nil {
		return err // says what was looked for
	}
	server, err := rpc.Listen(ctx)
	if err != nil {
		return err // says what was tried
	}
	pool := channel.NewPool(channel.Options{
		Config: config, Server: server, AppDir: appDir(h.cfg), Env: Environment(h.cfg, run.spec, appDir(h.cfg)),
		Count: processCount(run.spec), Emit: h.recorder.Log, Log: h.cfg.Log,
	})
	workers := &languageWorkers{Pool: pool, server: server}
	if err := h.bringUp(ctx, run, report, pool, config); err != nil {
		workers.Stop()
		return withStderr(err, pool.Stderr())
	}
	workers.LanguageWorkers = invoke.NewLanguageWorkers(pool)
	run.engine, run.streamer, run.runtime = workers, workers.LanguageWorkers, pool.Runtime()
	return nil
}

// withStderr puts what the language worker had printed by its end into the error: its last lines may come after the
// answer that failed.
func withStderr(err error, lines []string) error {
	if failed, ok := errors.AsType[*process.Error](err); ok && len(lines) > len(failed.Stderr) {
		failed.Stderr = lines
	}
	return err
}

// bringUp takes the first language worker through its start.
func (h *Host) bringUp(ctx context.Context, run *loaded, report metadata.Report, pool *channel.Pool, config channel.Config) error {
	if err := h.timed("spawn", func() error { return pool.Spawn(ctx) }); err != nil {
		return err
	}
	if err := h.timed("init", func() error { return pool.Init(ctx) }); err != nil {
		return err
	}
	var useDefault bool
	err := h.timed("index", func() (err error) {
		run.functions, useDefault, err = pool.Index(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if useDefault {
		run.functions = nil
		for _, f := range report.Functions {
			run.functions = append(run.functions, withProblems(channel.FromFunctionJSON(appDir(h.cfg), f.Function), f))
		}
	}
	judge(run.functions, run.host, run.spec.Settings)
	if err := nothingRuns(run.functions, whereFunctionsBelong(report, config)); err != nil {
		return err
	}
	err = h.timed("load", func() error { return pool.Load(ctx, runnable(run.functions)) })
	if err != nil {
		return err
	}
	return nothingRuns(run.functions, "")
}

func runnable(functions []*channel.Function) []*channel.Function {
	var list []*channel.Function
	for _, f := range functions {
		if f.Problem == "" {
			list = append(list, f)
		}
	}
	return list
}

// processCount is FUNCTIONS_WORKER_PROCESS_COUNT, else the plan's limit; 0 leaves it to worker.config.json.
func processCount(spec hostapi.Spec) int {
	n := 0
	if _, err := fmt.Sscanf(azfunc.Setting(spec.Settings, "FUNCTIONS_WORKER_PROCESS_COUNT"), "%d", &n); err == nil && n > 0 {
		return n
	}
	return spec.Limits.LanguageWorkers
}

// languageWorkers is the engine of an app that runs in language workers.
type languageWorkers struct {
	*channel.Pool
	*invoke.LanguageWorkers

	server *rpc.Server
}

// Stop ends the language workers, then the server they talk to.
func (l *languageWorkers) Stop() {
	l.Pool.Stop()
	if l.LanguageWorkers != nil {
		l.Close()
	}
	l.server.Stop()
}
