package drivers

import (
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// Driver translates one revision into a task. It is pure: the same input gives the same task. A wrong input is an
// azfunc.Invalid error that names the field.
type Driver func(Input) (*api.Task, error)

// The drivers' names as plans spell them; they are the names users see, not those of Nomad's task drivers.
const (
	NameRawExec       = "raw_exec"
	NameExec          = "exec"
	NameDockerLinux   = "docker-linux"
	NameDockerWindows = "docker-windows"
)

// TaskName is the name of the one task of a job; logs are asked for by it.
const TaskName = "worker"

// PortLabel is the label of the port on which a worker listens.
const PortLabel = "http"

// IdentityName is the name of the workload identity whose token opens the worker link; its file is
// secrets/nomad_<IdentityName>.jwt.
const IdentityName = "nightshift"

// Input is what a driver needs to know of a revision and of the node that will run it. Paths are the node's.
type Input struct {
	App      string // as created
	Revision int64

	Worker     string // the worker's binary
	Languages  string // folder with <language>/worker.config.json
	ManagerURL string // where the worker link is
	ManagerCA  string // PEM file that the link's certificate is checked with; empty with plain http on loopback
	CacheDir   string // packages by digest; empty: the worker keeps them in its own folder
	Path       string // PATH in which the worker finds node, python, ...

	// User is the account: a numeric uid on a machine where each app has its own; empty means the scheduler's.
	User string

	CPU      int // MHz share; 0 leaves the scheduler's default
	MemoryMB int // 0 leaves the scheduler's default

	// KillTimeout is how long a stopping instance may still work before it is killed. Zero means 45 s: Azure's
	// 30 seconds for in-flight work and some for the language workers to leave.
	KillTimeout time.Duration
}

const defaultKillTimeout = 45 * time.Second

// Find returns the driver of that name. A known one that this release does not have is Unsupported, any other name
// is Invalid.
func Find(name string) (Driver, error) {
	switch name {
	case NameRawExec:
		return RawExec, nil
	case NameExec, NameDockerLinux, NameDockerWindows:
		return nil, azfunc.Errorf(azfunc.Unsupported, "driver %q is not in this release; use %q", name, NameRawExec)
	default:
		return nil, azfunc.Errorf(azfunc.Invalid, "there is no driver %q; use %q", name, NameRawExec)
	}
}

// validate checks what every driver needs.
func (in Input) validate() error {
	if err := azfunc.ValidateAppName(in.App); err != nil {
		return fmt.Errorf("driver input: %w", err)
	}
	if in.Revision < 1 {
		return azfunc.Errorf(azfunc.Invalid, "app %q: revision %d is not a revision; they count from 1", in.App, in.Revision)
	}
	if in.CPU < 0 || in.MemoryMB < 0 || in.KillTimeout < 0 {
		return azfunc.Errorf(azfunc.Invalid, "app %q: CPU, memory and kill timeout cannot be negative", in.App)
	}
	for _, field := range []struct{ name, value string }{{"worker binary", in.Worker}, {"languages folder", in.Languages}, {"manager URL", in.ManagerURL}} {
		if field.value == "" {
			return azfunc.Errorf(azfunc.Invalid, "app %q: the driver needs the %s", in.App, field.name)
		}
	}
	return nil
}

// env is the whole environment of a worker: addresses and names. Values in ${} are Nomad's, filled in on the node.
// Temporary files go to the instance's own folder, so that they go away with it and apps cannot meet in /tmp; Unix
// knows that folder as TMPDIR, Windows as TMP or TEMP.
func (in Input) env() map[string]string {
	const temporary = "${NOMAD_ALLOC_DIR}/tmp"
	env := map[string]string{
		hostapi.EnvManagerURL:   in.ManagerURL,
		hostapi.EnvApp:          in.App,
		hostapi.EnvRevision:     strconv.FormatInt(in.Revision, 10),
		hostapi.EnvInstance:     "${NOMAD_ALLOC_ID}",
		hostapi.EnvIdentityFile: "${NOMAD_SECRETS_DIR}/nomad_" + IdentityName + ".jwt",
		hostapi.EnvListen:       "${NOMAD_ADDR_" + PortLabel + "}",
		hostapi.EnvWorkDir:      "${NOMAD_TASK_DIR}",
		hostapi.EnvLanguages:    in.Languages,
		"HOME":                  "${NOMAD_TASK_DIR}",
		"TMPDIR":                temporary,
		"TMP":                   temporary,
		"TEMP":                  temporary,
	}
	for name, value := range map[string]string{hostapi.EnvManagerCA: in.ManagerCA, hostapi.EnvCacheDir: in.CacheDir, "PATH": in.Path} {
		if value != "" {
			env[name] = value
		}
	}
	return env
}

// resources leaves out what is not set, so that the scheduler's defaults hold.
func (in Input) resources() *api.Resources {
	r := &api.Resources{}
	if in.CPU > 0 {
		r.CPU = new(in.CPU)
	}
	if in.MemoryMB > 0 {
		r.MemoryMB = new(in.MemoryMB)
	}
	return r
}

func (in Input) killTimeout() time.Duration {
	if in.KillTimeout > 0 {
		return in.KillTimeout
	}
	return defaultKillTimeout
}
