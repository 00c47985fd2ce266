package channel

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// ConfigFile is the file that describes a language worker.
const ConfigFile = "worker.config.json"

// The defaults of processOptions in Azure's host.
const (
	defaultStartupTimeout  = 60 * time.Second
	defaultInitTimeout     = 10 * time.Second
	defaultRestartInterval = 10 * time.Second
	defaultShutdownTimeout = 10 * time.Second
	defaultMaxCount        = 10
)

// Config is a worker.config.json as written: placeholders are expanded by Command.
type Config struct {
	Dir              string // the folder it lies in
	Language         string
	Extensions       []string
	Executable       string
	WorkerPath       string
	Arguments        []string
	Indexing         bool // the language worker lists the functions itself
	StderrErrorsOnly bool
	RuntimeVersion   string
	Process          ProcessOptions
}

// ProcessOptions is processOptions: how many processes, and how long each step may take.
type ProcessOptions struct {
	Count           int
	MaxCount        int
	StartupTimeout  time.Duration // spawn to StartStream
	InitTimeout     time.Duration // to WorkerInitResponse
	RestartInterval time.Duration
	ShutdownTimeout time.Duration // in-flight work on stop
}

// Find looks for the language worker of a runtime: first in the app's own folder, because .NET isolated, Go and custom
// language workers travel with the app, then in the folders one level below languagesDir. The error is Unsupported and
// lists what is there.
func Find(appDir, languagesDir, runtime string) (Config, error) {
	if c, err := ReadConfig(appDir); err == nil && strings.EqualFold(c.Language, runtime) {
		return c, nil
	}
	entries, err := os.ReadDir(languagesDir)
	if err != nil {
		return Config{}, azfunc.Errorf(azfunc.Unavailable, "read the language workers' folder %q: %w", languagesDir, err)
	}
	var known []string
	for _, e := range entries {
		c, err := ReadConfig(filepath.Join(languagesDir, e.Name()))
		if err != nil {
			continue
		}
		if strings.EqualFold(c.Language, runtime) {
			return c, nil
		}
		known = append(known, c.Language)
	}
	slices.Sort(known)
	return Config{}, azfunc.Errorf(azfunc.Unsupported,
		"this node has no language worker for FUNCTIONS_WORKER_RUNTIME %q; it has: %s", runtime, strings.Join(known, ", "))
}

// ReadConfig reads dir/worker.config.json. The error is Invalid and names the file.
func ReadConfig(dir string) (Config, error) {
	file := filepath.Join(dir, ConfigFile)
	raw, err := os.ReadFile(file) // the path is the caller's
	if err != nil {
		return Config{}, azfunc.Errorf(azfunc.NotFound, "read %s: %w", file, err)
	}
	c, err := ParseConfig(raw)
	if err != nil {
		return Config{}, azfunc.Errorf(azfunc.Invalid, "%s: %w", file, err)
	}
	c.Dir = dir
	return c, nil
}

// ParseConfig reads the content of a worker.config.json. The error is Invalid.
func ParseConfig(raw []byte) (Config, error) {
	props, err := azfunc.ParseObject(ConfigFile, raw)
	if err != nil {
		return Config{}, err
	}
	var c Config
	if err := c.readDescription(props); err != nil {
		return Config{}, err
	}
	return c, c.readProcess(props)
}

func (c *Config) readDescription(props azfunc.Properties) error {
	d, err := props.Section("description")
	if err != nil {
		return err
	}
	for key, target := range map[string]*string{
		"language": &c.Language, "defaultExecutablePath": &c.Executable, "defaultWorkerPath": &c.WorkerPath,
		"defaultRuntimeVersion": &c.RuntimeVersion,
	} {
		if *target, err = d.Text(key, ""); err != nil {
			return err
		}
	}
	if c.Language == "" || c.Executable == "" {
		return azfunc.Errorf(azfunc.Invalid, "description.language and description.defaultExecutablePath must be set")
	}
	for key, target := range map[string]*[]string{"arguments": &c.Arguments, "extensions": &c.Extensions} {
		if *target, err = d.List(key); err != nil {
			return err
		}
	}
	if c.Indexing, err = d.Bool("workerIndexing", false); err != nil {
		return err
	}
	c.StderrErrorsOnly, err = d.Bool("useStdErrorStreamForErrorsOnly", false)
	return err
}

func (c *Config) readProcess(props azfunc.Properties) error {
	section, err := props.Section("processOptions")
	if err != nil {
		return err
	}
	if c.Process.Count, err = section.Int("processCount", 1); err != nil {
		return err
	}
	if c.Process.MaxCount, err = section.Int("maxProcessCount", defaultMaxCount); err != nil {
		return err
	}
	for key, d := range map[string]struct {
		target   *time.Duration
		fallback time.Duration
	}{
		"processStartupTimeout":  {&c.Process.StartupTimeout, defaultStartupTimeout},
		"initializationTimeout":  {&c.Process.InitTimeout, defaultInitTimeout},
		"processRestartInterval": {&c.Process.RestartInterval, defaultRestartInterval},
		"processShutdownTimeout": {&c.Process.ShutdownTimeout, defaultShutdownTimeout},
	} {
		if *d.target, err = section.Duration(key, d.fallback); err != nil {
			return err
		}
	}
	return nil
}
