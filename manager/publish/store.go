package publish

import (
	"context"
	"encoding/json"
	"io"

	"github.com/nightshift-functions/nightshift/internal/store"
)

// Store is what publishing keeps; *store.DB is one.
type Store interface {
	Apps
	Functions
	Releases
	Packages
	Watcher
}

// Releases are an app's deployments.
type Releases interface {
	Deployments
	Redeployer
	History
}

// Apps looks apps up.
type Apps interface {
	// App finds an app by name; azfunc.NotFound when there is none.
	App(ctx context.Context, name string) (store.App, error)
	Settings(ctx context.Context, appID string) (map[string]string, int64, error)
	SCMSettings(ctx context.Context, appID string) (map[string]string, error)
	PutSCMSettings(ctx context.Context, appID string, set map[string]string, remove []string) error
}

// Functions says what the hosts of an app's revisions have indexed.
type Functions interface {
	Revisions(ctx context.Context, appID string, liveOnly bool) ([]store.Revision, error)
	Triggers(ctx context.Context, appID string, revision int64) (json.RawMessage, error)
}

// Deployments moves one deployment from its first byte to its end.
type Deployments interface {
	// BeginDeployment is azfunc.Conflict while one of the app's deployments has not ended.
	BeginDeployment(ctx context.Context, d store.Deployment) (store.Deployment, error)
	UpdateDeployment(ctx context.Context, id string, status int, statusText, progress string) error
	AcceptDeployment(ctx context.Context, id string, in store.AcceptInput) (store.Revision, error)
	EndDeployment(ctx context.Context, id string, status int, statusText string, logs ...store.DeploymentLog) error
	AppendDeploymentLog(ctx context.Context, id string, kind int, message string) error
}

// Redeployer goes back to an older package.
type Redeployer interface {
	Redeploy(ctx context.Context, fromID string, d store.Deployment) (store.Deployment, store.Revision, error)
}

// History reads deployments.
type History interface {
	Deployment(ctx context.Context, appID, id string) (store.Deployment, error)
	Deployments(ctx context.Context, appID string, page store.Page) ([]store.Deployment, string, error)
	LatestDeployment(ctx context.Context, appID string) (store.Deployment, error)
	DeploymentLogs(ctx context.Context, id string, page store.Page) ([]store.DeploymentLog, string, error)
	UnfinishedDeployments(ctx context.Context) ([]store.Deployment, error)
}

// Packages holds content by its SHA-256.
type Packages interface {
	HasPackage(ctx context.Context, sha256 string) (bool, error)
	PutPackage(ctx context.Context, sha256 string, size int64, content io.Reader) error
}

// Watcher waits for changes instead of polling.
type Watcher interface {
	Version(topic string) uint64
	Wait(ctx context.Context, topic string, after uint64) (uint64, error)
}
