package drivers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/drivers"
	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

func input() drivers.Input {
	return drivers.Input{
		App: "Shop-API", Revision: 7, Worker: "/opt/ns/worker", Languages: "/opt/ns/languages",
		ManagerURL: "http://127.0.0.1:7082", Path: "/usr/bin:/bin",
	}
}

func TestRawExecTask(t *testing.T) {
	t.Parallel()
	in := input()
	in.User, in.CPU, in.MemoryMB, in.KillTimeout = "200007", 500, 512, time.Minute
	in.ManagerCA, in.CacheDir = "/opt/ns/ca.pem", "/opt/ns/cache"
	got, err := drivers.RawExec(in)
	if err != nil {
		t.Fatal(err)
	}
	want := &api.Task{
		Name: "worker", Driver: "raw_exec", User: "200007",
		Config: map[string]any{"command": "/opt/ns/worker", "args": []string{"serve"}},
		Env: map[string]string{
			"NIGHTSHIFT_MANAGER_URL":   "http://127.0.0.1:7082",
			"NIGHTSHIFT_MANAGER_CA":    "/opt/ns/ca.pem",
			"NIGHTSHIFT_APP":           "Shop-API",
			"NIGHTSHIFT_REVISION":      "7",
			"NIGHTSHIFT_INSTANCE":      "${NOMAD_ALLOC_ID}",
			"NIGHTSHIFT_IDENTITY_FILE": "${NOMAD_SECRETS_DIR}/nomad_nightshift.jwt",
			"NIGHTSHIFT_LISTEN":        "${NOMAD_ADDR_http}",
			"NIGHTSHIFT_WORK_DIR":      "${NOMAD_TASK_DIR}",
			"NIGHTSHIFT_LANGUAGES":     "/opt/ns/languages",
			"NIGHTSHIFT_CACHE_DIR":     "/opt/ns/cache",
			"PATH":                     "/usr/bin:/bin",
			"HOME":                     "${NOMAD_TASK_DIR}",
			"TMPDIR":                   "${NOMAD_ALLOC_DIR}/tmp",
			"TMP":                      "${NOMAD_ALLOC_DIR}/tmp",
			"TEMP":                     "${NOMAD_ALLOC_DIR}/tmp",
		},
		Resources:   &api.Resources{CPU: new(500), MemoryMB: new(512)},
		KillTimeout: new(time.Minute),
		LogConfig:   &api.LogConfig{MaxFiles: new(4), MaxFileSizeMB: new(10)},
		Identities:  []*api.WorkloadIdentity{{Name: "nightshift", Audience: []string{"nightshift"}, File: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("task (-want +got):\n%s", diff)
	}
}

func TestRawExecLeavesOutWhatIsNotSet(t *testing.T) {
	t.Parallel()
	got, err := drivers.RawExec(input())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"NIGHTSHIFT_MANAGER_CA", "NIGHTSHIFT_CACHE_DIR"} {
		if value, ok := got.Env[name]; ok {
			t.Errorf("%s = %q, want it absent", name, value)
		}
	}
	if diff := cmp.Diff(&api.Resources{}, got.Resources); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	if *got.KillTimeout != 45*time.Second {
		t.Errorf("kill timeout = %s, want 45s", *got.KillTimeout)
	}
}

func TestRawExecRefusesWrongInput(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*drivers.Input){
		"app":       func(in *drivers.Input) { in.App = "no/app" },
		"revision":  func(in *drivers.Input) { in.Revision = 0 },
		"worker":    func(in *drivers.Input) { in.Worker = "" },
		"languages": func(in *drivers.Input) { in.Languages = "" },
		"manager":   func(in *drivers.Input) { in.ManagerURL = "" },
		"memory":    func(in *drivers.Input) { in.MemoryMB = -1 },
		"timeout":   func(in *drivers.Input) { in.KillTimeout = -1 },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := input()
			spoil(&in)
			task, err := drivers.RawExec(in)
			if task != nil || azfunc.CodeOf(err) != azfunc.Invalid {
				t.Errorf("RawExec = %v, %v; want an Invalid error", task, err)
			}
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	tests := map[string]azfunc.Code{
		"raw_exec": "", "exec": azfunc.Unsupported, "docker-linux": azfunc.Unsupported,
		"docker-windows": azfunc.Unsupported, "podman": azfunc.Invalid, "": azfunc.Invalid,
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			driver, err := drivers.Find(name)
			if azfunc.CodeOf(err) != want || (driver == nil) != (want != "") {
				t.Errorf("Find(%q) = %v, %v; want code %q", name, driver != nil, err, want)
			}
			var typed *azfunc.Error
			if want != "" && !errors.As(err, &typed) {
				t.Errorf("Find(%q): error %v is not for people", name, err)
			}
		})
	}
}
