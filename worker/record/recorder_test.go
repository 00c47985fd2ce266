package record_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/record"
)

// link keeps what it is sent; away makes it fail.
type link struct {
	mu          sync.Mutex
	away        bool
	largest     int // bytes of a call; 0 is any
	invocations []hostapi.Invocation
	lines       []hostapi.LogLine
}

func (l *link) Invocations(_ context.Context, b hostapi.InvocationBatch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errors.New("away")
	}
	l.invocations = append(l.invocations, b.Invocations...)
	return nil
}

func (l *link) Logs(_ context.Context, b hostapi.LogBatch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if raw, err := json.Marshal(b); err != nil || l.away || (l.largest > 0 && len(raw) > l.largest) {
		return errors.New("away, or too much")
	}
	l.lines = append(l.lines, b.Lines...)
	return nil
}

func (l *link) said(text string) bool {
	for _, line := range l.lines {
		if strings.Contains(line.Message, text) {
			return true
		}
	}
	return false
}

func TestFailuresAreAlwaysTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &link{}
		r := record.New(l, "i", zerolog.Nop())
		for range 1000 {
			r.Invocation(hostapi.Invocation{Success: true})
			r.Invocation(hostapi.Invocation{Error: "boom"})
			r.Log(hostapi.LogLine{Level: "information", Message: "hello"})
			r.Log(hostapi.LogLine{Level: "error", Message: "oh no"})
		}
		r.Flush(t.Context())
		failed, errorLines := 0, 0
		for _, i := range l.invocations {
			if !i.Success {
				failed++
			}
		}
		for _, line := range l.lines {
			if line.Level == "error" {
				errorLines++
			}
		}
		if failed != 1000 || errorLines != 1000 {
			t.Errorf("%d failures and %d error lines of 1000 were told", failed, errorLines)
		}
		if n := len(l.invocations) - failed; n != 100 || !l.said("900 more invocations succeeded") || !l.said("500 more log lines") {
			t.Errorf("%d successes were told, and what was left out is not counted", n)
		}
		time.Sleep(time.Second) //nolint:forbidigo // the bubble's time
		r.Invocation(hostapi.Invocation{Success: true})
		r.Flush(t.Context())
		if n := len(l.invocations) - failed; n != 101 {
			t.Errorf("the next second has no budget of its own: %d", n)
		}
	})
}

func TestRecordsWaitForTheManager(t *testing.T) {
	t.Parallel()
	l := &link{away: true}
	r := record.New(l, "i", zerolog.Nop())
	for range 30000 {
		r.Invocation(hostapi.Invocation{Error: "boom"})
	}
	r.Flush(t.Context())
	l.away = false
	r.Flush(t.Context())
	if len(l.invocations) != 20000 || !l.said("10000 invocation records and log lines were dropped") {
		t.Errorf("%d of the 20000 that may wait were told, lines %v", len(l.invocations), l.lines)
	}
}

// TestLongMessages logs messages of the greatest length, all of them characters that JSON escapes: no call may be larger
// than the manager takes, and what waits may not fill memory.
func TestLongMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &link{largest: 8 << 20}
		r := record.New(l, "i", zerolog.Nop())
		long := strings.Repeat("\x01", 32<<10)
		for range 3000 {
			r.Log(hostapi.LogLine{Level: "error", Message: long})
		}
		r.Flush(t.Context())
		if n := len(l.lines); n < 1000 || n > 1100 || !l.said("were dropped") {
			t.Errorf("%d lines of 32 MB were told", n)
		}
		r.Log(hostapi.LogLine{Level: "error", Message: "afterwards"})
		r.Flush(t.Context())
		if !l.said("afterwards") {
			t.Error("what was sent still counts as waiting")
		}
	})
}
