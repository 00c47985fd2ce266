package hostapi

import (
	"encoding/json"
	"time"
)

// Triggers is the body of PUT /hostapi/v1/triggers: what the host indexed, in the shape of Azure's sync-triggers
// request (binding objects with functionName, and the admin API's function objects).
type Triggers struct {
	HostID    string            `json:"hostId"`
	Triggers  []json.RawMessage `json:"triggers"`
	Functions []json.RawMessage `json:"functions"`
}

// Invocation is one finished invocation, sent in batches with POST /hostapi/v1/invocations. Delivery is at least
// once; the manager ignores an id it has.
type Invocation struct {
	ID             string    `json:"id"`
	Function       string    `json:"function"`
	Trigger        string    `json:"trigger"`
	InstanceID     string    `json:"instanceId"`
	Started        time.Time `json:"started"`
	DurationMicros int64     `json:"durationMicros"`
	Success        bool      `json:"success"`
	StatusCode     int       `json:"statusCode,omitempty"` // HTTP triggers
	Error          string    `json:"error,omitempty"`
	TraceParent    string    `json:"traceParent,omitempty"`
}

// InvocationBatch is the body of POST /hostapi/v1/invocations.
type InvocationBatch struct {
	Invocations []Invocation `json:"invocations"`
}

// LogLine is one line of the app's log, sent in batches with POST /hostapi/v1/logs.
type LogLine struct {
	ID           string    `json:"id"` // instance id and a counter: sending twice is harmless
	At           time.Time `json:"at"`
	Level        string    `json:"level"` // trace, debug, information, warning, error, critical
	Category     string    `json:"category"`
	Function     string    `json:"function,omitempty"`
	InvocationID string    `json:"invocationId,omitempty"`
	InstanceID   string    `json:"instanceId"`
	Message      string    `json:"message"`
}

// LogBatch is the body of POST /hostapi/v1/logs.
type LogBatch struct {
	Lines []LogLine `json:"lines"`
}

// Occurrence is the body of POST /hostapi/v1/schedules/{function}/occurrences: the claim of one due time of a timer
// before it fires. 201 = yours, 409 = taken.
type Occurrence struct {
	Due        time.Time `json:"due"`
	InstanceID string    `json:"instanceId"`
	PastDue    bool      `json:"pastDue,omitempty"`
	// Attempt names this attempt to fire: a claim whose answer was lost may be repeated with it and is granted again.
	Attempt string `json:"attempt,omitempty"`
}

// Schedule answers GET /hostapi/v1/schedules/{function}: the last claimed occurrence, zero when there is none.
type Schedule struct {
	Last time.Time `json:"last,omitzero"`
}

// LeaseRequest is the body of POST and PUT /hostapi/v1/leases/{name}; POST takes a free lease, PUT renews one's own,
// DELETE with ?owner= gives it back. 409 = somebody else holds it.
type LeaseRequest struct {
	Owner      string `json:"owner"`
	TTLSeconds int    `json:"ttlSeconds"`
}

// Problem is the body of every answer that is not 2xx.
type Problem struct {
	Code    string `json:"code"` // an azfunc.Code
	Message string `json:"message"`
}

// The paths under the link's base URL. Curly braces are path parameters.
const (
	PathApp         = "/hostapi/v1/app"
	PathPackage     = "/hostapi/v1/packages/{sha256}"
	PathInstance    = "/hostapi/v1/instance"
	PathTriggers    = "/hostapi/v1/triggers"
	PathInvocations = "/hostapi/v1/invocations"
	PathLogs        = "/hostapi/v1/logs"
	PathSchedule    = "/hostapi/v1/schedules/{function}"
	PathOccurrences = "/hostapi/v1/schedules/{function}/occurrences"
	PathLease       = "/hostapi/v1/leases/{name}"
)

// The environment of an instance: all that a worker knows before it asks. The driver sets it, the worker's command
// reads it, and it never reaches a language worker.
const (
	EnvManagerURL   = "NIGHTSHIFT_MANAGER_URL"
	EnvManagerCA    = "NIGHTSHIFT_MANAGER_CA" // PEM file; only with https
	EnvApp          = "NIGHTSHIFT_APP"
	EnvRevision     = "NIGHTSHIFT_REVISION"
	EnvInstance     = "NIGHTSHIFT_INSTANCE"
	EnvIdentityFile = "NIGHTSHIFT_IDENTITY_FILE" // file with the bearer token for the link
	EnvListen       = "NIGHTSHIFT_LISTEN"        // host:port
	EnvCacheDir     = "NIGHTSHIFT_CACHE_DIR"     // packages by digest, shared by instances of one node; optional
	EnvWorkDir      = "NIGHTSHIFT_WORK_DIR"      // the instance's own scratch folder
	EnvLanguages    = "NIGHTSHIFT_LANGUAGES"     // folder holding <language>/worker.config.json
)

// PathReady is the worker's readiness check, the one path that it answers without a request token: 200 when the
// functions are loaded and it takes requests, 503 otherwise.
const PathReady = "/admin/host/ready"

// HeaderRequestToken carries the manager-signed token of a proxied request (package requesttoken).
const HeaderRequestToken = "X-Nightshift-Token"
