package local_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/discovery"
	"github.com/nightshift-functions/nightshift/internal/discovery/local"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// world is a store and a scheduler in memory; every change wakes whoever waits.
type world struct {
	mu         sync.Mutex
	rows       []local.RouteRow
	rowsIndex  uint64
	snap       scheduler.Snapshot
	err        error
	deaf       bool // WaitRoutes misses changes
	wake       chan struct{}
	routeReads int
}

func newWorld() *world {
	return &world{wake: make(chan struct{}), rowsIndex: 1, snap: scheduler.Snapshot{Index: 1, Jobs: map[string]scheduler.Job{}}}
}

func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.wake)
	w.wake = make(chan struct{})
}

func (w *world) setRoutes(rows ...local.RouteRow) {
	w.change(func() { w.rows = rows; w.rowsIndex++ })
}

func (w *world) setJob(id string, instances ...scheduler.Instance) {
	w.change(func() {
		jobs := map[string]scheduler.Job{}
		for k, j := range w.snap.Jobs {
			jobs[k] = j
		}
		jobs[id] = scheduler.Job{ID: id, Instances: instances}
		w.snap = scheduler.Snapshot{Index: w.snap.Index + 1, Jobs: jobs}
	})
}

func (w *world) Routes(context.Context) ([]local.RouteRow, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.routeReads++
	return slices.Clone(w.rows), w.err
}

func (w *world) WaitRoutes(ctx context.Context, after uint64) (uint64, error) {
	err := w.until(ctx, func() bool { return w.rowsIndex > after && !w.deaf })
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rowsIndex, err
}

func (w *world) Watch(ctx context.Context, after uint64) (scheduler.Snapshot, error) {
	err := w.until(ctx, func() bool { return w.snap.Index != after })
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.snap, err
}

func (w *world) until(ctx context.Context, ok func() bool) error {
	for {
		w.mu.Lock()
		wake, done, err := w.wake, ok(), w.err
		w.mu.Unlock()
		if err != nil || done {
			return err
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return fmt.Errorf("wait: %w", ctx.Err())
		}
	}
}

func parse(id string) (string, int64, bool) {
	rest, ok := strings.CutPrefix(id, "fn-")
	app, rev, ok2 := strings.Cut(rest, ".r")
	n, err := strconv.ParseInt(rev, 10, 64)
	return app, n, ok && ok2 && err == nil
}

func route(app string, generation, revision int64) local.RouteRow {
	return local.RouteRow{App: app, Generation: generation, Targets: []local.RouteTarget{{Revision: revision, Weight: 100}}}
}

func healthy(id string) scheduler.Instance {
	return scheduler.Instance{ID: id, State: scheduler.Running, Address: "127.0.0.1:" + id, Healthy: true}
}

func endpoints(s *discovery.Snapshot, app string) []string {
	var ids []string
	if a := s.App(app); a != nil {
		for _, t := range a.Targets {
			for _, e := range t.Endpoints {
				ids = append(ids, fmt.Sprintf("r%d/%s@%s", t.Revision, e.InstanceID, e.Address))
			}
		}
	}
	return ids
}

func quiet() zerolog.Logger { return zerolog.New(io.Discard) }

// TestWhatBecomesAnEndpoint changes one healthy instance and says whether it still is an endpoint.
func TestWhatBecomesAnEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fresh  bool // was never healthy before
		change func(*scheduler.Instance)
		want   bool
	}{
		"healthy":                       {true, func(*scheduler.Instance) {}, true},
		"never healthy":                 {true, func(i *scheduler.Instance) { i.Healthy = false }, false},
		"pending":                       {true, func(i *scheduler.Instance) { i.State = scheduler.Pending }, false},
		"no address":                    {true, func(i *scheduler.Instance) { i.Address = "" }, false},
		"check fails once":              {false, func(i *scheduler.Instance) { i.Healthy = false }, true},
		"told to stop":                  {false, func(i *scheduler.Instance) { i.Stopping = true }, false},
		"told to stop and check failed": {false, func(i *scheduler.Instance) { i.Stopping, i.Healthy = true, false }, false},
		"complete":                      {false, func(i *scheduler.Instance) { i.State = scheduler.Complete }, false},
		"failed":                        {false, func(i *scheduler.Instance) { i.State, i.Healthy = scheduler.Failed, false }, false},
		"restarted, not healthy yet":    {false, func(i *scheduler.Instance) { i.Restarts, i.Healthy = 1, false }, false},
		"restarted and healthy":         {false, func(i *scheduler.Instance) { i.Restarts = 1 }, true},
		"moved, not healthy yet":        {false, func(i *scheduler.Instance) { i.Address, i.Healthy = "127.0.0.1:2", false }, false},
	} {
		w := newWorld()
		w.setRoutes(route("Hello", 1, 7))
		d := local.New(w, w, parse, quiet())
		if !c.fresh {
			w.setJob("fn-hello.r7", healthy("1"))
			if err := d.Refresh(t.Context()); err != nil || len(endpoints(d.Current(), "hello")) != 1 {
				t.Fatalf("%s: %v %v", name, err, endpoints(d.Current(), "hello"))
			}
		}
		i := healthy("1")
		c.change(&i)
		w.setJob("fn-hello.r7", i)
		if err := d.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(endpoints(d.Current(), "hello")) == 1; got != c.want {
			t.Errorf("%s: endpoint %v, want %v", name, got, c.want)
		}
	}
}

func TestGenerations(t *testing.T) {
	t.Parallel()
	w := newWorld()
	d := local.New(w, w, parse, quiet())
	revision := func() int64 {
		if err := d.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := d.Current().App("hello"); a != nil {
			return a.Targets[0].Revision
		}
		return 0
	}
	var got []int64
	for _, rows := range [][]local.RouteRow{
		{route("hello", 5, 1)}, {route("hello", 4, 2)}, {route("hello", 5, 3)}, {route("hello", 6, 4)},
		{}, {route("hello", 1, 5)}, // deleted and made again
	} {
		w.setRoutes(rows...)
		got = append(got, revision())
	}
	if diff := cmp.Diff([]int64{1, 1, 3, 4, 0, 5}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPicture(t *testing.T) {
	t.Parallel()
	w := newWorld()
	split := route("Shop", 3, 1)
	split.Targets = append(split.Targets, local.RouteTarget{Revision: 2, Weight: 20})
	w.setRoutes(split, local.RouteRow{App: "new", Waiting: "waiting for capacity"}, local.RouteRow{App: "off", Stopped: true})
	w.setJob("fn-shop.r1", healthy("1"), healthy("2"))
	w.setJob("fn-shop.r2", healthy("3"))
	w.setJob("fn-shop.r9", healthy("4"))
	w.setJob("something-else", healthy("5"))
	d := local.New(w, w, parse, quiet())
	if d.Ready() || d.Current() != nil {
		t.Error("ready before anything was read")
	}
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"r1/1@127.0.0.1:1", "r1/2@127.0.0.1:2", "r2/3@127.0.0.1:3"}
	if diff := cmp.Diff(want, endpoints(d.Current(), "SHOP")); diff != "" {
		t.Error(diff)
	}
	if a := d.Current().App("new"); a == nil || a.Waiting != "waiting for capacity" || len(a.Targets) != 0 {
		t.Errorf("got %+v", a)
	}
	if a := d.Current().App("off"); a == nil || !a.Stopped {
		t.Errorf("got %+v", a)
	}
}

func TestUnchangedWorldPublishesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.setRoutes(route("a", 1, 1), route("b", 1, 1))
	w.setJob("fn-a.r1", healthy("1"))
	d := local.New(w, w, parse, quiet())
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, changed := d.Current(), d.Changed()
	w.setJob("fn-z.r1", healthy("9")) // nobody's route
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d.Current() != before {
		t.Error("an equal picture was published")
	}
	w.setJob("fn-b.r1", healthy("2"))
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	default:
		t.Error("a new picture did not wake who waited")
	}
}

func TestRunFollowsBothSources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		d := local.New(w, w, parse, quiet())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.Run(ctx) }()
		synctest.Wait()
		w.setRoutes(route("hello", 1, 1))
		w.setJob("fn-hello.r1", healthy("1"))
		synctest.Wait()
		if got := endpoints(d.Current(), "hello"); len(got) != 1 {
			t.Fatalf("got %v", got)
		}

		broken := errors.New("the database is away")
		w.change(func() { w.err = broken })
		synctest.Wait()
		if got := endpoints(d.Current(), "hello"); len(got) != 1 {
			t.Errorf("a failing source changed the picture: %v", got)
		}
		if err := d.Refresh(ctx); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		w.change(func() { w.err = nil })
		w.setRoutes(route("hello", 2, 2))
		<-time.After(10 * time.Second) // of the bubble: past the last retry
		synctest.Wait()
		if a := d.Current().App("hello"); a.Targets[0].Revision != 2 {
			t.Errorf("it did not recover: %+v", a)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestLostNudgeCostsSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.deaf = true
		d := local.New(w, w, parse, quiet())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.Run(ctx) }()
		synctest.Wait()
		w.setRoutes(route("hello", 1, 1))
		changed := d.Changed()
		start := time.Now()
		<-changed
		if took := time.Since(start); took > local.Resync {
			t.Errorf("found after %s", took)
		}
		cancel()
		<-ended
	})
}

func TestSchedulerThatBeginsAnewIsBelieved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.setRoutes(route("hello", 1, 1))
		w.change(func() { w.snap.Index = 1000 })
		w.setJob("fn-hello.r1", healthy("1"))
		d := local.New(w, w, parse, quiet())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- d.Run(ctx) }()
		synctest.Wait()
		w.change(func() { w.snap = scheduler.Snapshot{Index: 3, Jobs: map[string]scheduler.Job{}} })
		synctest.Wait()
		if got := endpoints(d.Current(), "hello"); got != nil {
			t.Errorf("got %v", got)
		}
		cancel()
		<-ended
	})
}

// TestReadersAndWriters lets Refresh, Run and readers race; the race detector is the judge of memory, the test of
// generations never going back.
func TestReadersAndWriters(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.setRoutes(route("hello", 1, 1))
	d := local.New(w, w, parse, quiet())
	if err := d.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = d.Run(ctx) })
	wg.Go(func() {
		for last := int64(0); ctx.Err() == nil; {
			g := d.Current().App("hello").Generation
			if g < last {
				t.Errorf("generation went from %d to %d", last, g)
				return
			}
			last = g
		}
	})
	for n := int64(2); n < 200; n++ {
		w.setRoutes(route("hello", n, n))
		if err := d.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		if got := d.Current().App("hello").Generation; got != n {
			t.Fatalf("after Refresh generation %d, want %d", got, n)
		}
	}
	cancel()
	wg.Wait()
}

// BenchmarkRebuild is the cost of one change among 2000 apps with two instances each.
func BenchmarkRebuild(b *testing.B) {
	w := newWorld()
	var rows []local.RouteRow
	for n := range 2000 {
		app := fmt.Sprintf("app-%04d", n)
		rows = append(rows, route(app, 1, 1))
		id := "fn-" + app + ".r1"
		w.snap.Jobs[id] = scheduler.Job{ID: id, Instances: []scheduler.Instance{healthy(fmt.Sprint(2 * n)), healthy(fmt.Sprint(2*n + 1))}}
	}
	w.setRoutes(rows...)
	d := local.New(w, w, parse, quiet())
	b.ReportAllocs()
	for n := int64(2); b.Loop(); n++ {
		w.rows[0].Generation = n
		if err := d.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
