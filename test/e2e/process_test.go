package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func atLeast(n *atomic.Int64, want int64) error {
	if got := n.Load(); got < want {
		return fmt.Errorf("%d of %d", got, want)
	}
	return nil
}

// processes lists those whose environment has all of the given entries. Linux only, as root or for one's own.
func processes(t *testing.T, entries ...string) []int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended, or is somebody else's
		}
		env := strings.Split(string(raw), "\x00")
		if !slices.ContainsFunc(entries, func(e string) bool { return !slices.Contains(env, e) }) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// workers lists the worker processes of an app's revision that belong to this manager.
func workers(t *testing.T, m *manager, app, revision string) []int {
	t.Helper()
	return processes(t, "NIGHTSHIFT_MANAGER_URL="+m.addresses.Link, "NIGHTSHIFT_APP="+app, "NIGHTSHIFT_REVISION="+revision)
}

// variable reads one variable of a process's environment.
func variable(t *testing.T, pid int, name string) string {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	for entry := range strings.SplitSeq(string(raw), "\x00") {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	t.Fatalf("process %d has no %s", pid, name)
	return ""
}

func kill(t *testing.T, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatalf("find %d: %v", pid, err)
		}
		if err := p.Kill(); err != nil {
			t.Fatalf("kill %d: %v", pid, err)
		}
	}
}

func oneOf(pids []int) error {
	if len(pids) == 0 {
		return fmt.Errorf("no process")
	}
	return nil
}

func different(before, now []int) error {
	if len(now) == 0 || slices.ContainsFunc(now, func(p int) bool { return slices.Contains(before, p) }) {
		return fmt.Errorf("before %v, now %v", before, now)
	}
	return nil
}

// descendants lists all processes below one.
func descendants(t *testing.T, root int) []int {
	t.Helper()
	parents := map[int]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		after := string(raw[strings.LastIndexByte(string(raw), ')')+1:]) // the name may hold blanks
		fields := strings.Fields(after)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parents[pid], _ = strconv.Atoi(fields[1])
	}
	var below []int
	for pid := range parents {
		for p := pid; p > 1; p = parents[p] {
			if parents[p] == root {
				below = append(below, pid)
				break
			}
		}
	}
	return below
}

func alive(pids []int) (left []int) {
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(raw), ") Z ") {
			left = append(left, pid)
		}
	}
	return left
}

func noneAlive(pids []int) error {
	if left := alive(pids); len(left) > 0 {
		return fmt.Errorf("still there: %v", left)
	}
	return nil
}

func TestKilledProcessesComeBack(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	m := start(t, data)
	publisher := m.createApp("phoenix", nodeSettings())
	m.mustPublish("phoenix", nodeApp(t, "alive"), publisher)

	t.Log("the language worker")
	worker := workers(t, m, "phoenix", "1")
	if len(worker) != 1 {
		t.Fatalf("want one worker, got %v", worker)
	}
	kill(t, descendants(t, worker[0])...)
	m.until("phoenix", "/api/version", "alive")
	if got := workers(t, m, "phoenix", "1"); !slices.Equal(got, worker) {
		t.Errorf("the worker was replaced for its language worker's death: %v, then %v", worker, got)
	}

	t.Log("the worker")
	below := descendants(t, worker[0])
	kill(t, worker...)
	eventually(t, "the language worker dies with the worker", time.Minute, func() error { return noneAlive(below) })
	m.until("phoenix", "/api/version", "alive")

	t.Log("the manager")
	status, answer := m.arm(http.MethodPut, "phoenix/config/appsettings", map[string]any{"properties": nodeSettings("COLOUR", "green")})
	if status != http.StatusOK {
		t.Fatalf("change settings: %d %v", status, answer)
	}
	below = descendants(t, m.cmd.Process.Pid)
	m.kill9() // at once: the acknowledged change must survive although its rollout has hardly begun
	eventually(t, "everything dies with the manager", time.Minute, func() error { return noneAlive(below) })
	again := start(t, data)
	again.until("phoenix", "/api/version", "alive green")
}

func TestCtrlCLeavesNoProcess(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	m := start(t, data)
	publisher := m.createApp("fleeting", nodeSettings())
	m.mustPublish("fleeting", nodeApp(t, "here", `require('child_process').spawn('sleep', ['3600'], { detached: true, stdio: 'ignore' }).unref();`), publisher)
	below := descendants(t, m.cmd.Process.Pid)
	if len(below) < 3 {
		t.Fatalf("want worker, node and sleep below the manager, got %v", below)
	}
	m.stop()
	if err := noneAlive(below); err != nil {
		t.Error(err)
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	again := start(t, data)
	again.until("fleeting", "/api/version", "here")
}
