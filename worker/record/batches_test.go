package record_test

import (
	"context"
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

// sink takes batches, or refuses them while down.
type sink struct {
	mu          sync.Mutex
	down        bool
	batches     int
	invocations []hostapi.Invocation
	lines       []hostapi.LogLine
}

func (s *sink) Invocations(_ context.Context, b hostapi.InvocationBatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errors.New("down")
	}
	s.batches++
	s.invocations = append(s.invocations, b.Invocations...)
	return nil
}

func (s *sink) Logs(_ context.Context, b hostapi.LogBatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errors.New("down")
	}
	s.lines = append(s.lines, b.Lines...)
	return nil
}

func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		r := record.New(s, "i-1", zerolog.Nop())
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { r.Run(ctx) })
		for range 1200 {
			r.Invocation(hostapi.Invocation{ID: "x"})
		}
		r.Log(hostapi.LogLine{Level: "information", Category: "Host", Message: strings.Repeat("x", 100_000)})
		time.Sleep(2 * time.Second) //nolint:forbidigo // fake time
		s.mu.Lock()
		if len(s.invocations) != 1200 || s.batches != 3 || len(s.lines) != 1 {
			t.Errorf("%d invocations in %d batches, %d lines", len(s.invocations), s.batches, len(s.lines))
		}
		if l := s.lines[0]; l.InstanceID != "i-1" || l.ID == "" || l.At.IsZero() || len(l.Message) > 40_000 {
			t.Errorf("line %q of %d bytes", l.ID, len(l.Message))
		}
		s.mu.Unlock()
		r.Invocation(hostapi.Invocation{ID: "last"})
		cancel()
		group.Wait()
		if last := s.invocations[len(s.invocations)-1]; last.ID != "last" {
			t.Error("what came last was not sent at the end")
		}
	})
}

func TestWhatCannotBeSentWaitsAndIsBounded(t *testing.T) {
	t.Parallel()
	s := &sink{down: true}
	r := record.New(s, "i-1", zerolog.Nop())
	for range 25_000 {
		r.Invocation(hostapi.Invocation{})
	}
	r.Flush(t.Context())
	s.down = false
	r.Flush(t.Context())
	r.Flush(t.Context())
	if len(s.invocations) != 20_000 || len(s.lines) != 1 || !strings.Contains(s.lines[0].Message, "5000 invocation records") {
		t.Errorf("%d invocations, lines %v", len(s.invocations), s.lines)
	}
}

func TestKeeps(t *testing.T) {
	t.Parallel()
	levels := map[string]string{"default": "Warning", "Function": "Error", "Function.hello": "Debug", "Host.Function.Console": "None"}
	for _, c := range []struct {
		levels          map[string]string
		category, level string
		want            bool
	}{
		{nil, "Function.x.User", "information", true}, {nil, "Function.x.User", "debug", false},
		{levels, "Worker.node", "information", false}, {levels, "Worker.node", "warning", true},
		{levels, "Function.x.User", "warning", false}, {levels, "Function.x.User", "error", true},
		{levels, "Function.hello.User", "debug", true}, {levels, "Function.hello", "trace", false},
		{levels, "Function.helloworld", "warning", false}, {levels, "Host.Function.Console", "critical", false},
	} {
		if got := record.Keeps(c.levels, c.category, c.level); got != c.want {
			t.Errorf("%v %s %s: %v", c.levels, c.category, c.level, got)
		}
	}
}

func BenchmarkInvocation(b *testing.B) {
	r := record.New(&sink{}, "i-1", zerolog.Nop())
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%400 == 0 {
			r.Flush(b.Context())
		}
		r.Invocation(hostapi.Invocation{ID: "x", Function: "hello"})
	}
}
