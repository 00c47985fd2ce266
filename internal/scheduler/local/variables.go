package local

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// host is the address of every instance: nothing outside this machine reaches one but through the gateway.
const host = "127.0.0.1"

// placement is what an instance's variables are made of, beside its spec.
type placement struct {
	allocID  string
	index    int // of the instance among its job's, from 0
	ports    map[string]int
	allocDir string
	taskDir  string
	secrets  string
}

// variables returns the variables that Nomad gives a task. They are put into its environment and may stand as ${NAME}
// in its command, arguments and environment.
func variables(s *spec, p placement) map[string]string {
	vars := map[string]string{
		"NOMAD_ALLOC_ID":       p.allocID,
		"NOMAD_SHORT_ALLOC_ID": p.allocID[:min(8, len(p.allocID))],
		"NOMAD_ALLOC_NAME":     fmt.Sprintf("%s.%s[%d]", s.jobID, s.group, p.index),
		"NOMAD_ALLOC_INDEX":    strconv.Itoa(p.index),
		"NOMAD_ALLOC_DIR":      p.allocDir,
		"NOMAD_TASK_DIR":       p.taskDir,
		"NOMAD_SECRETS_DIR":    p.secrets,
		"NOMAD_TASK_NAME":      s.task,
		"NOMAD_GROUP_NAME":     s.group,
		"NOMAD_JOB_ID":         s.jobID,
		"NOMAD_JOB_NAME":       s.jobName,
		"NOMAD_NAMESPACE":      "default",
		"NOMAD_REGION":         "global",
		"NOMAD_DC":             "dc1",
		"NOMAD_CPU_LIMIT":      strconv.Itoa(s.cpu),
		"NOMAD_MEMORY_LIMIT":   strconv.Itoa(s.memoryMB),
	}
	for label, port := range p.ports {
		text := strconv.Itoa(port)
		for _, prefix := range []string{"NOMAD_", "NOMAD_HOST_"} {
			vars[prefix+"PORT_"+label] = text
			vars[prefix+"IP_"+label] = host
			vars[prefix+"ADDR_"+label] = net.JoinHostPort(host, text)
		}
	}
	for key, text := range s.meta {
		vars["NOMAD_META_"+key] = text
		vars["NOMAD_META_"+strings.ToUpper(key)] = text
	}
	return vars
}

// expand replaces every ${NAME} in text. A name that is not in vars is an Invalid error that tells it; text of a
// variable is not expanded again.
func expand(text string, vars map[string]string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			out.WriteString(text)
			return out.String(), nil
		}
		replacement, known := vars[name]
		if !known {
			return "", azfunc.Errorf(azfunc.Invalid, "the local scheduler has no variable ${%s}", name)
		}
		out.WriteString(before)
		out.WriteString(replacement)
		text = after
	}
}

// expanded is a task's command with all variables filled in.
type expanded struct {
	command string
	args    []string
	env     []string // NAME=value: the task's own and Nomad's, nothing of the manager's
}

func (s *spec) expand(vars map[string]string) (expanded, error) {
	const task = "job.TaskGroups[0].Tasks[0]"
	out := expanded{}
	var err error
	if out.command, err = expand(s.command, vars); err != nil {
		return out, azfunc.Errorf(azfunc.Invalid, "%s.Config.command: %w", task, err)
	}
	for i, arg := range s.args {
		if arg, err = expand(arg, vars); err != nil {
			return out, azfunc.Errorf(azfunc.Invalid, "%s.Config.args[%d]: %w", task, i, err)
		}
		out.args = append(out.args, arg)
	}
	for name, text := range vars {
		if _, overridden := s.env[name]; !overridden {
			out.env = append(out.env, name+"="+text)
		}
	}
	for name, text := range s.env {
		if text, err = expand(text, vars); err != nil {
			return out, azfunc.Errorf(azfunc.Invalid, "%s.Env[%s]: %w", task, name, err)
		}
		out.env = append(out.env, name+"="+text)
	}
	return out, nil
}

// checkVariables finds unknown variables when a job comes in, not when its instances start.
func (s *spec) checkVariables() error {
	root := filepath.Join(filepath.VolumeName(s.command)+string(filepath.Separator), "instance")
	p := placement{ports: map[string]int{}, allocDir: root, taskDir: root, secrets: root}
	for _, label := range s.ports {
		p.ports[label] = 1
	}
	out, err := s.expand(variables(s, p))
	if err == nil && !filepath.IsAbs(out.command) {
		return invalid("job.TaskGroups[0].Tasks[0].Config.command", "%q is not an absolute path; there is no PATH to look in", s.command)
	}
	return err
}
