package drivers

import (
	"github.com/hashicorp/nomad/api"
)

// Logs of one instance: at most 4 files of 10 MB for each of stdout and stderr.
const (
	logFiles      = 4
	logFileSizeMB = 10
)

// RawExec is the driver "raw_exec": the worker as a plain process of the node, without isolation by Nomad. It is the
// driver of one machine and of tests; on a cluster a platform administrator allows it for plans with trusted code.
func RawExec(in Input) (*api.Task, error) {
	if err := in.validate(); err != nil {
		return nil, err
	}
	return &api.Task{
		Name:   TaskName,
		Driver: "raw_exec",
		User:   in.User,
		Config: map[string]any{
			"command": in.Worker,
			"args":    []string{"serve"},
		},
		Env:         in.env(),
		Resources:   in.resources(),
		KillTimeout: new(in.killTimeout()),
		LogConfig:   &api.LogConfig{MaxFiles: new(logFiles), MaxFileSizeMB: new(logFileSizeMB)},
		Identities: []*api.WorkloadIdentity{{
			Name:     IdentityName,
			Audience: []string{IdentityName},
			File:     true,
		}},
	}, nil
}
