package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// spec is a job as this scheduler runs it: every field checked, every default filled in. It is never changed.
type spec struct {
	jobID, jobName, group, task string
	count                       int
	command                     string
	args                        []string
	env                         map[string]string
	meta                        map[string]string // job's, group's and task's, the inner ones winning
	user                        string            // numeric uid or empty
	cpu, memoryMB               int
	killTimeout, shutdownDelay  time.Duration
	logs                        logLimits
	identities                  []string
	ports                       []string // labels
	checks                      []check
	restart                     restartPolicy
	reschedule                  reschedulePolicy

	// fingerprint tells two versions of a job apart. The count is not in it: it belongs to Scale.
	fingerprint string
}

// check is one readiness check of an instance.
type check struct {
	name, port, path  string
	interval, timeout time.Duration
	failures          int // in a row until a passing check fails
}

// Nomad's defaults where a job says nothing.
const (
	nomadKillTimeout   = 5 * time.Second
	nomadCPU           = 100
	nomadMemoryMB      = 300
	nomadLogFiles      = 10
	nomadLogFileSizeMB = 10
	megabyte           = 1 << 20
)

// invalid is the error for a value that cannot be honoured; path names the field.
func invalid(path, format string, args ...any) error {
	return azfunc.Errorf(azfunc.Invalid, "%s: %s", path, fmt.Sprintf(format, args...))
}

// value returns what p points to, or otherwise.
func value[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

// parse turns a job into a spec. ownUID is the account of this process, -1 on Windows.
func parse(job *api.Job, ownUID int) (*spec, error) {
	if job == nil {
		return nil, invalid("job", "is missing")
	}
	if err := refuseUnknownFields(job); err != nil {
		return nil, err
	}
	s := &spec{}
	for _, step := range []func() error{
		func() error { return s.readJob(job) },
		func() error { return s.readGroup("job.TaskGroups[0]", job.TaskGroups[0]) },
		func() error { return s.readNetwork("job.TaskGroups[0]", job.TaskGroups[0]) },
		func() error { return s.readServices("job.TaskGroups[0].Services", job.TaskGroups[0].Services) },
		func() error { return s.readTask("job.TaskGroups[0].Tasks[0]", job.TaskGroups[0].Tasks[0]) },
		func() error { return s.readUser("job.TaskGroups[0].Tasks[0].User", ownUID) },
		s.checkVariables,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	var err error
	s.fingerprint, err = fingerprint(job)
	return s, err
}

func fingerprint(job *api.Job) (string, error) {
	copied := *job
	group := *job.TaskGroups[0]
	group.Count = nil
	copied.TaskGroups = []*api.TaskGroup{&group}
	text, err := json.Marshal(&copied)
	if err != nil {
		return "", azfunc.Errorf(azfunc.Invalid, "job %q cannot be written as JSON: %w", value(job.ID, ""), err)
	}
	return string(text), nil
}

func (s *spec) readJob(job *api.Job) error {
	s.jobID = value(job.ID, "")
	s.jobName = value(job.Name, s.jobID)
	s.meta = maps.Clone(job.Meta)
	switch {
	case s.jobID == "":
		return invalid("job.ID", "is missing")
	case value(job.Type, api.JobTypeService) != api.JobTypeService:
		return invalid("job.Type", "the local scheduler runs %q jobs, not %q", api.JobTypeService, *job.Type)
	case !slices.Contains([]string{"", "global"}, value(job.Region, "")):
		return invalid("job.Region", "there is one machine and no region %q; leave it out", *job.Region)
	case !slices.Contains([]string{"", "default"}, value(job.Namespace, "")):
		return invalid("job.Namespace", "there is one machine and no namespace %q; leave it out", *job.Namespace)
	case !slices.Contains([]string{"", "default"}, value(job.NodePool, "")):
		return invalid("job.NodePool", "there is one machine and no node pool %q; leave it out", *job.NodePool)
	case len(job.Datacenters) > 0 && !slices.Contains(job.Datacenters, "*"):
		return invalid("job.Datacenters", "there is one machine and no datacenter; leave it out or use \"*\"")
	case job.Update != nil && value(job.Update.MaxParallel, 1) != 0:
		return invalid("job.Update.MaxParallel", "the local scheduler replaces all instances at once; use 0")
	case len(job.TaskGroups) != 1:
		return invalid("job.TaskGroups", "the local scheduler runs exactly one group, not %d", len(job.TaskGroups))
	case len(job.TaskGroups[0].Tasks) != 1:
		return invalid("job.TaskGroups[0].Tasks", "the local scheduler runs exactly one task, not %d", len(job.TaskGroups[0].Tasks))
	}
	return nil
}

func (s *spec) readGroup(path string, group *api.TaskGroup) error {
	s.group = value(group.Name, "")
	s.count = value(group.Count, 1)
	s.shutdownDelay = value(group.ShutdownDelay, 0)
	s.addMeta(group.Meta)
	switch {
	case s.group == "":
		return invalid(path+".Name", "is missing")
	case s.count < 0:
		return invalid(path+".Count", "%d instances are not possible", s.count)
	case s.shutdownDelay < 0:
		return invalid(path+".ShutdownDelay", "cannot be negative")
	}
	var err error
	if s.restart, err = readRestart(path+".RestartPolicy", group.RestartPolicy); err != nil {
		return err
	}
	s.reschedule, err = readReschedule(path+".ReschedulePolicy", group.ReschedulePolicy)
	return err
}

func (s *spec) addMeta(meta map[string]string) {
	if s.meta == nil {
		s.meta = map[string]string{}
	}
	maps.Copy(s.meta, meta)
}

// namePattern holds for names that become parts of file names and of environment variables.
func validName(name string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`).MatchString(name)
}

func (s *spec) readNetwork(path string, group *api.TaskGroup) error {
	if len(group.Networks) > 1 {
		return invalid(path+".Networks", "the local scheduler knows one network, not %d", len(group.Networks))
	}
	for _, network := range group.Networks {
		if network.Mode != "" && network.Mode != "host" {
			return invalid(path+".Networks[0].Mode", "the local scheduler knows the mode \"host\", not %q", network.Mode)
		}
		for i, port := range network.DynamicPorts {
			if !validName(port.Label) || slices.Contains(s.ports, port.Label) {
				return invalid(fmt.Sprintf("%s.Networks[0].DynamicPorts[%d].Label", path, i), "%q is not a label of its own", port.Label)
			}
			s.ports = append(s.ports, port.Label)
		}
	}
	return nil
}

// readUser accepts a numeric uid: another one than ours only as root, who alone may change accounts.
func (s *spec) readUser(path string, ownUID int) error {
	if s.user == "" {
		return nil
	}
	uid, err := strconv.ParseInt(s.user, 10, 32)
	switch {
	case ownUID < 0:
		return invalid(path, "the local scheduler cannot change accounts on this system; leave it out")
	case err != nil || uid < 1:
		return invalid(path, "the local scheduler wants the number of an account other than root, not %q", s.user)
	case ownUID != 0 && int(uid) != ownUID:
		return invalid(path, "only root may start processes of account %d; leave it out, or run the manager as root", uid)
	}
	return nil
}
