package local_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/scheduler/local"
	"github.com/nightshift-functions/nightshift/internal/scheduler/schedulertest"
)

// TestAccounts holds that an app's process has its own account and nothing else: it reads its own identity, and
// neither the manager's data nor the identity of another app nor the command line of another account's process.
func TestAccounts(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of other accounts")
	}
	base := passableDir(t)
	secret := filepath.Join(base, "data", "secret")
	if err := os.Mkdir(filepath.Dir(secret), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secret, []byte("manager's"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := start(t, local.Config{RunDir: filepath.Join(base, "run")})
	staged, err := s.Stage(t.Context(), local.Files{Worker: executable(t), Languages: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	bench := schedulertest.NewBench(t, s)
	identity := map[string]string{}
	for jobID, uid := range map[string]int{"fn-one.r1": 265001, "fn-two.r1": 265002} {
		job := withIdentity(schedulertest.Job(t, jobID, schedulertest.ModeServe))
		task := job.TaskGroups[0].Tasks[0]
		task.User = fmt.Sprint(uid)
		task.Config["command"] = staged.Worker
		bench.Applied(job)
		instance := bench.Healthy(jobID, 1)[0]
		if got, want := bench.Ask(instance, http.MethodGet, "/whoami", nil), fmt.Sprintf("uid %d gid %d groups [] ", uid, uid); !strings.HasPrefix(got, want) {
			t.Errorf("process of job %s is %q, want %q", jobID, got, want)
		}
		identity[jobID] = filepath.Join(base, "run", "allocs", instance.ID, "worker", "secrets", "nomad_nightshift.jwt")
	}
	one := bench.Healthy("fn-one.r1", 1)[0]
	for path, want := range map[string]int{
		identity["fn-one.r1"]: http.StatusOK,
		identity["fn-two.r1"]: http.StatusForbidden,
		secret:                http.StatusForbidden,
		"/proc/self/cmdline":  http.StatusOK,
		fmt.Sprintf("/proc/%d/cmdline", os.Getpid()):                  http.StatusForbidden,
		filepath.Join(base, "run", "logs", one.ID, "worker.stdout.0"): http.StatusForbidden,
	} {
		if status, body := bench.Try(one, http.MethodGet, "/file", url.Values{"path": {path}}); status != want {
			t.Errorf("app one reads %s: status %d (%s), want %d", path, status, body, want)
		}
	}
	if score := bench.Ask(one, http.MethodGet, "/file", url.Values{"path": {"/proc/self/oom_score_adj"}}); strings.TrimSpace(score) != "500" {
		t.Errorf("when memory runs out the instance is chosen with %q, want 500: before the manager", score)
	}
	token := bench.Ask(one, http.MethodGet, "/file", url.Values{"path": {identity["fn-one.r1"]}})
	if allocID, jobID, ok := s.VerifyIdentity(token); !ok || allocID != one.ID || jobID != "fn-one.r1" {
		t.Errorf("VerifyIdentity = %q, %q, %t; want instance %s of fn-one.r1", allocID, jobID, ok, one.ID)
	}
}

// TestClosedRunDir holds that a run folder which no app can reach is told in words.
func TestClosedRunDir(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of other accounts")
	}
	base := passableDir(t)
	closed := filepath.Join(base, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	bench := schedulertest.NewBench(t, start(t, local.Config{RunDir: filepath.Join(closed, "run")}))
	job := schedulertest.Job(t, "fn-closed.r1", schedulertest.ModeServe)
	job.TaskGroups[0].Tasks[0].User = "265001"
	bench.Applied(job)
	seen := bench.Await("fn-closed.r1", "a failure", failed)
	if got := seen.Instances[0].LastError; !strings.Contains(got, closed) {
		t.Errorf("error %q does not name the folder %q", got, closed)
	}
}
