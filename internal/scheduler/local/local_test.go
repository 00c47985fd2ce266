package local_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/nomad/api"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/scheduler/local"
	"github.com/nightshift-functions/nightshift/internal/scheduler/schedulertest"
)

func configOf(runDir string) local.Config { return local.Config{RunDir: runDir} }

func executable(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

func failed(job scheduler.Job) bool {
	return len(job.Instances) > 0 && job.Instances[0].State == scheduler.Failed
}

// TestEnvironment holds that an instance sees its task's variables and Nomad's, and nothing of the manager's.
func TestEnvironment(t *testing.T) {
	t.Setenv("NIGHTSHIFT_TEST_SECRET", "of the manager")
	s := start(t, local.Config{})
	bench := schedulertest.NewBench(t, s)
	bench.Applied(schedulertest.Job(t, "fn-env.r1", schedulertest.ModeServe))
	environment := bench.Ask(bench.Healthy("fn-env.r1", 1)[0], http.MethodGet, "/environment", nil)
	for line := range strings.Lines(environment) {
		name, _, _ := strings.Cut(line, "=")
		if name != "PLACE" && !strings.HasPrefix(name, "NOMAD_") && !strings.EqualFold(name, "SYSTEMROOT") {
			t.Errorf("the instance sees %s", line)
		}
	}
}

func TestBlockedByPorts(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	other, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := other.Addr().(*net.TCPAddr).Port
	bench := schedulertest.NewBench(t, start(t, local.Config{FirstPort: port, LastPort: port}))
	bench.Applied(schedulertest.Job(t, "fn-first.r1", schedulertest.ModeServe))
	range1 := fmt.Sprintf("%d-%d", port, port)
	blocked := bench.Await("fn-first.r1", "to be blocked by another program", func(job scheduler.Job) bool { return job.Blocked != "" })
	if !strings.Contains(blocked.Blocked, range1) || len(blocked.Instances) != 0 {
		t.Errorf("blocked job = %+v, want no instance and the range %s told", blocked, range1)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	bench.Healthy("fn-first.r1", 1)
	bench.Applied(schedulertest.Job(t, "fn-second.r1", schedulertest.ModeServe))
	bench.Await("fn-second.r1", "to be blocked by the first", func(job scheduler.Job) bool { return job.Blocked != "" })
	bench.Scaled("fn-first.r1", 0)
	bench.Healthy("fn-second.r1", 1)
	job := bench.Await("fn-second.r1", "not to be blocked", func(job scheduler.Job) bool { return job.Blocked == "" })
	if len(job.Instances) != 1 {
		t.Errorf("instances = %+v, want one", job.Instances)
	}
}

func TestSecondSchedulerIsRefused(t *testing.T) {
	t.Parallel()
	runDir := filepath.Join(t.TempDir(), "run")
	start(t, configOf(runDir))
	second, err := local.New(configOf(runDir), zerolog.Nop())
	if azfunc.CodeOf(err) != azfunc.Conflict || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second scheduler = %v, %v; want a Conflict that names process %d", second, err, os.Getpid())
	}
}

func TestRunDirIsChecked(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		make func(t *testing.T, path string) error
		want azfunc.Code
	}{
		"absent": {func(*testing.T, string) error { return nil }, ""},
		"ours": {func(_ *testing.T, path string) error {
			return errors.Join(os.Mkdir(path, 0o711), os.Chmod(path, 0o711))
		}, ""},
		"link": {func(t *testing.T, path string) error {
			t.Helper()
			return os.Symlink(t.TempDir(), path)
		}, azfunc.Invalid},
		"file": {func(_ *testing.T, path string) error { return os.WriteFile(path, nil, 0o600) }, azfunc.Invalid},
		"open to all": {func(_ *testing.T, path string) error {
			return errors.Join(os.Mkdir(path, 0o777), os.Chmod(path, 0o777))
		}, azfunc.Forbidden},
		"somebody else's": {func(t *testing.T, path string) error {
			t.Helper()
			if os.Geteuid() != 0 {
				t.Skip("only root can make folders of others")
			}
			return errors.Join(os.Mkdir(path, 0o711), os.Chmod(path, 0o711), os.Chown(path, 265001, 265001))
		}, azfunc.Forbidden},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "run")
			if err := test.make(t, path); err != nil {
				t.Fatal(err)
			}
			s, err := local.New(configOf(path), zerolog.Nop())
			if azfunc.CodeOf(err) != test.want || err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("New: %v, want code %q and the folder named", err, test.want)
			}
			if s != nil {
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestDefaultRunDir(t *testing.T) {
	t.Parallel()
	one, err := local.DefaultRunDir("/srv/one")
	if err != nil {
		t.Fatal(err)
	}
	two, err := local.DefaultRunDir("/srv/two")
	if err != nil || one == two {
		t.Errorf("two data folders share the run folder %q, %v", one, err)
	}
	if inside := strings.HasPrefix(one, "/srv/one"); inside == (os.Geteuid() == 0) {
		t.Errorf("run folder %q: want it inside of the data folder for everybody but root", one)
	}
}

// TestCloseLeavesNothing holds that Close ends even an instance that takes no notice, when its context ends.
func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	runDir := filepath.Join(t.TempDir(), "run")
	s := start(t, configOf(runDir))
	bench := schedulertest.NewBench(t, s)
	bench.Applied(withIdentity(schedulertest.Job(t, "fn-a.r1", schedulertest.ModeStubborn)))
	bench.Scaled("fn-a.r1", 2)
	instances := bench.Healthy("fn-a.r1", 2)
	token, err := os.ReadFile(filepath.Join(runDir, "allocs", instances[0].ID, "worker", "secrets", "nomad_nightshift.jwt"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := s.VerifyIdentity(string(token)); !ok {
		t.Error("a live instance's token is not known")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for _, instance := range instances {
		if schedulertest.Listens(t.Context(), instance.Address) {
			t.Errorf("instance %s still listens", instance.ID)
		}
	}
	if _, _, ok := s.VerifyIdentity(string(token)); ok {
		t.Error("a dead instance's token is still good")
	}
	if left, err := os.ReadDir(filepath.Join(runDir, "allocs")); err != nil || len(left) != 0 {
		t.Errorf("instances' folders = %v, %v; want none", left, err)
	}
	if err := s.Apply(t.Context(), schedulertest.Job(t, "fn-b.r1", schedulertest.ModeServe)); azfunc.CodeOf(err) != azfunc.Unavailable {
		t.Errorf("apply after Close: %v, want Unavailable", err)
	}
}

// TestOwnIdentity holds that identities may come from elsewhere, and that their failure is told and tried again.
func TestOwnIdentity(t *testing.T) {
	t.Parallel()
	calls := 0
	var asked local.IdentityRequest
	s := start(t, local.Config{Identity: func(_ context.Context, request local.IdentityRequest) (string, error) {
		if calls++; calls == 1 {
			return "", azfunc.Errorf(azfunc.Unavailable, "no keys yet")
		}
		asked = request
		return "token of " + request.AllocID, nil
	}})
	bench := schedulertest.NewBench(t, s)
	job := withIdentity(schedulertest.Job(t, "fn-id.r1", schedulertest.ModeServe))
	job.TaskGroups[0].ReschedulePolicy.Delay = new(time.Millisecond)
	job.TaskGroups[0].Tasks[0].Env["TOKEN_FILE"] = "${NOMAD_SECRETS_DIR}/nomad_nightshift.jwt"
	bench.Applied(job)
	seen := bench.Await("fn-id.r1", "a failure", failed)
	if !strings.Contains(seen.Instances[0].LastError, "no keys yet") {
		t.Errorf("LastError = %q", seen.Instances[0].LastError)
	}
	instance := bench.Healthy("fn-id.r1", 1)[0]
	if diff := cmp.Diff(local.IdentityRequest{AllocID: instance.ID, JobID: "fn-id.r1", Name: "nightshift"}, asked); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	_, path, _ := strings.Cut("\n"+bench.Ask(instance, http.MethodGet, "/environment", nil), "\nTOKEN_FILE=")
	path, _, _ = strings.Cut(path, "\n")
	if got := bench.Ask(instance, http.MethodGet, "/file", url.Values{"path": {path}}); got != "token of "+instance.ID {
		t.Errorf("token in the file = %q", got)
	}
}

// TestRetention holds that dead instances, stopped jobs and their logs are bounded.
func TestRetention(t *testing.T) {
	t.Parallel()
	runDir := filepath.Join(t.TempDir(), "run")
	s := start(t, local.Config{RunDir: runDir, KeepDead: 2, KeepStopped: 1})
	bench := schedulertest.NewBench(t, s)
	job := schedulertest.Job(t, "fn-failing.r1", schedulertest.ModeFail)
	job.TaskGroups[0].RestartPolicy.Attempts = new(0)
	job.TaskGroups[0].ReschedulePolicy.Delay = new(time.Millisecond)
	job.TaskGroups[0].ReschedulePolicy.DelayFunction = new("constant")
	bench.Applied(job)
	first := bench.Await("fn-failing.r1", "a failure", failed).Instances[0]
	seen := bench.Await("fn-failing.r1", "the first to be forgotten", func(job scheduler.Job) bool {
		return len(job.Instances) > 1 && schedulertest.Find(job, first.ID).ID == ""
	})
	if dead := len(seen.Instances) - len(schedulertest.Live(seen)); dead > 2 {
		t.Errorf("%d dead instances are kept, want at most 2", dead)
	}
	if _, err := os.Stat(filepath.Join(runDir, "logs", first.ID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("logs of a forgotten instance: %v, want them gone", err)
	}
	if err := s.Stop(t.Context(), "fn-failing.r1", false); err != nil {
		t.Fatal(err)
	}
	bench.Applied(schedulertest.Job(t, "fn-next.r1", schedulertest.ModeServe))
	bench.Healthy("fn-next.r1", 1)
	if err := s.Stop(t.Context(), "fn-next.r1", false); err != nil {
		t.Fatal(err)
	}
	for index := uint64(0); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		snapshot, err := s.Watch(ctx, index)
		cancel()
		if err != nil {
			t.Fatalf("waiting for the older stopped job to be forgotten: %v", err)
		}
		if _, there := snapshot.Jobs["fn-failing.r1"]; !there {
			break
		}
		index = snapshot.Index
	}
}

func TestLogsOfManyFiles(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	bench := schedulertest.NewBench(t, s)
	job := schedulertest.Job(t, "fn-talk.r1", schedulertest.ModeServe)
	job.TaskGroups[0].Tasks[0].LogConfig = logConfig(2, 1)
	bench.Applied(job)
	instance := bench.Healthy("fn-talk.r1", 1)[0]
	request := scheduler.LogRequest{InstanceID: instance.ID, Task: "worker", Stream: "stdout", Follow: true}
	follow, err := s.Logs(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = follow.Close() }()
	line := strings.Repeat("x", 4000)
	for i := range 800 { // 3.2 MB
		bench.Ask(instance, http.MethodPost, "/print", url.Values{"text": {fmt.Sprintf("%s %d.", line, i)}})
	}
	bench.ReadUntil(follow, " 799.\n")
	request.Follow = false
	kept := bench.ReadLog(request)
	if len(kept) < 1<<20 || len(kept) > 2<<20 || !strings.HasSuffix(kept, " 799.\n") || strings.HasPrefix(kept, "listening") {
		t.Errorf("%d bytes are kept, want the last one to two megabytes", len(kept))
	}
}

// TestNoReplacement holds that a failed instance keeps its place when its job wants no replacement.
func TestNoReplacement(t *testing.T) {
	t.Parallel()
	s := start(t, local.Config{})
	bench := schedulertest.NewBench(t, s)
	job := schedulertest.Job(t, "fn-once.r1", schedulertest.ModeFail)
	job.TaskGroups[0].RestartPolicy.Attempts = new(0)
	job.TaskGroups[0].ReschedulePolicy = &api.ReschedulePolicy{Unlimited: new(false), Delay: new(time.Millisecond)}
	bench.Applied(job)
	bench.Await("fn-once.r1", "a failure", failed)
	bench.Scaled("fn-once.r1", 2)
	snapshot, err := s.Watch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := snapshot.Jobs["fn-once.r1"].Instances; len(got) != 2 {
		t.Errorf("instances = %+v, want the failed one and one more", got)
	}
}

// BenchmarkStart measures from Apply to an instance that is known to be healthy.
func BenchmarkStart(b *testing.B) {
	s, err := local.New(configOf(filepath.Join(b.TempDir(), "run")), zerolog.Nop())
	if err != nil {
		b.Fatal(err)
	}
	bench := schedulertest.NewBench(b, s)
	for b.Loop() {
		bench.Applied(schedulertest.Job(b, "fn-bench.r1", schedulertest.ModeServe))
		bench.Healthy("fn-bench.r1", 1)
		b.StopTimer()
		if err := s.Stop(b.Context(), "fn-bench.r1", false); err != nil {
			b.Fatal(err)
		}
		bench.Await("fn-bench.r1", "the end", func(job scheduler.Job) bool { return len(schedulertest.Live(job)) == 0 })
		b.StartTimer()
	}
	if err := s.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
