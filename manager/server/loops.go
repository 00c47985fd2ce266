package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nightshift-functions/nightshift/manager/rollout"
)

// loops are the goroutines that live as long as the server.
type loops struct {
	group  sync.WaitGroup
	failed chan error
}

// run starts a loop; its end is an error unless the context ended first.
func (l *loops) run(ctx context.Context, name string, loop func(context.Context) error) {
	l.group.Go(func() {
		if err := loop(ctx); ctx.Err() == nil {
			select {
			case l.failed <- fmt.Errorf("%s ended: %w", name, errors.Join(err, context.Cause(ctx))):
			default:
			}
		}
	})
}

func (l *loops) wait() error {
	l.group.Wait()
	return nil
}

// readiness is what /readyz says.
type readiness struct{ ok atomic.Bool }

func (r *readiness) set(ok bool) { r.ok.Store(ok) }

func (s *Server) startLoops(ctx context.Context) error {
	epoch, err := s.store.TakeEpoch(ctx, fmt.Sprintf("pid %d", os.Getpid()))
	if err != nil {
		return err
	}
	if err := s.discovery.Refresh(ctx); err != nil {
		return err
	}
	loop := rollout.New(rollout.Config{
		Overview: s.store, Reader: s.store, Writer: s.store, Waiter: s.store, Jobs: s.jobs,
		Policy: rollout.DefaultPolicy(), Epoch: epoch, RouteChanged: s.discovery.Refresh, Now: time.Now, Log: s.log,
	})
	// The loops outlive the context of Start: Stop ends them.
	var base context.Context
	base, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.loops.failed = make(chan error, 1)
	s.loops.run(base, "rollout", loop.Run)
	s.loops.run(base, "discovery", s.discovery.Run)
	s.loops.run(base, "housekeeping", s.keepHouse)
	s.ready.set(true)
	return nil
}

// What is kept. Deployments' packages and revisions are for rolling back; records and logs for looking into.
const (
	housekeepingFirst = time.Minute
	housekeepingEvery = time.Hour
	keepPackages      = 10
	keepRevisions     = 20
	keepRecords       = 14 * 24 * time.Hour
	keepRecordsPerApp = 100_000
	keepInstances     = 24 * time.Hour
)

func (s *Server) keepHouse(ctx context.Context) error {
	// Soon after the start as well: a manager that is restarted each night would never get to it.
	timer := time.NewTimer(housekeepingFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			if err := s.prune(ctx, time.Now()); err != nil && ctx.Err() == nil {
				s.log.Error().Err(err).Msg("housekeeping")
			}
			timer.Reset(housekeepingEvery)
		}
	}
}

func (s *Server) prune(ctx context.Context, now time.Time) error {
	apps, err := s.store.RolloutApps(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, app := range apps {
		_, err := s.store.PruneRevisions(ctx, app.ID, keepRevisions)
		errs = append(errs, err)
	}
	_, err = s.store.PrunePackages(ctx, keepPackages)
	errs = append(errs, err)
	_, err = s.store.PruneRecords(ctx, now.Add(-keepRecords), keepRecordsPerApp)
	errs = append(errs, err)
	_, err = s.store.DeleteInstances(ctx, now.Add(-keepInstances))
	return errors.Join(append(errs, err)...)
}
