package trigger_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/ncrontab"
	"github.com/nightshift-functions/nightshift/worker/trigger"
)

// ledger is the manager's book, in memory: what it decides is what the real one decides.
type ledger struct {
	mu     sync.Mutex
	claims map[time.Time]hostapi.Occurrence
	last   time.Time
	down   bool
	lose   int // so many claims are kept and not answered
}

func (l *ledger) Schedule(context.Context, string) (hostapi.Schedule, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return hostapi.Schedule{}, azfunc.Errorf(azfunc.Unavailable, "down")
	}
	return hostapi.Schedule{Last: l.last}, nil
}

func (l *ledger) Claim(_ context.Context, _ string, o hostapi.Occurrence) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return azfunc.Errorf(azfunc.Unavailable, "down")
	}
	if earlier, taken := l.claims[o.Due]; taken && earlier.Attempt != o.Attempt {
		return azfunc.Errorf(azfunc.Conflict, "taken")
	}
	l.claims[o.Due] = o
	if o.Due.After(l.last) {
		l.last = o.Due
	}
	if l.lose > 0 {
		l.lose--
		return azfunc.Errorf(azfunc.Unavailable, "the answer was lost")
	}
	return nil
}

func (l *ledger) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// fired is one run of the function.
type fired struct {
	at      time.Time
	pastDue bool
}

// run runs timers of several instances for a while of fake time and returns what they fired.
func run(t *testing.T, l *ledger, schedule string, instances int, startup bool, took, d time.Duration, during func()) []fired {
	t.Helper()
	s, err := ncrontab.Parse(schedule, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []fired
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var group sync.WaitGroup
	for range instances {
		timer := &trigger.Timer{Function: "tick", InstanceID: "i", Schedule: s, UseMonitor: true, Ledger: l, Log: zerolog.Nop(),
			Fire: func(_ context.Context, payload string) {
				var p struct{ IsPastDue bool }
				if err := json.Unmarshal([]byte(payload), &p); err != nil {
					t.Error(err)
				}
				mu.Lock()
				all = append(all, fired{time.Now(), p.IsPastDue})
				mu.Unlock()
				time.Sleep(took) //nolint:forbidigo // fake time: the function's own
			}}
		group.Go(func() { timer.Run(ctx, startup) })
	}
	if during != nil {
		during()
	}
	group.Wait()
	return all
}

// newLedger begins at synctest's start of time, midnight of 1 January 2000 in UTC.
func newLedger(last time.Duration) *ledger {
	l := &ledger{claims: map[time.Time]hostapi.Occurrence{}}
	if last != 0 {
		l.last = time.Now().Add(last).UTC()
	}
	return l
}

func TestTimer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		last      time.Duration // of the last run, before now; 0 for never
		instances int
		startup   bool
		took      time.Duration
		want      int
		pastDue   int
	}{
		{"on time", 0, 1, false, 0, 6, 0},
		{"each due time once, whatever the number of instances", 0, 5, false, 0, 6, 0},
		{"what was missed is caught up once", -3 * time.Hour, 1, false, 0, 7, 1},
		{"and by one instance", -3 * time.Hour, 4, false, 0, 7, 1},
		{"nothing was missed", -2 * time.Minute, 1, false, 0, 6, 0},
		{"at startup", 0, 3, true, 0, 7, 0},
		{"no overlap in an instance", 0, 1, false, 15 * time.Minute, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(3 * time.Minute) //nolint:forbidigo // fake time: begin between two due times
				got := run(t, newLedger(c.last), "0 */10 * * * *", c.instances, c.startup, c.took, time.Hour, nil)
				late := 0
				for _, f := range got {
					if f.pastDue {
						late++
					} else if !c.startup && f.at.Minute()%10 != 0 {
						t.Errorf("fired at %s", f.at)
					}
				}
				if len(got) != c.want || late != c.pastDue {
					t.Errorf("fired %d times (%d past due), want %d (%d): %v", len(got), late, c.want, c.pastDue, got)
				}
			})
		})
	}
}

// TestNewTimerThatMissesItsFirstDueTime: nothing ran when it was due for the first time ever; it is caught up.
func TestNewTimerThatMissesItsFirstDueTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(0)
		time.Sleep(3 * time.Minute) //nolint:forbidigo // fake time: begin between two due times
		if got := run(t, l, "0 */10 * * * *", 1, false, 0, time.Minute, nil); len(got) != 0 {
			t.Fatalf("fired before it was due: %v", got)
		}
		time.Sleep(10 * time.Minute) //nolint:forbidigo // fake time: nothing runs at ten past
		got := run(t, l, "0 */10 * * * *", 2, false, 0, time.Minute, nil)
		if len(got) != 1 || !got[0].pastDue {
			t.Errorf("the missed due time was not caught up once: %v", got)
		}
	})
}

// TestTimerWhoseClaimIsNotAnswered loses the answers to granted claims: each due time is fired all the same, and once.
func TestTimerWhoseClaimIsNotAnswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(0)
		l.lose = 3
		time.Sleep(3 * time.Minute) //nolint:forbidigo // fake time
		got := run(t, l, "0 */10 * * * *", 2, false, 0, time.Hour, nil)
		if len(got) != 6 {
			t.Errorf("fired %d times, want 6: %v", len(got), got)
		}
	})
}

func TestTimerWhileTheManagerIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(0)
		time.Sleep(3 * time.Minute) //nolint:forbidigo // fake time
		got := run(t, l, "0 */10 * * * *", 3, false, 0, time.Hour, func() {
			time.Sleep(10 * time.Minute) //nolint:forbidigo // fake time: one due time has passed
			l.setDown(true)
			time.Sleep(25 * time.Minute) //nolint:forbidigo // two pass while it is away
			l.setDown(false)
		})
		// 0:10 on time; 0:20 and 0:30 become one late run; 0:40, 0:50, 1:00 on time.
		late := 0
		for _, f := range got {
			if f.pastDue {
				late++
				if f.at.Minute() < 38 || f.at.Minute() > 39 {
					t.Errorf("late run at %s", f.at)
				}
			}
		}
		if len(got) != 5 || late != 1 {
			t.Errorf("fired %v", got)
		}
	})
}
