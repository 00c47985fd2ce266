package identity

import (
	"strings"
	"sync"
	"time"
)

const (
	freeAttempts   = 5                // wrong passwords before the first delay
	longestDelay   = 15 * time.Minute // between attempts
	forgetAfter    = time.Hour        // without an attempt
	maxThrottled   = 10_000           // name and address pairs kept
	firstDelay     = time.Second
	delayDoublings = 10 // 1 s << 10 is above longestDelay
)

// Throttle slows down guessing: after a few wrong passwords for a name from an address, each further attempt there
// has to wait, twice as long every time. Other addresses are not held up, so that nobody can lock a user out. It is
// safe for concurrent use and bounded.
type Throttle struct {
	now  func() time.Time
	mu   sync.Mutex
	seen map[string]attempts
}

type attempts struct {
	count int
	last  time.Time
}

// NewThrottle makes an empty Throttle; now is time.Now outside tests.
func NewThrottle(now func() time.Time) *Throttle {
	return &Throttle{now: now, seen: map[string]attempts{}}
}

// Begin counts an attempt, or returns how long to wait when it comes too early. It counts before the password is
// checked, so that many attempts at once do not all pass as the first one; Succeeded takes them back.
func (t *Throttle) Begin(name, address string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, now := throttleKey(name, address), t.now()
	a, ok := t.seen[key]
	if ok && now.Sub(a.last) > forgetAfter {
		a = attempts{}
	}
	if wait := a.last.Add(delayAfter(a.count)).Sub(now); a.count > 0 && wait > 0 {
		return wait
	}
	if !ok && len(t.seen) >= maxThrottled {
		t.forget(now)
	}
	t.seen[key] = attempts{a.count + 1, now}
	return 0
}

// Succeeded forgets the attempts of a name from an address.
func (t *Throttle) Succeeded(name, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.seen, throttleKey(name, address))
}

// forget drops what is old, and the oldest one when nothing is.
func (t *Throttle) forget(now time.Time) {
	oldest, at := "", now
	for key, a := range t.seen {
		if now.Sub(a.last) > forgetAfter {
			delete(t.seen, key)
		} else if !a.last.After(at) {
			oldest, at = key, a.last
		}
	}
	if len(t.seen) >= maxThrottled {
		delete(t.seen, oldest)
	}
}

// delayAfter is how long after the last of count attempts the next one may come: nothing up to freeAttempts, then
// 1 s, 2 s, 4 s and so on.
func delayAfter(count int) time.Duration {
	over := count - freeAttempts
	if over < 0 {
		return 0
	}
	return min(firstDelay<<min(over, delayDoublings), longestDelay)
}

func throttleKey(name, address string) string {
	return strings.ToLower(bounded(name, maxAuditName)) + "\n" + address
}
