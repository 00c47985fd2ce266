package local

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
)

// Scheduler runs jobs on this machine. Its methods are safe for concurrent use.
type Scheduler struct {
	config  Config
	machine *machine
	log     zerolog.Logger
	uid     int

	mu      sync.Mutex
	jobs    map[string]*job
	ports   *portPool
	seq     int // of the last instance
	index   uint64
	changed chan struct{} // closed and replaced at every change
	closing bool

	nudge     chan struct{} // wakes the loop
	quit      chan struct{}
	loops     sync.WaitGroup
	instances sync.WaitGroup
}

// New opens the run folder and starts the scheduler, without any job. A run folder that another scheduler uses is a
// Conflict, one that somebody else owns or may write to is Forbidden. Close ends what New starts.
func New(config Config, logger zerolog.Logger) (*Scheduler, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	dir, err := openRunDir(config.RunDir, config.KeepLogs)
	if err != nil {
		return nil, err
	}
	logger = logger.With().Str("component", "scheduler").Logger()
	tokens := &identities{known: map[[32]byte]IdentityRequest{}}
	if config.Identity == nil {
		config.Identity = tokens.mint
	}
	s := &Scheduler{
		config: config,
		log:    logger,
		uid:    os.Geteuid(),
		machine: &machine{
			dir: dir, launcher: newLauncher(dir.path, config.NoPIDNamespace), tokens: tokens,
			identity: config.Identity, client: newCheckClient(), log: logger,
		},
		jobs:    map[string]*job{},
		ports:   newPortPool(config.FirstPort, config.LastPort),
		index:   1,
		changed: make(chan struct{}),
		nudge:   make(chan struct{}, 1),
		quit:    make(chan struct{}),
	}
	s.loops.Go(s.loop)
	logger.Info().Str("runDir", dir.path).Bool("ownPIDNamespaces", s.machine.launcher.isolated()).Msg("local scheduler started")
	return s, nil
}

// Isolated reports whether every descendant of an instance is sure to end with it.
func (s *Scheduler) Isolated() bool { return s.machine.launcher.isolated() }

// loop converges whenever something ended or a time has come. Apply, Scale and Stop converge by themselves.
func (s *Scheduler) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.nudge:
		case <-timer.C:
		case <-s.quit:
			return
		}
		s.mu.Lock()
		next := s.converge()
		s.mu.Unlock()
		timer.Reset(next)
	}
}

func (s *Scheduler) wakeLoop() {
	select {
	case s.nudge <- struct{}{}:
	default: // it is awake already
	}
}

// Watch returns all jobs as soon as the index is greater than after: at once with 0, else at the next change. When the
// context ends before, its error is returned.
func (s *Scheduler) Watch(ctx context.Context, after uint64) (scheduler.Snapshot, error) {
	for {
		s.mu.Lock()
		if s.index > after {
			snapshot := s.snapshot()
			s.mu.Unlock()
			return snapshot, nil
		}
		changed, closing := s.changed, s.closing
		s.mu.Unlock()
		if closing {
			return scheduler.Snapshot{}, errClosed()
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return scheduler.Snapshot{}, ctx.Err() // the caller's own context
		}
	}
}

func (s *Scheduler) snapshot() scheduler.Snapshot {
	snapshot := scheduler.Snapshot{Index: s.index, Jobs: make(map[string]scheduler.Job, len(s.jobs))}
	for id, j := range s.jobs {
		snapshot.Jobs[id] = j.snapshot()
	}
	return snapshot
}

// bump tells watchers that something has changed. The lock is held.
func (s *Scheduler) bump() {
	s.index++
	close(s.changed)
	s.changed = make(chan struct{})
}

// publish changes what snapshots show of an instance.
func (s *Scheduler) publish(i *instance, change func(*scheduler.Instance)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := i.info
	change(&i.info)
	if i.info != before {
		s.bump()
	}
}

// Close stops all instances gracefully; when the context ends before they have stopped, they are killed. It returns
// when no process is left. Nothing can be applied any more; a second Close does nothing.
func (s *Scheduler) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return nil
	}
	s.closing = true
	s.eachLive(s.stopInstance)
	s.bump()
	s.mu.Unlock()

	ended := make(chan struct{})
	go func() {
		s.instances.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		s.mu.Lock()
		s.eachLive(func(i *instance) { i.end(i.kill) })
		s.mu.Unlock()
		<-ended
	}
	close(s.quit)
	s.loops.Wait()
	s.machine.launcher.close()
	return s.machine.dir.close()
}

func (s *Scheduler) eachLive(do func(*instance)) {
	for _, j := range s.jobs {
		for _, i := range j.instances {
			if i.info.Live() {
				do(i)
			}
		}
	}
}

func errClosed() error {
	return azfunc.Errorf(azfunc.Unavailable, "the local scheduler is shutting down")
}
