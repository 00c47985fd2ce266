package channel

import (
	"maps"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/rpc"
)

// HostVersion is what language workers are told the host is: the version of Azure's host whose behaviour we follow.
const HostVersion = "4.1037.0"

// loadTimeout bounds the loading of all functions in one language worker.
const loadTimeout = time.Minute

// indexTimeout is how long a language worker may take to list its functions when the functionTimeout is shorter.
const indexTimeout = time.Minute

// Options is what a Pool needs.
type Options struct {
	Config Config
	Server *rpc.Server
	AppDir string
	// Env is the language worker's whole environment; FUNCTIONS_* of the process itself are added.
	Env   map[string]string
	Count int // processes; 0 means what worker.config.json says
	// LoadTimeout bounds the loading of the functions; 0 means a minute.
	LoadTimeout time.Duration
	// Emit gets the log lines of language workers; it must not block.
	Emit func(hostapi.LogLine)
	Log  zerolog.Logger
}

// environment is Env with what Azure's host adds for the process.
func (o Options) environment() map[string]string {
	env := maps.Clone(o.Env)
	if env == nil {
		env = map[string]string{}
	}
	env["FUNCTIONS_WORKER_DIRECTORY"] = o.Config.Dir
	env["FUNCTIONS_APPLICATION_DIRECTORY"] = o.AppDir
	for name, v := range map[string]string{
		"FUNCTIONS_WORKER_RUNTIME_VERSION": o.Config.RuntimeVersion,
		// Azure's host raises the two runtimes' own narrow defaults.
		"PYTHON_THREADPOOL_THREAD_COUNT":      forLanguage(o.Config, "python"),
		"PSWorkerInProcConcurrencyUpperBound": forLanguage(o.Config, "powershell"),
	} {
		if env[name] == "" && v != "" {
			env[name] = v
		}
	}
	return env
}

func forLanguage(c Config, language string) string {
	if c.Language != language {
		return ""
	}
	return "1000"
}

func environ(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		list = append(list, name+"="+env[name])
	}
	return list
}

func (o Options) count() int {
	n := o.Count
	if n <= 0 {
		n = o.Config.Process.Count
	}
	return min(max(n, 1), max(1, o.Config.Process.MaxCount))
}
