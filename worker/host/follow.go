package host

import (
	"context"
	"slices"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

const (
	pollWait      = 30 * time.Second
	firstPollWait = 500 * time.Millisecond
	lastPollWait  = 15 * time.Second
)

// follow does what the manager wants, as it changes, until ctx ends. While the manager is away the last wish holds.
func (h *Host) follow(ctx context.Context, etag string) {
	delay := firstPollWait
	for ctx.Err() == nil {
		app, tag, err := h.cfg.Link.App(ctx, etag, pollWait)
		if err != nil {
			h.cfg.Log.Debug().Err(err).Msg("the manager is away")
			timer := time.NewTimer(delay)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
			}
			delay = min(2*delay, lastPollWait)
			continue
		}
		delay = firstPollWait
		if app != nil {
			etag = tag
			h.apply(ctx, app.Live)
		}
	}
}

// applyKeys takes over what requests are checked against.
func (h *Host) applyKeys(live hostapi.Live) {
	h.verifier.SetKeys(live.GatewayKeys)
	h.keyring.Store(NewKeyring(live.Keys))
}

func (h *Host) apply(ctx context.Context, live hostapi.Live) {
	h.applyKeys(live)
	h.change(ctx, func(s *State) { s.Phase = live.Phase })
	for _, c := range live.Commands {
		h.obey(ctx, c)
	}
	h.mu.Lock()
	h.done = slices.DeleteFunc(h.done, func(id string) bool {
		return !slices.ContainsFunc(live.Commands, func(c hostapi.Command) bool { return c.ID == id })
	})
	h.mu.Unlock()
}

// obey does a command once, however often the manager repeats it.
func (h *Host) obey(ctx context.Context, c hostapi.Command) {
	h.mu.Lock()
	known := slices.Contains(h.done, c.ID)
	h.mu.Unlock()
	app := h.app.Load()
	if known || app == nil {
		return
	}
	h.cfg.Log.Info().Str("command", c.Kind).Msg("command of the manager")
	switch c.Kind {
	case "syncTriggers":
		if h.publishTriggers(ctx, app) != nil {
			return // not done: the next poll tries again
		}
	case "restart":
		app.engine.Restart()
	case "stop":
		select {
		case h.stop <- "the manager asked for it":
		default:
		}
	default:
		h.cfg.Log.Warn().Str("command", c.Kind).Msg("a command that this worker does not know")
	}
	h.mu.Lock()
	h.done = append(h.done, c.ID)
	h.mu.Unlock()
	h.nudge()
}
