package httpserver

import (
	"context"
	"sync"
	"time"
)

// Waits are the requests of a face that answer when something happens. Shutdown waits for requests under way, so a
// face with long ones ends their waits first. It is safe for concurrent use; make one with NewWaits.
type Waits struct {
	once    sync.Once
	stopped chan struct{}
}

// NewWaits makes Waits that have not been stopped.
func NewWaits() *Waits { return &Waits{stopped: make(chan struct{})} }

// Stop ends all waits, those to come as well. Calling it again changes nothing.
func (w *Waits) Stop() { w.once.Do(func() { close(w.stopped) }) }

// Until returns a context for one wait: it ends with ctx, after longest or with Stop. The caller calls cancel.
func (w *Waits) Until(ctx context.Context, longest time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	go func() {
		select {
		case <-w.stopped:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
