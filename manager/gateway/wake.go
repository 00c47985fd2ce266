package gateway

import (
	"context"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/discovery"
)

// wakeEvery is how often Wake is called for one app while requests wait for it.
const wakeEvery = time.Second

// find returns the app as it is now, after a wait.
func (g *Gateway) find(name string) (*discovery.App, *failure) {
	app := g.snapshots.Current().App(name)
	if app == nil {
		return nil, failUnknownApp(name)
	}
	if app.Stopped {
		return nil, failStopped(app.Name)
	}
	return app, nil
}

// wake waits until the app has an endpoint, calling Wake from time to time. It ends in vain at the deadline, when
// too many wait already, when the caller goes or the app does.
func (g *Gateway) wake(ctx context.Context, s *appState, deadline time.Time) (*compiledApp, *failure) {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > int64(g.cfg.MaxWaiters) {
		return nil, failTooManyWait(s.name)
	}
	for {
		changed := g.snapshots.Changed() // before looking, so that nothing falls between
		app, fail := g.find(s.name)
		if fail != nil {
			return nil, fail
		}
		if len(app.Targets) == 0 {
			return nil, failNoRevision(app)
		}
		if c := s.compile(app, g.snapshots); len(c.targets) > 0 {
			return c, nil
		}
		g.callWake(ctx, s)
		if !await(ctx, changed, min(wakeEvery, time.Until(deadline))) {
			return nil, failClientGone()
		}
		if time.Until(deadline) <= 0 {
			return nil, failNoInstance(app, s.wakeWord.Load())
		}
	}
}

// callWake asks for an instance, once for all who wait and not more often than wakeEvery.
func (g *Gateway) callWake(ctx context.Context, s *appState) {
	now, last := time.Now().UnixNano(), s.wokenAt.Load()
	if g.cfg.Wake == nil || now-last < int64(wakeEvery) || !s.wokenAt.CompareAndSwap(last, now) {
		return
	}
	// The caller may go while others wait for what it asked for.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wakeEvery)
	defer cancel()
	err := g.cfg.Wake(ctx, s.name)
	if err == nil {
		s.wakeWord.Store(nil)
		return
	}
	g.logger.Warn().Str("app", s.name).Err(err).Msg("waking the app")
	if azfunc.CodeOf(err) != azfunc.Internal {
		word := azfunc.MessageOf(err)
		s.wakeWord.Store(&word)
	}
}

// await waits for the signal or until d is over; false when ctx ended first.
func await(ctx context.Context, signal <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-signal:
	case <-timer.C:
	case <-ctx.Done():
		return false
	}
	return true
}
