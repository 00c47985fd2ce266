package hostapi

import "time"

// Version is the link's version; it is the path element after /hostapi/.
const Version = "v1"

// App answers GET /hostapi/v1/app: what one revision's instance runs. It is served with an ETag over the whole
// document; a request with If-None-Match and "Prefer: wait=N" is held up to N seconds for a change (long poll).
// Spec never changes during an instance's life, Live does.
type App struct {
	Spec Spec `json:"spec"`
	Live Live `json:"live"`
}

// Spec is the immutable part: the revision.
type Spec struct {
	App      string            `json:"app"`
	Revision int64             `json:"revision"`
	HostID   string            `json:"hostId"`  // as Azure's host id: at most 32 characters, lower case
	Package  Package           `json:"package"` // content to run
	Settings map[string]string `json:"settings"`
	Runtime  string            `json:"runtime"` // FUNCTIONS_WORKER_RUNTIME, already checked
	Limits   Limits            `json:"limits"`
	// PublicURL is the app's address as callers see it, without a trailing slash; used for invoke_url_template.
	PublicURL string `json:"publicUrl,omitempty"`
}

// Package names the content: an immutable zip.
type Package struct {
	SHA256    string `json:"sha256"` // lower-case hex
	SizeBytes int64  `json:"sizeBytes"`
}

// Limits bounds an instance. Zero means the worker's default.
type Limits struct {
	MaxBodyBytes        int64 `json:"maxBodyBytes,omitempty"`        // request body; default 100 MB as Azure
	StartTimeoutSeconds int   `json:"startTimeoutSeconds,omitempty"` // spawn to ready; default 120
	DrainTimeoutSeconds int   `json:"drainTimeoutSeconds,omitempty"` // in-flight work on stop; default 30
	LanguageWorkers     int   `json:"languageWorkers,omitempty"`     // processes; default 1
}

// Phase is what rollout wants of a revision's instances.
type Phase string

// The phases of a revision, in the order it passes through them.
const (
	Standby  Phase = "standby"  // functions loaded, HTTP ready, no listener running
	Active   Phase = "active"   // listeners running
	Draining Phase = "draining" // listeners stopped, requests still served until none is in flight
)

// Live is the part that changes under a running instance.
type Live struct {
	Phase       Phase     `json:"phase"`
	Keys        Keys      `json:"keys"`
	GatewayKeys []string  `json:"gatewayKeys"` // Ed25519 public keys, standard base64; any of them may have signed a request token
	Commands    []Command `json:"commands,omitempty"`
}

// Keys are the app's keys by hash. A hash is the lower-case hex SHA-256 of the key's bytes.
type Keys struct {
	Master    []KeyHash            `json:"master"`
	Host      []KeyHash            `json:"host"`   // Azure's host-level function keys: open every function
	System    []KeyHash            `json:"system"` // open /runtime/webhooks/<name>
	Functions map[string][]KeyHash `json:"functions,omitempty"`
}

// KeyHash is one key's name and hash.
type KeyHash struct {
	Name string `json:"name"`
	Hash string `json:"hash"`
}

// Command asks an instance for something once; the worker acknowledges it in its next InstanceReport.
type Command struct {
	ID   string `json:"id"`
	Kind string `json:"kind"` // syncTriggers, restart, stop
}

// InstanceState is how far an instance has come.
type InstanceState string

// The states of an instance as its worker reports them.
const (
	StateStarting InstanceState = "starting"
	StateStandby  InstanceState = "standby"
	StateActive   InstanceState = "active"
	StateDraining InstanceState = "draining" // listeners have stopped; InFlight says what is left
	StateStopped  InstanceState = "stopped"
	StateFailed   InstanceState = "failed" // cannot serve; LastError says why
)

// InstanceReport is the body of PUT /hostapi/v1/instance: the heartbeat, sent at every change of state and every
// ten seconds.
type InstanceReport struct {
	InstanceID      string             `json:"instanceId"`
	WorkerVersion   string             `json:"workerVersion"`
	State           InstanceState      `json:"state"`
	At              time.Time          `json:"at"`
	Address         string             `json:"address,omitempty"` // host:port it listens on
	Runtime         string             `json:"runtime,omitempty"` // for example "node 20.20.2"
	Phases          []StartPhase       `json:"phases,omitempty"`
	LastError       *Failure           `json:"lastError,omitempty"`
	InFlight        int                `json:"inFlight"`
	Functions       []FunctionStatus   `json:"functions,omitempty"`
	Warnings        []string           `json:"warnings,omitempty"`
	RSSBytes        int64              `json:"rssBytes,omitempty"`
	Acknowledged    []string           `json:"acknowledged,omitempty"` // ids of commands done
	LanguageWorkers []LanguageWorkerIs `json:"languageWorkers,omitempty"`
}

// StartPhase is one step of an instance's start with its duration.
type StartPhase struct {
	Name           string `json:"name"` // link, content, spawn, init, index, load
	DurationMicros int64  `json:"durationMicros"`
}

// Failure is why an instance or a function cannot run.
type Failure struct {
	Message string `json:"message"`
	// StderrLines are the language worker's last lines, oldest first, at most 50.
	StderrLines []string `json:"stderrLines,omitempty"`
	// Permanent: starting again cannot help (the code throws at load, host.json is wrong).
	Permanent bool      `json:"permanent"`
	At        time.Time `json:"at"`
}

// FunctionStatus is one indexed function.
type FunctionStatus struct {
	Name        string `json:"name"`
	Trigger     string `json:"trigger,omitempty"` // the trigger binding's type
	Disabled    bool   `json:"disabled,omitempty"`
	Error       string `json:"error,omitempty"`       // why it does not run
	InvokeURL   string `json:"invokeUrl,omitempty"`   // template, HTTP functions only
	Description string `json:"description,omitempty"` // methods or schedule, for people
}

// LanguageWorkerIs is one language-worker process.
type LanguageWorkerIs struct {
	PID      int   `json:"pid"`
	RSSBytes int64 `json:"rssBytes,omitempty"`
	Restarts int   `json:"restarts"`
}
