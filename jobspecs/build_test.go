package jobspecs_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"

	"github.com/nightshift-functions/nightshift/drivers"
	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/jobspecs"
)

var update = flag.Bool("update", false, "write the goldens in testdata anew")

func revisions() map[string]jobspecs.Revision {
	task := drivers.Input{
		App: "Shop-API", Revision: 7, Worker: "/opt/nightshift/worker", Languages: "/opt/nightshift/languages",
		ManagerURL: "http://127.0.0.1:7082", Path: "/usr/local/bin:/usr/bin:/bin",
	}
	own := task
	own.User, own.CacheDir, own.CPU, own.MemoryMB = "200007", "/var/cache/nightshift", 500, 512
	cluster := own
	cluster.ManagerURL, cluster.ManagerCA, cluster.KillTimeout = "https://manager.internal:7082", "/etc/nightshift/ca.pem", 2*time.Minute
	return map[string]jobspecs.Revision{
		"one-machine": {Task: task, Driver: drivers.RawExec, Count: 1},
		"own-account": {Task: own, Driver: drivers.RawExec, Count: 3, Timing: jobspecs.Timing{ShutdownDelay: -1}},
		"cluster": {
			Task: cluster, Driver: drivers.RawExec, Count: 0,
			Placement: jobspecs.Placement{
				Namespace: "functions", NodePool: "office", Datacenters: []string{"berlin"},
				Constraints: []*api.Constraint{api.NewConstraint("${attr.kernel.name}", "=", "linux")},
				Spreads:     []*api.Spread{api.NewSpread("${node.unique.id}", 100, nil)},
			},
			Timing: jobspecs.Timing{CheckInterval: 5 * time.Second, CheckTimeout: 2 * time.Second, ShutdownDelay: 4 * time.Second},
		},
	}
}

func TestGoldens(t *testing.T) {
	t.Parallel()
	for name, revision := range revisions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			job, err := jobspecs.Build(revision)
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(job, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
				t.Errorf("%s (-want +got), -update accepts it:\n%s", path, diff)
			}
		})
	}
}

// TestNoSecretInJobs holds the goldens against everything by which people recognise secrets, and the environment
// against the closed list of what an instance may know before it asks.
func TestNoSecretInJobs(t *testing.T) {
	t.Parallel()
	secret := regexp.MustCompile(`(?i)password|pwd=|accountkey|sharedaccess|connectionstring|api[_-]?key|"[A-Za-z0-9+/]{40,}={0,2}"|bearer|AzureWebJobs`)
	known := regexp.MustCompile(`^(NIGHTSHIFT_[A-Z_]+|PATH|HOME|TMPDIR|TMP|TEMP)$`)
	goldens, err := filepath.Glob("testdata/*.json")
	if err != nil || len(goldens) != len(revisions()) {
		t.Fatalf("%d goldens, %v; want one for each of %d revisions", len(goldens), err, len(revisions()))
	}
	for _, path := range goldens {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if found := secret.Find(text); found != nil {
			t.Errorf("%s holds %q, which looks like a secret", path, found)
		}
		var job api.Job
		if err := json.Unmarshal(text, &job); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for name := range job.TaskGroups[0].Tasks[0].Env {
			if !known.MatchString(name) {
				t.Errorf("%s: environment variable %s is not one that an instance may know", path, name)
			}
		}
	}
}

func TestBuildRefusesWrongInput(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*jobspecs.Revision){
		"no driver":      func(r *jobspecs.Revision) { r.Driver = nil },
		"negative count": func(r *jobspecs.Revision) { r.Count = -1 },
		"app name":       func(r *jobspecs.Revision) { r.Task.App = "-" },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			revision := revisions()["one-machine"]
			spoil(&revision)
			if _, err := jobspecs.Build(revision); azfunc.CodeOf(err) != azfunc.Invalid {
				t.Errorf("Build: %v, want an Invalid error", err)
			}
		})
	}
}
