package process

import (
	"context"
	"time"
)

const (
	// errorsPerProcess errors per process within Window are allowed, as in Azure's host.
	errorsPerProcess = 3
	// Window is how long without an error empties the count.
	Window = 30 * time.Minute
)

// Budget decides whether a program that died may be started again and when. Azure's host allows errors while they are
// fewer than three times the number of processes, forgets them after thirty minutes without one, and waits ten seconds
// before each restart; we do not wait before the first, because most crashes are single. The zero value allows one
// process. It is not safe for concurrent use.
type Budget struct {
	Processes int
	errors    int
	last      time.Time
}

// Spend counts an error at now. It returns how long to wait before the restart, false when there may be none.
func (b *Budget) Spend(now time.Time, interval time.Duration) (time.Duration, bool) {
	if now.Sub(b.last) > Window {
		b.errors = 0
	}
	b.errors++
	b.last = now
	switch {
	case b.errors >= errorsPerProcess*max(1, b.Processes):
		return 0, false
	case b.errors == 1:
		return 0, true
	}
	return min(interval, time.Second<<min(b.errors-2, 6)), true
}

// Pause waits before a restart, as long as Spend said. It returns false when ctx ended before.
func Pause(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
