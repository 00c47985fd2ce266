package identity

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestDelayGrows(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]time.Duration{
		0: 0, 4: 0, 5: time.Second, 6: 2 * time.Second, 8: 8 * time.Second, 14: 512 * time.Second, 15: longestDelay, 1000: longestDelay,
	} {
		if got := delayAfter(count); got != want {
			t.Errorf("after %d attempts: %s, want %s", count, got, want)
		}
	}
}

func TestThrottleForgets(t *testing.T) {
	t.Parallel()
	now := time.Now()
	th := NewThrottle(func() time.Time { return now })
	for range freeAttempts {
		th.Begin("ada", "a")
	}
	if th.Begin("ada", "a") == 0 {
		t.Fatal("not slowed down")
	}
	now = now.Add(forgetAfter + time.Second)
	if th.Begin("ada", "a") != 0 {
		t.Error("not forgotten")
	}
}

func TestThrottleIsBoundedAndKeepsTheNewest(t *testing.T) {
	t.Parallel()
	now := time.Now()
	th := NewThrottle(func() time.Time { now = now.Add(time.Millisecond); return now })
	for i := range maxThrottled + 100 {
		th.Begin(fmt.Sprint("user", i), "a")
	}
	if len(th.seen) > maxThrottled {
		t.Errorf("%d kept", len(th.seen))
	}
	if _, ok := th.seen[throttleKey(fmt.Sprint("user", maxThrottled+99), "a")]; !ok {
		t.Error("the newest was forgotten")
	}
	if _, ok := th.seen[throttleKey("user0", "a")]; ok {
		t.Error("the oldest was kept")
	}
}

// Many attempts at the same moment do not all count as the first.
func TestThrottleCountsBeforeTheCheck(t *testing.T) {
	t.Parallel()
	now := time.Now()
	th := NewThrottle(func() time.Time { return now })
	var passed atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if th.Begin("ada", "a") == 0 {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() != freeAttempts {
		t.Errorf("%d attempts passed, want %d", passed.Load(), freeAttempts)
	}
}
