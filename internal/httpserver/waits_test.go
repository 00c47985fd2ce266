package httpserver_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

func TestWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(w *httpserver.Waits, caller context.CancelFunc)
		took time.Duration
		want error
	}{
		"time is over":  {func(*httpserver.Waits, context.CancelFunc) {}, time.Minute, context.DeadlineExceeded},
		"caller leaves": {func(_ *httpserver.Waits, caller context.CancelFunc) { caller() }, time.Second, context.Canceled},
		"face stops":    {func(w *httpserver.Waits, _ context.CancelFunc) { w.Stop(); w.Stop() }, time.Second, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, began := httpserver.NewWaits(), time.Now()
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				wait, cancel := w.Until(ctx, time.Minute)
				defer cancel()
				time.AfterFunc(time.Second, func() { c.end(w, leave) })
				<-wait.Done()
				if took := time.Since(began); took != c.took || !errors.Is(wait.Err(), c.want) {
					t.Errorf("ended after %s with %v, want %s and %v", took, wait.Err(), c.took, c.want)
				}
			})
		})
	}
}

// A wait that begins after the stop ends at once, and no goroutine outlives its wait: synctest waits for all.
func TestWaitsAfterStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, began := httpserver.NewWaits(), time.Now()
		w.Stop()
		wait, cancel := w.Until(t.Context(), time.Hour)
		defer cancel()
		<-wait.Done()
		if took := time.Since(began); took != 0 {
			t.Errorf("ended after %s", took)
		}
	})
}
