package identity

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/store"
)

// UserReader finds users.
type UserReader interface {
	UserByName(ctx context.Context, name string) (store.User, error)
	UserByID(ctx context.Context, id string) (store.User, error)
}

// RoleReader returns the roles of a user.
type RoleReader interface {
	RoleAssignments(ctx context.Context, principalID string) ([]store.RoleAssignment, error)
}

// AppReader finds an app by its name, without regard to case.
type AppReader interface {
	App(ctx context.Context, name string) (store.App, error)
}

// Store is what identity reads and writes while requests are served.
type Store interface {
	UserReader
	RoleReader
	AppReader
	AuditWriter
}

// Config is how the service is known to its clients.
type Config struct {
	// PublicURL is the https address of the management face, for example https://localhost:7443.
	PublicURL string
	// Audiences are further resources whose tokens this installation takes; its own address and Azure's two names for
	// ARM, which some SDKs ask for whatever the endpoint, are always among them.
	Audiences []string
	// Clients are further client ids that may sign users in, besides Azure's own tools and the portal.
	Clients []string
	// TokenKey signs the tokens: P-256.
	TokenKey *ecdsa.PrivateKey
	// Now is time.Now outside tests.
	Now func() time.Time
}

// Service authenticates and authorizes requests and issues tokens. It is safe for concurrent use.
type Service struct {
	store     Store
	passwords *Passwords
	throttle  *Throttle
	tokens    *tokens
	publicURL string
	clients   map[string]bool
	log       zerolog.Logger
	now       func() time.Time
}

// New makes a Service.
func New(cfg Config, st Store, passwords *Passwords, log zerolog.Logger) (*Service, error) {
	u, err := url.Parse(cfg.PublicURL)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil, fmt.Errorf("identity needs the public address of the management face, got %q", cfg.PublicURL)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	base := strings.TrimSuffix(cfg.PublicURL, "/")
	tk, err := newTokens(cfg.TokenKey, base+authorityPath, append(ownAudiences(base), cfg.Audiences...), cfg.Now)
	if err != nil {
		return nil, err
	}
	clients := map[string]bool{}
	for _, id := range append(knownClients(), cfg.Clients...) {
		clients[strings.ToLower(id)] = true
	}
	return &Service{
		store: st, passwords: passwords, throttle: NewThrottle(cfg.Now), tokens: tk, publicURL: base,
		clients: clients, log: log, now: cfg.Now,
	}, nil
}

// Audience is the resource that clients ask tokens for: the management face's address with a slash at the end.
func (s *Service) Audience() string { return s.publicURL + "/" }

// LoginEndpoint is the authority that clients are told: it ends in /adfs, which keeps them from asking Microsoft.
func (s *Service) LoginEndpoint() string { return s.publicURL + authorityPath }

// PortalClientID is the client id of our own portal and command line.
const PortalClientID = "nightshift"

// knownClients lists the public client ids of the tools that sign in to a private cloud.
func knownClients() []string {
	return []string{
		PortalClientID,
		"04b07795-8ddb-461a-bbee-02f9e1bf7b46", // Azure CLI
		"1950a258-227b-4e31-a9cf-717495945fc2", // Azure PowerShell
		"04f0c124-f2bc-4f59-8241-bf6df9866bbd", // Visual Studio
		"872cd9fa-d31f-45e0-9eab-6e460a02d1f1", // Visual Studio, earlier
		"aebc6443-996d-45c2-90f0-388ff96faa56", // Visual Studio Code
	}
}

func ownAudiences(base string) []string {
	return []string{base, "https://management.azure.com", "https://management.core.windows.net"}
}
