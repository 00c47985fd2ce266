package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/nightshift-functions/nightshift/internal/discovery"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

const (
	// Resync is how often routes are read without being asked to: what a lost nudge costs at most.
	Resync = 10 * time.Second

	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Discovery keeps the picture. Its methods are safe for concurrent use.
type Discovery struct {
	routes RouteSource
	jobs   Watcher
	parse  ParseJobID
	logger zerolog.Logger

	current atomic.Pointer[discovery.Snapshot]

	reading sync.Mutex // held while routes are read and taken over, so that an older reading never follows a newer one

	mu       sync.Mutex
	memory   memory
	rows     []RouteRow
	snapshot scheduler.Snapshot
	hasRows  bool
	hasJobs  bool
	changed  chan struct{}
}

// New makes a Discovery that knows nothing until Run or Refresh has read both sources.
func New(routes RouteSource, watcher Watcher, parse ParseJobID, logger zerolog.Logger) *Discovery {
	return &Discovery{routes: routes, jobs: watcher, parse: parse, logger: logger, changed: make(chan struct{})}
}

// Current returns the last published picture; nil before the first.
func (d *Discovery) Current() *discovery.Snapshot { return d.current.Load() }

// Ready reports whether there is a picture.
func (d *Discovery) Ready() bool { return d.current.Load() != nil }

// Changed returns a channel that is closed when the next picture is published. To miss none, take the channel
// first and look at Current after.
func (d *Discovery) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// Refresh reads both sources now and publishes; when it returns nil, Current shows what was true when it was
// called. On an error the last picture stays.
func (d *Discovery) Refresh(ctx context.Context) error {
	snap, err := d.jobs.Watch(ctx, 0)
	if err != nil {
		return fmt.Errorf("read the scheduler's jobs: %w", err)
	}
	d.takeJobs(snap, false)
	return d.readRoutes(ctx)
}

// Run follows both sources until ctx ends; it returns nil then. A failing source is tried again, ever more slowly.
func (d *Discovery) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { d.follow(ctx, "routes", d.nextRoutes()); return nil })
	g.Go(func() error { d.follow(ctx, "scheduler", d.nextJobs()); return nil })
	return g.Wait()
}

// follow calls step until ctx ends. It logs when the source fails and when it is back, not each try in between.
func (d *Discovery) follow(ctx context.Context, source string, step func(context.Context) error) {
	wait := time.Duration(0)
	for ctx.Err() == nil {
		err := step(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && wait > 0:
			d.logger.Info().Str("source", source).Msg("discovery source is back")
			wait = 0
		case err != nil && wait == 0:
			d.logger.Warn().Str("source", source).Err(err).Msg("discovery source fails; keeping the last picture")
		}
		if err != nil {
			wait = min(max(2*wait, firstRetry), lastRetry)
			pause(ctx, wait)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// nextRoutes returns a step that reads the routes, at once and then whenever they may have changed.
func (d *Discovery) nextRoutes() func(context.Context) error {
	var after uint64
	read := false
	return func(ctx context.Context) error {
		if read {
			waitCtx, cancel := context.WithTimeout(ctx, Resync)
			index, err := d.routes.WaitRoutes(waitCtx, after)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("wait for a change of routes: %w", err)
			}
			if err == nil {
				after = index
			}
		}
		err := d.readRoutes(ctx)
		read = err == nil
		return err
	}
}

// nextJobs returns a step that takes over the scheduler's next snapshot.
func (d *Discovery) nextJobs() func(context.Context) error {
	var after uint64
	return func(ctx context.Context) error {
		snap, err := d.jobs.Watch(ctx, after)
		if err != nil {
			return fmt.Errorf("watch the scheduler: %w", err)
		}
		// A lower index than was asked for is a scheduler that began anew: its word counts.
		d.takeJobs(snap, snap.Index < after)
		after = snap.Index
		return nil
	}
}

func (d *Discovery) readRoutes(ctx context.Context) error {
	d.reading.Lock()
	defer d.reading.Unlock()
	rows, err := d.routes.Routes(ctx)
	if err != nil {
		return fmt.Errorf("read routes: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rows, d.hasRows = rows, true
	d.publish()
	return nil
}

// takeJobs takes over a snapshot unless a newer one has been taken meanwhile.
func (d *Discovery) takeJobs(snap scheduler.Snapshot, anew bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hasJobs && !anew && snap.Index < d.snapshot.Index {
		return
	}
	d.snapshot, d.hasJobs = snap, true
	d.publish()
}

// publish folds and swaps; d.mu is held. Nothing is published before both sources have been read: half a picture
// would answer 503 for apps that are well.
func (d *Discovery) publish() {
	if !d.hasRows || !d.hasJobs {
		return
	}
	next, memory := d.memory.fold(d.rows, d.snapshot, d.parse)
	d.memory = memory
	if same(d.current.Load(), next, memory.routes) {
		return
	}
	d.current.Store(next)
	close(d.changed)
	d.changed = make(chan struct{})
}
