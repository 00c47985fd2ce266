package local

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

func (s *spec) readTask(path string, task *api.Task) error {
	s.task, s.user = task.Name, task.User
	s.env = maps.Clone(task.Env)
	s.killTimeout = value(task.KillTimeout, nomadKillTimeout)
	s.addMeta(task.Meta)
	switch {
	case !validName(task.Name):
		return invalid(path+".Name", "%q is not a name for a task: use letters, digits, _ and -", task.Name)
	case task.Driver != "raw_exec":
		return invalid(path+".Driver", "the local scheduler runs \"raw_exec\" tasks, not %q", task.Driver)
	case s.killTimeout < 0:
		return invalid(path+".KillTimeout", "cannot be negative")
	}
	for name := range task.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return invalid(path+".Env", "%q is not a name for a variable", name)
		}
	}
	if err := s.readConfig(path+".Config", task.Config); err != nil {
		return err
	}
	if err := s.readLimits(path, task); err != nil {
		return err
	}
	return s.readIdentities(path+".Identities", task.Identities)
}

func (s *spec) readConfig(path string, config map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		switch key {
		case "command":
			s.command, _ = config[key].(string)
		case "args":
			args, ok := stringList(config[key])
			if !ok {
				return invalid(path+".args", "is not a list of strings")
			}
			s.args = args
		default:
			return invalid(path+"."+key, "the local scheduler knows command and args only")
		}
	}
	if s.command == "" {
		return invalid(path+".command", "is missing")
	}
	return nil
}

// stringList takes a list as Go code builds it and as JSON brings it.
func stringList(list any) ([]string, bool) {
	switch list := list.(type) {
	case []string:
		return slices.Clone(list), true
	case []any:
		texts := make([]string, 0, len(list))
		for _, item := range list {
			text, ok := item.(string)
			if !ok {
				return nil, false
			}
			texts = append(texts, text)
		}
		return texts, true
	default:
		return nil, false
	}
}

func (s *spec) readLimits(path string, task *api.Task) error {
	s.cpu, s.memoryMB = nomadCPU, nomadMemoryMB
	if task.Resources != nil {
		s.cpu = value(task.Resources.CPU, nomadCPU)
		s.memoryMB = value(task.Resources.MemoryMB, nomadMemoryMB)
	}
	files, sizeMB := nomadLogFiles, nomadLogFileSizeMB
	if task.LogConfig != nil {
		files = value(task.LogConfig.MaxFiles, nomadLogFiles)
		sizeMB = value(task.LogConfig.MaxFileSizeMB, nomadLogFileSizeMB)
	}
	if files < 1 || sizeMB < 1 {
		return invalid(path+".LogConfig", "needs at least one file of one megabyte")
	}
	s.logs = logLimits{files: files, bytes: int64(sizeMB) * megabyte}
	return nil
}

func (s *spec) readIdentities(path string, identities []*api.WorkloadIdentity) error {
	for i, identity := range identities {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !validName(identity.Name) || slices.Contains(s.identities, identity.Name) {
			return invalid(at+".Name", "%q is not a name of its own", identity.Name)
		}
		if !identity.File {
			return invalid(at+".File", "the local scheduler hands identities over in files only; set it")
		}
		s.identities = append(s.identities, identity.Name)
	}
	return nil
}

func (s *spec) readServices(path string, services []*api.Service) error {
	for i, service := range services {
		at := fmt.Sprintf("%s[%d]", path, i)
		if !slices.Contains([]string{"", "consul", "nomad"}, service.Provider) {
			return invalid(at+".Provider", "there is no provider %q", service.Provider)
		}
		if !slices.Contains([]string{"", "auto", "host"}, service.AddressMode) {
			return invalid(at+".AddressMode", "the local scheduler knows the mode \"host\", not %q", service.AddressMode)
		}
		for n, c := range service.Checks {
			checkAt := fmt.Sprintf("%s.Checks[%d]", at, n)
			if err := s.addCheck(checkAt, service.PortLabel, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *spec) addCheck(path, port string, c api.ServiceCheck) error {
	switch {
	case c.Type != "http":
		return invalid(path+".Type", "the local scheduler makes \"http\" checks, not %q", c.Type)
	case c.Method != "" && c.Method != http.MethodGet:
		return invalid(path+".Method", "the local scheduler checks with GET, not %q", c.Method)
	case !strings.HasPrefix(c.Path, "/"):
		return invalid(path+".Path", "%q does not start with a slash", c.Path)
	case c.Interval < time.Second || c.Timeout < time.Second:
		return invalid(path, "interval and timeout are at least 1s each, as Nomad wants it")
	case c.FailuresBeforeCritical < 0:
		return invalid(path+".FailuresBeforeCritical", "cannot be negative")
	case !slices.Contains(s.ports, port):
		return invalid(path, "the service's port %q is not one of the group's", port)
	}
	s.checks = append(s.checks, check{
		name: c.Name, port: port, path: c.Path, interval: c.Interval, timeout: c.Timeout,
		failures: max(c.FailuresBeforeCritical, 1),
	})
	return nil
}
