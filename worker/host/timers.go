package host

import (
	"context"
	"sync"

	"github.com/nightshift-functions/nightshift/worker/binding"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/invoke"
	"github.com/nightshift-functions/nightshift/worker/trigger"
)

// timers are the running timer listeners of an app.
type timers struct {
	cancel context.CancelFunc
	group  sync.WaitGroup
}

// stop stops the listeners at once; functions that run already end by themselves and stay in flight until then.
func (t *timers) stop() { t.cancel() }

// startTimers starts a listener per timer function. Each ends with stop, not with ctx; one that fires at that moment ends with
// its function, which draining waits for.
func (h *Host) startTimers(ctx context.Context, deployed bool) *timers {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	running := &timers{cancel: cancel}
	app := h.app.Load()
	for _, f := range app.functions {
		t, ok := f.Trigger()
		if !ok || !t.Is("timerTrigger") || f.Disabled || f.Problem != "" {
			continue
		}
		schedule, err := scheduleOf(t, app.spec.Settings)
		if err != nil {
			continue // judge has noted it
		}
		monitor, _ := t.Bool("useMonitor", true)
		startup, _ := t.Bool("runOnStartup", false)
		timer := &trigger.Timer{
			Function: f.Name, InstanceID: h.cfg.InstanceID, Schedule: schedule, UseMonitor: monitor, Ledger: h.cfg.Link,
			Fire: fire(app, f),
			Log:  h.cfg.Log.With().Str("function", f.Name).Logger(),
		}
		running.group.Go(func() { timer.Run(ctx, startup && deployed) })
	}
	return running
}

func fire(app *loaded, f *channel.Function) func(context.Context, string) {
	return func(ctx context.Context, payload string) {
		// The dispatcher logs and records a failure; the schedule goes on, as in Azure.
		_ = app.dispatcher.Run(ctx, &invoke.Call{ID: invoke.NewID(), Function: f, Data: binding.JSON(payload)})
	}
}
