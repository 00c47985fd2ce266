package management

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// Authenticator says who asks, and how to sign in.
type Authenticator interface {
	Authenticate(r *http.Request) (identity.Principal, error)
	BearerChallenge() string
}

// Authorizer says who may do what, and records what was done.
type Authorizer interface {
	Authorize(ctx context.Context, p identity.Principal, action, scope string) error
	RightsOf(ctx context.Context, p identity.Principal) (identity.Rights, error)
	Record(ctx context.Context, p identity.Principal, e identity.Event) error
}

// Gate is both; *identity.Service is one.
type Gate interface {
	Authenticator
	Authorizer
}

// SubscriptionReader finds subscriptions.
type SubscriptionReader interface {
	Subscriptions(ctx context.Context, page store.Page) ([]store.Subscription, string, error)
	Subscription(ctx context.Context, id string) (store.Subscription, error)
}

// GroupStore keeps resource groups.
type GroupStore interface {
	PutResourceGroup(ctx context.Context, g store.ResourceGroup) error
	ResourceGroup(ctx context.Context, subscriptionID, name string) (store.ResourceGroup, error)
	ResourceGroups(ctx context.Context, subscriptionID string, page store.Page) ([]store.ResourceGroup, string, error)
	DeleteResourceGroup(ctx context.Context, subscriptionID, name string) error
}

// AppReader finds apps.
type AppReader interface {
	App(ctx context.Context, name string) (store.App, error)
	Apps(ctx context.Context, filter store.AppFilter, page store.Page) ([]store.App, string, error)
}

// AppWriter makes and changes apps.
type AppWriter interface {
	CreateApp(ctx context.Context, a store.App) (store.App, error)
	UpdateApp(ctx context.Context, a store.App, ifVersion int64) (store.App, error)
	SetAppStopped(ctx context.Context, name string, stopped bool) error
	DeleteApp(ctx context.Context, name string) error
}

// SettingStore keeps the settings of apps.
type SettingStore interface {
	Settings(ctx context.Context, appID string) (values map[string]string, version int64, err error)
	ReplaceSettings(ctx context.Context, appID string, values map[string]string, ifVersion int64, makeRevision bool) (version, revision int64, err error)
}

// KeyStore keeps the access keys of apps.
type KeyStore interface {
	Keys(ctx context.Context, appID string) ([]store.Key, error)
	PutKey(ctx context.Context, appID string, k store.Key) (created bool, err error)
	DeleteKey(ctx context.Context, appID, kind, function, name string) error
	EnsureKeys(ctx context.Context, appID string, candidates []store.Key) (added int, err error)
}

// HistoryReader tells what was published, what runs and what was done.
type HistoryReader interface {
	Deployments(ctx context.Context, appID string, page store.Page) ([]store.Deployment, string, error)
	Deployment(ctx context.Context, appID, id string) (store.Deployment, error)
	DeploymentLogs(ctx context.Context, id string, page store.Page) ([]store.DeploymentLog, string, error)
	Audit(ctx context.Context, scope string, page store.Page) ([]store.AuditEntry, string, error)
}

// RunReader tells which functions an app has and what its instances report.
type RunReader interface {
	Revisions(ctx context.Context, appID string, liveOnly bool) ([]store.Revision, error)
	Triggers(ctx context.Context, appID string, revision int64) (json.RawMessage, error)
	Instances(ctx context.Context, appID string) ([]store.Instance, error)
}

// Store is what this face reads and writes.
type Store interface { //nolint:interfacebloat // the sum of the narrow ones above, for New alone
	SubscriptionReader
	GroupStore
	AppReader
	AppWriter
	SettingStore
	KeyStore
	HistoryReader
	RunReader
}

// Restarter starts an app's instances anew.
type Restarter interface {
	RestartApp(ctx context.Context, app store.App) error
}

// NodeLister lists the machines that run instances.
type NodeLister interface {
	Nodes(ctx context.Context) ([]scheduler.Node, error)
}

// Deps are what the face stands on. Restarter and Nodes may be nil: their routes then say that this is not there.
type Deps struct {
	Store     Store
	Gate      Gate
	Restarter Restarter
	Nodes     NodeLister
	Log       zerolog.Logger
	Now       func() time.Time // time.Now when nil
}

// API is the ARM face. It is safe for concurrent use.
type API struct {
	Deps
	addresses Addresses
	mux       *chi.Mux
}

// New makes the face. The error is Invalid when the addresses are not complete.
func New(addresses Addresses, deps Deps) (*API, error) {
	if err := addresses.validate(); err != nil {
		return nil, err
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	a := &API{Deps: deps, addresses: addresses, mux: chi.NewMux()}
	for _, rt := range routes() {
		a.mux.MethodFunc(rt.method, lowerPattern(rt.pattern), a.serve(rt))
	}
	a.mux.NotFound(a.unknown)
	a.mux.MethodNotAllowed(a.unknown)
	return a, nil
}

// Mount puts the face on a router, under each first segment that it has, in whatever case.
func (a *API) Mount(r chi.Router) {
	const roots = "/{root:(?i:subscriptions|tenants|metadata|providers)}"
	r.Handle(roots, a)
	r.Handle(roots+"/*", a)
}

func (a *API) unknown(w http.ResponseWriter, r *http.Request) {
	a.refuse(w, r, azfunc.Errorf(azfunc.NotFound, "there is no %s %s here; Nightshift serves a part of Azure Resource Manager", r.Method, r.URL.Path))
}
