package host

import (
	"context"
	"os"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/process"
)

const (
	heartbeat   = 10 * time.Second
	reportAgain = time.Second
)

// keepReporting sends the heartbeat until ctx ends: at every nudge, every ten seconds, and every second while the
// instance drains.
func (h *Host) keepReporting(ctx context.Context) {
	for {
		pause := heartbeat
		// A draining instance reports often: it is stopped as soon as it says that nothing is under way.
		if !h.report(ctx) || h.draining() {
			pause = reportAgain
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-h.kick:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// report sends one heartbeat and says whether the manager took it.
func (h *Host) report(ctx context.Context) bool {
	h.reporting.Lock()
	defer h.reporting.Unlock()
	if err := h.cfg.Link.Report(ctx, h.snapshot()); err != nil {
		if ctx.Err() == nil {
			h.cfg.Log.Debug().Err(err).Msg("the manager did not take a report")
		}
		return false
	}
	return true
}

func (h *Host) snapshot() hostapi.InstanceReport {
	h.mu.Lock()
	r := hostapi.InstanceReport{
		InstanceID: h.cfg.InstanceID, WorkerVersion: h.cfg.Version, State: h.state.Instance(), At: time.Now().UTC(),
		Address: h.address, Phases: append([]hostapi.StartPhase(nil), h.phases...), LastError: h.failure,
		Warnings: h.warnings, RSSBytes: process.RSSBytes(os.Getpid()), Acknowledged: append([]string(nil), h.done...),
	}
	h.mu.Unlock()
	if app := h.app.Load(); app != nil {
		r.Runtime = app.runtime
		r.InFlight = app.dispatcher.InFlight()
		r.Functions = statuses(app.functions, app.host, app.spec)
		r.LanguageWorkers = app.engine.Workers()
	}
	return r
}
