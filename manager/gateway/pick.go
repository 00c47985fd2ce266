package gateway

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nightshift-functions/nightshift/internal/discovery"
)

const (
	// scanAll is up to how many instances all are compared; of more, two drawn at random are, which comes close to
	// the least loaded at a constant cost.
	scanAll = 8

	// An instance that refuses a connection is left alone for firstOut, then twice as long each time, up to lastOut:
	// 0.1 s, 0.2 s, 0.4 s, ... 2 s.
	firstOut = 100 * time.Millisecond
	lastOut  = 2 * time.Second
)

// endpoint is one instance with what this gateway knows of it.
type endpoint struct {
	discovery.Endpoint
	outstanding atomic.Int64 // requests under way
	outUntil    atomic.Int64 // Unix nanoseconds until which it is left alone; 0 = it is well
	failures    atomic.Int64 // connects that failed in a row
}

func (e *endpoint) available(now int64) bool { return e.outUntil.Load() <= now }

// connectFailed leaves the instance alone for a while. Of many requests that fail at the same time one counts.
func (e *endpoint) connectFailed(now int64) (first bool) {
	was := e.outUntil.Load()
	if was > now {
		return false
	}
	failures := e.failures.Load()
	out := min(firstOut<<min(failures, 10), lastOut)
	if !e.outUntil.CompareAndSwap(was, now+int64(out)) {
		return false
	}
	e.failures.Add(1)
	return failures == 0
}

func (e *endpoint) connected() {
	if e.failures.Load() != 0 {
		e.failures.Store(0)
		e.outUntil.Store(0)
	}
}

// pick chooses a revision by weight and in it the available instance with the least to do; nil when none is
// available. A revision whose instances are all out leaves its share to the others.
func (c *compiledApp) pick(now int64) *endpoint {
	chosen := c.draw()
	if chosen < 0 {
		return nil
	}
	for i := range c.targets {
		t := c.targets[(chosen+i)%len(c.targets)]
		if e := leastOutstanding(t.endpoints, now); e != nil {
			return e
		}
	}
	return nil
}

// draw returns the index of a target, by weight; -1 when there is none.
func (c *compiledApp) draw() int {
	if len(c.targets) < 2 {
		return len(c.targets) - 1
	}
	total := 0
	for _, t := range c.targets {
		total += t.weight
	}
	n := rand.IntN(total)
	for i, t := range c.targets {
		if n -= t.weight; n < 0 {
			return i
		}
	}
	return -1
}

func leastOutstanding(endpoints []*endpoint, now int64) *endpoint {
	if len(endpoints) > scanAll {
		a, b := endpoints[rand.IntN(len(endpoints))], endpoints[rand.IntN(len(endpoints))]
		if b.outstanding.Load() < a.outstanding.Load() {
			a, b = b, a
		}
		if a.available(now) {
			return a
		}
		if b.available(now) {
			return b
		}
	}
	return scan(endpoints, now)
}

// scan begins anywhere, so that instances with equally little to do share the work.
func scan(endpoints []*endpoint, now int64) *endpoint {
	var best *endpoint
	least := int64(0)
	start := 0
	if len(endpoints) > 1 {
		start = rand.IntN(len(endpoints))
	}
	for i := range endpoints {
		e := endpoints[(start+i)%len(endpoints)]
		if n := e.outstanding.Load(); (best == nil || n < least) && e.available(now) {
			best, least = e, n
		}
	}
	return best
}

// backAt is when the first of the instances that are out may be tried again, in Unix nanoseconds.
func (c *compiledApp) backAt() int64 {
	first := int64(0)
	for _, t := range c.targets {
		for _, e := range t.endpoints {
			if out := e.outUntil.Load(); first == 0 || out < first {
				first = out
			}
		}
	}
	return first
}
