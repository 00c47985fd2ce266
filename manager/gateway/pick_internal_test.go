package gateway

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/discovery"
)

func appOf(instances ...int) *discovery.App {
	app := &discovery.App{Name: "hello"}
	for rev, n := range instances {
		t := discovery.Target{Revision: int64(rev), Weight: 100}
		for i := range n {
			t.Endpoints = append(t.Endpoints, discovery.Endpoint{InstanceID: fmt.Sprintf("r%d-%d", rev, i), Address: fmt.Sprintf("a:%d", i)})
		}
		app.Targets = append(app.Targets, t)
	}
	return app
}

func TestLeastOutstanding(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, scanAll, 3 * scanAll} {
		c := newCompiledApp(appOf(n), nil)
		const requests = 1200
		most := int64(0)
		for range requests { // none of them ends
			c.pick(1).outstanding.Add(1)
		}
		for _, e := range c.targets[0].endpoints {
			most = max(most, e.outstanding.Load())
		}
		// Equal to the last request where all are compared; two draws stay within a few of it.
		if fair := int64(requests / n); most > fair+6 || n <= scanAll && most != fair {
			t.Errorf("%d instances: the busiest has %d, fair is %d", n, most, fair)
		}
	}
}

func TestTiesAreShared(t *testing.T) {
	t.Parallel()
	c := newCompiledApp(appOf(4), nil)
	seen := map[*endpoint]int{}
	for range 4000 {
		seen[c.pick(1)]++ // each ends before the next begins
	}
	for e, n := range seen {
		if n < 700 {
			t.Errorf("%s got %d of 4000", e.InstanceID, n)
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d of 4 instances were used", len(seen))
	}
}

func TestWeights(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		weights []int
		want    []float64
	}{
		"split":           {[]int{90, 10}, []float64{.9, .1}},
		"one is off":      {[]int{0, 5}, []float64{0, 1}},
		"relative":        {[]int{1, 1, 2}, []float64{.25, .25, .5}},
		"negative is off": {[]int{-5, 5}, []float64{0, 1}},
	} {
		app := appOf(make([]int, len(c.weights))...)
		for i, w := range c.weights {
			app.Targets[i].Weight = w
			app.Targets[i].Endpoints = []discovery.Endpoint{{InstanceID: fmt.Sprint(i)}}
		}
		compiled := newCompiledApp(app, nil)
		const n = 20000
		got := map[string]float64{}
		for range n {
			got[compiled.pick(1).InstanceID]++
		}
		for i, want := range c.want {
			if share := got[fmt.Sprint(i)] / n; math.Abs(share-want) > .02 {
				t.Errorf("%s: revision %d got %.3f, want %.3f", name, i, share, want)
			}
		}
	}
	if e := newCompiledApp(appOf(0, 0), nil).pick(1); e != nil {
		t.Errorf("picked %v of none", e)
	}
}

func TestOut(t *testing.T) {
	t.Parallel()
	c := newCompiledApp(appOf(1, 1), nil)
	first := c.targets[0].endpoints[0]
	now := int64(time.Hour)
	if !first.connectFailed(now) || first.connectFailed(now) {
		t.Error("of two failures at one moment one counts")
	}
	for range 100 {
		if e := c.pick(now + int64(firstOut) - 1); e == first {
			t.Fatal("picked an instance that is out; its revision's share belongs to the other")
		}
	}
	now += int64(firstOut)
	if !first.available(now) {
		t.Error("not back after its time")
	}
	for i, want := range []time.Duration{2 * firstOut, 4 * firstOut, 8 * firstOut, 16 * firstOut, lastOut, lastOut} {
		if first.connectFailed(now) {
			t.Error("only the first failure is worth a line")
		}
		if got := time.Duration(first.outUntil.Load() - now); got != want {
			t.Errorf("failure %d: out for %s, want %s", i+2, got, want)
		}
		now = first.outUntil.Load()
	}
	first.connected()
	if !first.available(0) || !first.connectFailed(now) {
		t.Error("a good connect does not wipe the slate")
	}
}

func TestCountersSurviveASwap(t *testing.T) {
	t.Parallel()
	old := newCompiledApp(appOf(2), nil)
	old.targets[0].endpoints[1].outstanding.Store(7)
	next := newCompiledApp(appOf(3), old)
	if got := next.targets[0].endpoints[1].outstanding.Load(); got != 7 {
		t.Errorf("outstanding %d after the swap", got)
	}
	moved := appOf(2)
	moved.Targets[0].Endpoints[1].Address = "elsewhere:1"
	if got := newCompiledApp(moved, old).targets[0].endpoints[1].outstanding.Load(); got != 0 {
		t.Errorf("another process at another address inherited %d", got)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{1, 4, 50} {
		c := newCompiledApp(appOf(n), nil)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.pick(1)
			}
		})
	}
}
