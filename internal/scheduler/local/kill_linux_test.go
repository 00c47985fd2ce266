package local_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/scheduler/schedulertest"
)

const nobody = 65534

// TestKilledManager kills a manager as kill -9 does and looks for what it leaves: an instance, the instance's child, and
// a child that left the session.
func TestKilledManager(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		isolated bool
		asNobody bool
	}{
		{name: "own namespaces", isolated: true},
		{name: "own namespaces without root", isolated: true, asNobody: true},
		{name: "no namespaces"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.asNobody && os.Geteuid() != 0 {
				t.Skip("only root can start a manager of another account")
			}
			m := startManager(t, test.isolated, test.asNobody)
			if test.isolated && !m.isolated {
				t.Skip("the kernel grants no PID namespaces to this account")
			}
			direct := ask(t, m.address, "/child")
			left := ask(t, m.address, "/child?session=own")
			if err := m.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			schedulertest.AwaitGone(t, m.address)
			for _, child := range []string{direct, left} {
				if !test.isolated { // it may live on, but not longer than this test
					endChild(t, child)
				}
				schedulertest.AwaitGone(t, child)
			}
		})
	}
}

// TestRunDirAfterKill starts a second manager on the run folder of a killed one: it needs no repair, and the logs of the
// dead instances are still there.
func TestRunDirAfterKill(t *testing.T) {
	t.Parallel()
	m := startManager(t, true, false)
	instances, err := os.ReadDir(filepath.Join(m.runDir, "allocs"))
	if err != nil || len(instances) != 1 {
		t.Fatalf("instances' folders: %v, %v; want one", instances, err)
	}
	if err := m.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = m.cmd.Wait() // killed
	s := start(t, configOf(m.runDir))
	if left, err := os.ReadDir(filepath.Join(m.runDir, "allocs")); err != nil || len(left) != 0 {
		t.Errorf("stale instances' folders: %v, %v; want none", left, err)
	}
	bench := schedulertest.NewBench(t, s)
	request := scheduler.LogRequest{InstanceID: instances[0].Name(), Task: "worker", Stream: "stdout", Follow: true}
	if log := bench.ReadLog(request); !strings.HasPrefix(log, "listening on ") {
		t.Errorf("log of the former run = %q", log)
	}
	bench.Applied(schedulertest.Job(t, "fn-killed.r1", schedulertest.ModeServe))
	bench.Healthy("fn-killed.r1", 1)
}

type killable struct {
	cmd      *exec.Cmd
	runDir   string
	address  string
	isolated bool
}

func startManager(t *testing.T, isolated, asNobody bool) killable {
	t.Helper()
	base := passableDir(t)
	binary := filepath.Join(base, "binary")
	copyExecutable(t, binary)
	m := killable{runDir: filepath.Join(base, "data", "run")}
	if err := os.Mkdir(filepath.Dir(m.runDir), 0o700); err != nil {
		t.Fatal(err)
	}
	mode := map[bool]string{true: "isolated", false: "plain"}[isolated]
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	m.cmd = exec.CommandContext(ctx, binary, managerArg, m.runDir, mode)
	m.cmd.Env = []string{"PATH=/usr/bin:/bin"}
	m.cmd.Stderr = &bytes.Buffer{}
	if asNobody {
		if err := os.Chown(filepath.Dir(m.runDir), nobody, nobody); err != nil {
			t.Fatal(err)
		}
		m.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill() // unless the test has
		_ = m.cmd.Wait()
	})
	if _, err := fmt.Fscan(out, &m.address, &m.isolated); err != nil {
		t.Fatalf("the manager did not start: %v\n%s", err, m.cmd.Stderr)
	}
	return m
}

// endChild tells a child to end that nobody else ends.
func endChild(t *testing.T, address string) {
	t.Helper()
	if schedulertest.Listens(t.Context(), address) {
		ask(t, address, "/fail")
	}
}

func ask(t *testing.T, address, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", path, response.StatusCode, err, body)
	}
	return string(body)
}

// passableDir is a temporary folder that other accounts can pass through; t.TempDir's are closed.
func passableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "nightshift-test-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyExecutable(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
}
