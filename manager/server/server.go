package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"

	discovery "github.com/nightshift-functions/nightshift/internal/discovery/local"
	"github.com/nightshift-functions/nightshift/internal/keys"
	scheduler "github.com/nightshift-functions/nightshift/internal/scheduler/local"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/internal/store/sqlite"
	"github.com/nightshift-functions/nightshift/manager/gateway"
	"github.com/nightshift-functions/nightshift/manager/hostapi"
	"github.com/nightshift-functions/nightshift/manager/identity"
	"github.com/nightshift-functions/nightshift/manager/localca"
	"github.com/nightshift-functions/nightshift/manager/management"
	"github.com/nightshift-functions/nightshift/manager/publish"
)

// Server is one manager with all its roles, on one machine.
type Server struct {
	cfg      Config
	log      zerolog.Logger
	registry *prometheus.Registry
	keyring  keys.Keyring
	ca       *localca.Authority
	store    *store.DB
	sched    *scheduler.Scheduler
	faces    faces
	where    Addresses

	jobs       *jobs
	users      *identity.Directory
	identity   *identity.Service
	management *management.API
	discovery  *discovery.Discovery
	gateway    *gateway.Gateway
	publish    *publish.Service
	link       *hostapi.Service

	cancel context.CancelFunc // ends the loops
	loops  loops
	ready  readiness
}

// New opens everything and listens, but serves nothing yet. On an error it leaves nothing open.
func New(ctx context.Context, cfg Config, log zerolog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: log, registry: prometheus.NewRegistry()}
	s.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, open := range []func(context.Context) error{s.openState, s.listen, s.openScheduler, s.buildIdentity, s.buildRoles} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, s.close(context.WithoutCancel(ctx)))
		}
	}
	return s, nil
}

func (s *Server) openState(ctx context.Context) error {
	if err := PrepareData(s.cfg.DataDir); err != nil {
		return err
	}
	var err error
	if s.keyring, err = keys.LoadOrCreate(filepath.Join(s.cfg.DataDir, "keys.json")); err != nil {
		return err
	}
	sealer, err := s.keyring.Sealer()
	if err != nil {
		return err
	}
	s.store, err = sqlite.Open(ctx, filepath.Join(s.cfg.DataDir, "nightshift.db"), sealer, sqlite.Options{Log: s.log, UIDBase: firstUID(s.cfg.DataDir)})
	return err
}

func (s *Server) listen(ctx context.Context) error {
	var err error
	s.ca, err = localca.Open(localca.Config{Dir: filepath.Join(s.cfg.DataDir, "tls"), Names: s.hostNames()})
	if err != nil {
		return err
	}
	all := newFaces(s.cfg, s.ca.TLSConfig(), s.log)
	if err := all.start(ctx); err != nil {
		return err
	}
	s.faces = all
	s.where = all.addresses(s.cfg.DataDir, filepath.Join(s.cfg.DataDir, "admin-password"))
	return nil
}

// hostNames are the names that the local certificate must hold besides localhost.
func (s *Server) hostNames() []string {
	return []string{s.cfg.Domain, "*." + s.cfg.Domain, "*.scm." + s.cfg.Domain}
}

func (s *Server) openScheduler(ctx context.Context) error {
	dir, err := scheduler.DefaultRunDir(s.cfg.DataDir)
	if err != nil {
		return err
	}
	if s.sched, err = scheduler.New(scheduler.Config{RunDir: dir}, s.log); err != nil {
		return err
	}
	staged, err := s.sched.Stage(ctx, scheduler.Files{Worker: s.cfg.WorkerPath, Languages: s.cfg.LanguagesDir})
	if err != nil {
		return err
	}
	s.jobs = &jobs{scheduler: s.sched, ownUIDs: os.Geteuid() == 0}
	s.jobs.input.Worker, s.jobs.input.Languages = staged.Worker, staged.Languages
	s.jobs.input.ManagerURL, s.jobs.input.Path = s.where.Link, s.cfg.SearchPath
	return nil
}

// Start runs the loops and begins to serve. It returns when every face answers.
func (s *Server) Start(ctx context.Context) error {
	if err := s.publish.EndInterrupted(ctx); err != nil {
		return err
	}
	if err := s.startLoops(ctx); err != nil {
		return err
	}
	s.serve()
	return s.where.write()
}

// Addresses says where everything is.
func (s *Server) Addresses() Addresses { return s.where }

// Wait returns when ctx ends, or with the error of a face or loop that ended by itself.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.faces.failed(ctx):
		return err
	case err := <-s.loops.failed:
		return err
	}
}

// How long a stop may take. Callers' requests end first, then the instances, which finish what they have.
const (
	requestsDeadline  = 10 * time.Second
	instancesDeadline = 40 * time.Second
)

// Stop ends everything; no process of ours is left when it returns.
func (s *Server) Stop() error {
	s.ready.set(false)
	_ = os.Remove(addressesFile(s.cfg.DataDir))
	return s.close(context.Background())
}

// close undoes New and Start in reverse. The worker link stays until the instances have ended, because they report
// their end and their last records over it.
func (s *Server) close(ctx context.Context) error {
	var errs []error
	if s.cancel != nil {
		s.cancel()
		errs = append(errs, s.loops.wait())
	}
	if s.publish != nil {
		s.publish.Stop() // publishers that wait for a rollout
	}
	s.endRequests(ctx)
	instances, cancel := context.WithTimeout(ctx, instancesDeadline)
	defer cancel()
	if s.sched != nil {
		errs = append(errs, s.sched.Close(instances))
	}
	if s.gateway != nil {
		s.gateway.Close()
	}
	errs = append(errs, s.closeLink(ctx))
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	return nil
}

// endRequests closes the faces that callers use, all at once: none may go on accepting while another one waits.
func (s *Server) endRequests(ctx context.Context) {
	if s.faces.link.Server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, requestsDeadline)
	defer cancel()
	var group sync.WaitGroup
	for _, f := range []face{s.faces.appHTTP, s.faces.appHTTPS, s.faces.http, s.faces.https} {
		group.Go(func() {
			if err := f.Shutdown(ctx); err != nil {
				s.log.Warn().Err(err).Msg("requests were cut")
			}
		})
	}
	group.Wait()
}

func (s *Server) closeLink(ctx context.Context) error {
	if s.faces.link.Server == nil {
		return nil
	}
	if s.link != nil {
		s.link.Stop() // long polls
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return s.faces.link.Shutdown(ctx)
}
