package local_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler/local"
	"github.com/nightshift-functions/nightshift/internal/scheduler/schedulertest"
)

func logConfig(files, sizeMB int) *api.LogConfig {
	return &api.LogConfig{MaxFiles: new(files), MaxFileSizeMB: new(sizeMB)}
}

func withIdentity(job *api.Job) *api.Job {
	job.TaskGroups[0].Tasks[0].Identities = []*api.WorkloadIdentity{{Name: "nightshift", Audience: []string{"nightshift"}, File: true}}
	return job
}

// TestApplyRefuses holds that whatever cannot be honoured is refused by its path, before anything starts.
func TestApplyRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	t.Cleanup(func() { // after all of the table
		snapshot, err := s.Watch(context.Background(), 0)
		if err != nil || len(snapshot.Jobs) != 0 {
			t.Errorf("jobs after refusals only: %v, %v; want none", snapshot.Jobs, err)
		}
	})
	tests := []struct {
		path  string
		spoil func(*api.Job, *api.TaskGroup, *api.Task)
	}{
		{"job.Periodic", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Periodic = &api.PeriodicConfig{} }},
		{"job.Priority", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Priority = new(50) }},
		{"job.Constraints", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Constraints = []*api.Constraint{{}} }},
		{"job.Payload", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Payload = []byte("x") }},
		{"job.Update.Canary", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Update.Canary = new(1) }},
		{"job.Update.MaxParallel", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Update.MaxParallel = new(1) }},
		{"job.ID", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.ID = nil }},
		{"job.Type", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Type = new("batch") }},
		{"job.Region", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Region = new("eu") }},
		{"job.Namespace", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Namespace = new("team") }},
		{"job.NodePool", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.NodePool = new("gpu") }},
		{"job.Datacenters", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.Datacenters = []string{"berlin"} }},
		{"job.TaskGroups", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.TaskGroups = nil }},
		{"job.TaskGroups", func(j *api.Job, g *api.TaskGroup, _ *api.Task) { j.TaskGroups = append(j.TaskGroups, g) }},
		{"job.TaskGroups[0]", func(j *api.Job, _ *api.TaskGroup, _ *api.Task) { j.TaskGroups[0] = nil }},
		{"job.TaskGroups[0].Volumes", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Volumes = map[string]*api.VolumeRequest{"v": {}} }},
		{"job.TaskGroups[0].Scaling", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Scaling = &api.ScalingPolicy{} }},
		{"job.TaskGroups[0].Count", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Count = new(-1) }},
		{"job.TaskGroups[0].ShutdownDelay", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.ShutdownDelay = new(-time.Second) }},
		{"job.TaskGroups[0].RestartPolicy.Mode", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.RestartPolicy.Mode = new("never") }},
		{"job.TaskGroups[0].RestartPolicy.RenderTemplates", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.RestartPolicy.RenderTemplates = new(true) }},
		{"job.TaskGroups[0].ReschedulePolicy.Attempts", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.ReschedulePolicy.Attempts = new(3) }},
		{"job.TaskGroups[0].ReschedulePolicy.DelayFunction", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.ReschedulePolicy.DelayFunction = new("fibonacci") }},
		{"job.TaskGroups[0].ReschedulePolicy", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.ReschedulePolicy.MaxDelay = new(time.Second) }},
		{"job.TaskGroups[0].Networks[0].Mode", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Networks[0].Mode = "bridge" }},
		{"job.TaskGroups[0].Networks[0].ReservedPorts", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Networks[0].ReservedPorts = []api.Port{{}} }},
		{"job.TaskGroups[0].Networks[0].DynamicPorts[0].To", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Networks[0].DynamicPorts[0].To = 80 }},
		{"job.TaskGroups[0].Networks[0].DynamicPorts[0].Label", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Networks[0].DynamicPorts[0].Label = "a b" }},
		{"job.TaskGroups[0].Services[0].Connect", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Services[0].Connect = &api.ConsulConnect{} }},
		{"job.TaskGroups[0].Services[0].Provider", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Services[0].Provider = "etcd" }},
		{"job.TaskGroups[0].Services[0].Checks[0].Type", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Services[0].Checks[0].Type = "script" }},
		{"job.TaskGroups[0].Services[0].Checks[0].Body", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Services[0].Checks[0].Body = "x" }},
		{"job.TaskGroups[0].Services[0].Checks[0].Path", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Services[0].Checks[0].Path = "ready" }},
		{"job.TaskGroups[0].Services[0].Checks[0]", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Services[0].Checks[0].Interval = time.Millisecond }},
		{"job.TaskGroups[0].Services[0].Checks[0]", func(_ *api.Job, g *api.TaskGroup, _ *api.Task) { g.Services[0].PortLabel = "admin" }},
		{"job.TaskGroups[0].Tasks", func(_ *api.Job, g *api.TaskGroup, task *api.Task) { g.Tasks = append(g.Tasks, task) }},
		{"job.TaskGroups[0].Tasks[0].Templates", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Templates = []*api.Template{{}} }},
		{"job.TaskGroups[0].Tasks[0].Artifacts", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Artifacts = []*api.TaskArtifact{{}} }},
		{"job.TaskGroups[0].Tasks[0].Leader", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Leader = true }},
		{"job.TaskGroups[0].Tasks[0].KillSignal", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.KillSignal = "SIGINT" }},
		{"job.TaskGroups[0].Tasks[0].Driver", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Driver = "docker" }},
		{"job.TaskGroups[0].Tasks[0].Name", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Name = "../up" }},
		{"job.TaskGroups[0].Tasks[0].User", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.User = "root" }},
		{"job.TaskGroups[0].Tasks[0].User", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.User = "0" }},
		{"job.TaskGroups[0].Tasks[0].Resources.MemoryMaxMB", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) {
			task.Resources = &api.Resources{MemoryMaxMB: new(9)}
		}},
		{"job.TaskGroups[0].Tasks[0].LogConfig", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.LogConfig = logConfig(0, 1) }},
		{"job.TaskGroups[0].Tasks[0].LogConfig.Disabled", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) {
			task.LogConfig = &api.LogConfig{Disabled: new(true)}
		}},
		{"job.TaskGroups[0].Tasks[0].Identities[0].Env", func(j *api.Job, _ *api.TaskGroup, task *api.Task) { withIdentity(j); task.Identities[0].Env = true }},
		{"job.TaskGroups[0].Tasks[0].Identities[0].File", func(j *api.Job, _ *api.TaskGroup, task *api.Task) { withIdentity(j); task.Identities[0].File = false }},
		{"job.TaskGroups[0].Tasks[0].Identities[0].Name", func(j *api.Job, _ *api.TaskGroup, task *api.Task) { withIdentity(j); task.Identities[0].Name = "../x" }},
		{"job.TaskGroups[0].Tasks[0].Config.image", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Config["image"] = "x" }},
		{"job.TaskGroups[0].Tasks[0].Config.args", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Config["args"] = []any{1} }},
		{"job.TaskGroups[0].Tasks[0].Config.command", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Config["command"] = "worker" }},
		{"job.TaskGroups[0].Tasks[0].Config.command", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { delete(task.Config, "command") }},
		{"job.TaskGroups[0].Tasks[0].Config.args[1]", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Config["args"] = []any{"x", "${node.class}"} }},
		{"job.TaskGroups[0].Tasks[0].Env[A]: the local scheduler has no variable ${NOMAD_PORT_admin}", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Env["A"] = "${NOMAD_PORT_admin}" }},
		{"job.TaskGroups[0].Tasks[0].Env", func(_ *api.Job, _ *api.TaskGroup, task *api.Task) { task.Env["A=B"] = "" }},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			t.Parallel()
			job := schedulertest.Job(t, "fn-refused.r1", schedulertest.ModeServe)
			test.spoil(job, job.TaskGroups[0], job.TaskGroups[0].Tasks[0])
			err := s.Apply(t.Context(), job)
			rest, named := strings.CutPrefix(azfunc.MessageOf(err), test.path)
			if azfunc.CodeOf(err) != azfunc.Invalid || !named || rest != "" && rest[0] != ':' {
				t.Errorf("Apply: %v, want an Invalid error that begins with %q", err, test.path)
			}
		})
	}
}
