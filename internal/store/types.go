package store

import (
	"encoding/json"
	"time"
)

// User is a local account. PasswordHash is a self-describing hash (package identity makes it).
type User struct {
	ID           string // UUID
	Name         string // unique without case
	PasswordHash string
	Disabled     bool
	CreatedAt    time.Time
}

// RoleAssignment gives a principal a role on an ARM scope ("/" for the platform).
type RoleAssignment struct {
	ID          string
	PrincipalID string
	Role        string // Reader, Operator, Contributor, Owner, PlatformAdministrator
	Scope       string // lower case, no trailing slash except "/"
	CreatedAt   time.Time
}

// AuditEntry is one write or one read of a secret. Entries are only ever added.
type AuditEntry struct {
	ID        int64
	At        time.Time
	Principal string // name, or "anonymous"
	Action    string
	Scope     string
	Outcome   string // allowed, refused, failed
	Detail    string // masked; never a secret
	ClientIP  string
	RequestID string
}

// Subscription is a team.
type Subscription struct {
	ID        string // UUID
	Name      string
	CreatedAt time.Time
}

// ResourceGroup is a folder of apps in a subscription.
type ResourceGroup struct {
	SubscriptionID string
	Name           string
	Location       string
	CreatedAt      time.Time
}

// App is a function app.
type App struct {
	ID              string // UUID, never reused
	Name            string // as created; unique without case over the whole installation
	SubscriptionID  string
	ResourceGroup   string
	Location        string
	Kind            string            // functionapp
	Tags            map[string]string // may be nil
	Stopped         bool              // by its owner
	UID             int               // operating-system account number of its instances; 0 = none given
	PublishPassword string            // of the user $<name>; sealed at rest
	// DesiredRevision is what rollout brings about; 0 = nothing published yet.
	DesiredRevision int64
	Version         int64 // grows with every change of the row: the ETag
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// Key is one access key of an app; Value is sealed at rest.
type Key struct {
	Kind      string // master, host, system, function
	Function  string // only for kind function
	Name      string
	Value     string
	Hash      string // lower-case hex SHA-256 of Value
	CreatedAt time.Time
}

// Deployment states, Kudu's numbers (publish.md B): only these four are ever shown.
const (
	StatusPending   = 0
	StatusDeploying = 2
	StatusFailed    = 3
	StatusSuccess   = 4
)

// Deployment is one accepted or refused package of an app.
type Deployment struct {
	ID            string // UUID
	AppID         string
	Status        int
	StatusText    string
	Message       string
	Author        string
	AuthorEmail   string
	Deployer      string
	Progress      string
	PackageSHA256 string // empty until the package is accepted
	Revision      int64  // 0 until accepted
	ReceivedAt    time.Time
	StartedAt     time.Time
	EndedAt       time.Time // zero while it runs
	Active        bool      // the app's last successful one
}

// Complete reports whether the deployment has ended.
func (d Deployment) Complete() bool { return d.Status == StatusFailed || d.Status == StatusSuccess }

// DeploymentLog is one line of a deployment's log.
type DeploymentLog struct {
	ID      int64
	At      time.Time
	Message string
	Type    int // 0 message, 1 warning, 2 error
}

// Phase is where a revision stands; rollout alone moves it.
type Phase string

// The phases of a revision in the store. A revision ends as retired, superseded or failed.
const (
	PhasePending    Phase = "pending"    // wanted, not yet given to the scheduler
	PhaseStandby    Phase = "standby"    // its job runs or is coming up, beside the one that serves
	PhaseActive     Phase = "active"     // takes the traffic
	PhaseDraining   Phase = "draining"   // another one took over; finishes its requests
	PhaseRetired    Phase = "retired"    // stopped after it had served
	PhaseSuperseded Phase = "superseded" // a newer one was wanted before this went live
	PhaseFailed     Phase = "failed"     // never became healthy
)

// Live reports whether the revision may have a job.
func (p Phase) Live() bool {
	return p == PhasePending || p == PhaseStandby || p == PhaseActive || p == PhaseDraining
}

// Revision is the immutable triple of package, settings and job inputs, and where it stands.
type Revision struct {
	AppID         string
	Number        int64 // 1, 2, 3 ... per app
	PackageSHA256 string
	PackageSize   int64
	Runtime       string
	Settings      map[string]string // snapshot; sealed at rest
	Inputs        json.RawMessage   // job inputs other than the settings
	DeploymentID  string            // empty when a change of settings made it
	Phase         Phase
	Error         string // why it failed
	CreatedAt     time.Time
	PhaseAt       time.Time // when Phase was entered
}

// RouteTarget is one revision's share of an app's traffic.
type RouteTarget struct {
	Revision int64 `json:"revision"`
	Weight   int   `json:"weight"`
}

// Route says which revisions take an app's traffic. Generation grows by one with every change.
type Route struct {
	AppID      string
	App        string // name
	Stopped    bool   // the app's
	Generation int64
	Targets    []RouteTarget
	Waiting    string // why a target has no endpoint, in words
}

// Instance is the last report of one instance.
type Instance struct {
	ID        string
	AppID     string
	Revision  int64
	State     string // a hostapi.InstanceState
	Report    json.RawMessage
	CreatedAt time.Time
	SeenAt    time.Time
}

// Invocation is one finished invocation.
type Invocation struct {
	ID         string
	AppID      string
	Revision   int64
	Function   string
	Started    time.Time
	DurationUS int64
	Success    bool
	Record     json.RawMessage // the whole hostapi.Invocation
}

// AppLog is one line of an app's log.
type AppLog struct {
	ID           string
	AppID        string
	At           time.Time
	Level        string
	Function     string
	InvocationID string
	Line         json.RawMessage // the whole hostapi.LogLine
}

// Page bounds a listing: at most Limit rows (0 = 100, at most 1000) after the row named by the token After.
type Page struct {
	Limit int
	After string
}
