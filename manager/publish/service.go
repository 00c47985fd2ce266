package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/archive"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/metadata"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// The defaults of Config.
const (
	DefaultMaxPackageBytes = 1 << 30
	DefaultRolloutWait     = 150 * time.Second // Azure's clients give a deployment three minutes
	DefaultStallTimeout    = time.Minute
	DefaultUploadTimeout   = time.Hour
)

// acceptTimeout bounds what happens between the last byte of a package and the answer, other than the rollout:
// checking, storing and the transaction. It no longer depends on the client, who may have gone.
const acceptTimeout = 2 * time.Minute

// Config says where and how packages are received. Zero values mean the defaults; IncomingDir has none.
type Config struct {
	IncomingDir     string        // packages on their way; made with mode 0700, its leftovers are removed at start
	MaxPackageBytes int64         // a larger zip is refused with 413
	RolloutWait     time.Duration // how long a synchronous publish waits for the rollout before it answers 202
	StallTimeout    time.Duration // how long an upload may stand still
	UploadTimeout   time.Duration // how long an upload may take
	Limits          archive.Limits
	Runtimes        map[string]string // language runtimes that instances can use; nil leaves the check out
	Unusable        map[string]string // runtimes that are there and cannot be used, with the reason
	Support         metadata.Support  // triggers and bindings of this release
	// Inputs returns the job inputs, other than the settings, that a new revision of the app is made with; nil means
	// an empty object.
	Inputs func(store.App) json.RawMessage
	Now    func() time.Time // nil means time.Now
}

func (c Config) withDefaults() Config {
	set(&c.MaxPackageBytes, DefaultMaxPackageBytes)
	set(&c.RolloutWait, DefaultRolloutWait)
	set(&c.StallTimeout, DefaultStallTimeout)
	set(&c.UploadTimeout, DefaultUploadTimeout)
	if c.Inputs == nil {
		c.Inputs = func(store.App) json.RawMessage { return json.RawMessage(`{}`) }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func set[T int64 | time.Duration](v *T, fallback T) {
	if *v <= 0 {
		*v = fallback
	}
}

// Service answers the SCM surface of every app. It is safe for concurrent use.
type Service struct {
	cfg    Config
	store  Store
	guard  Guard
	log    zerolog.Logger
	routes http.Handler
	cross  *http.CrossOriginProtection
	lost   orphans
	waits  *httpserver.Waits
}

// New makes a Service and its incoming folder.
func New(cfg Config, st Store, guard Guard, log zerolog.Logger) (*Service, error) {
	if cfg.IncomingDir == "" {
		return nil, errors.New("publish: the folder for incoming packages is not set")
	}
	if err := os.MkdirAll(cfg.IncomingDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for incoming packages: %w", err)
	}
	s := &Service{
		cfg: cfg.withDefaults(), store: st, guard: guard, cross: http.NewCrossOriginProtection(), waits: httpserver.NewWaits(),
		log: log.With().Str("component", "publish").Logger(),
	}
	s.routes = s.router()
	return s, nil
}

// Stop lets synchronous publishes that wait for a rollout answer at once with how they stand; call it before the
// listener shuts down. What was accepted goes on by itself.
func (s *Service) Stop() { s.waits.Stop() }
