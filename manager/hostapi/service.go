package hostapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

// Instance is whose token a call brought.
type Instance struct {
	ID       string
	App      string // name
	Revision int64
}

// IdentityVerifier checks instance tokens. The error is Unauthenticated.
type IdentityVerifier interface {
	Verify(ctx context.Context, token string) (Instance, error)
}

// Config says what the store does not know.
type Config struct {
	// GatewayKeys returns the Ed25519 public keys (standard base64) that sign request tokens.
	GatewayKeys func() []string
	// PublicURL returns the address under which callers reach an app, without a trailing slash.
	PublicURL func(app string) string
	// EnsureFunctionKeys gives the functions their default keys where they have none. It is called with the names of
	// the functions that an instance has indexed.
	EnsureFunctionKeys func(ctx context.Context, appID string, functions []string) error
	Limits             link.Limits      // handed to every instance
	MaxWait            time.Duration    // longest long poll; default and most 60 s
	Now                func() time.Time // nil means time.Now
}

const maxWait = time.Minute

// Service answers the worker link. It is safe for concurrent use.
type Service struct {
	cfg      Config
	store    Store
	verifier IdentityVerifier
	log      zerolog.Logger
	docs     documents
	routes   http.Handler
	waits    *httpserver.Waits
}

// New makes a Service; every function of cfg but Now is needed.
func New(cfg Config, st Store, verifier IdentityVerifier, log zerolog.Logger) (*Service, error) {
	if cfg.GatewayKeys == nil || cfg.PublicURL == nil || cfg.EnsureFunctionKeys == nil {
		return nil, errors.New("worker link: GatewayKeys, PublicURL and EnsureFunctionKeys must be set")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxWait <= 0 || cfg.MaxWait > maxWait {
		cfg.MaxWait = maxWait
	}
	s := &Service{
		cfg: cfg, store: st, verifier: verifier, waits: httpserver.NewWaits(),
		log: log.With().Str("component", "hostapi").Logger(),
	}
	s.routes = s.router()
	return s, nil
}

// ServeHTTP serves the paths of the link (/hostapi/v1/...); it is mounted at the root of the link's listener.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.routes.ServeHTTP(w, r) }

// Stop ends all long polls at once, with what there is; call it before the listener shuts down, which waits for them.
func (s *Service) Stop() { s.waits.Stop() }

func (s *Service) router() http.Handler {
	r := chi.NewRouter()
	r.Use(s.identify)
	r.Get(link.PathApp, s.getApp)
	r.Get(link.PathPackage, s.getPackage)
	r.Put(link.PathInstance, s.putInstance)
	r.Put(link.PathTriggers, s.putTriggers)
	r.Post(link.PathInvocations, s.postInvocations)
	r.Post(link.PathLogs, s.postLogs)
	r.Get(link.PathSchedule, s.getSchedule)
	r.Post(link.PathOccurrences, s.postOccurrence)
	r.Post(link.PathLease, s.postLease)
	r.Put(link.PathLease, s.putLease)
	r.Delete(link.PathLease, s.deleteLease)
	r.NotFound(notFound)
	r.MethodNotAllowed(notFound)
	return r
}
