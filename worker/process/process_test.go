package process_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/worker/process"
)

// lines collects output.
type lines struct {
	mu   sync.Mutex
	list []string
}

func (l *lines) add(_ bool, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, line)
}

func start(t *testing.T, script string, out *lines) *process.Process {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a Unix shell")
	}
	p, err := process.Start(t.Context(), process.Command{
		Path: "/bin/sh", Args: []string{"-c", script}, Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH"), "A=b"}, Line: out.add,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func done(t *testing.T, p *process.Process) process.Exit {
	t.Helper()
	select {
	case <-p.Done():
		return p.Exit()
	case <-time.After(20 * time.Second):
		t.Fatal("it did not end")
		return process.Exit{}
	}
}

func TestOutputAndExit(t *testing.T) {
	t.Parallel()
	out := &lines{}
	p := start(t, `echo one; printf 'two\r\nthree'; echo bad >&2; env | grep -v PWD >&2; exit 3`, out)
	e := done(t, p)
	if e.Code != 3 || e.Reason != "exit code 3" || !slices.Contains(e.Stderr, "bad") {
		t.Errorf("exit %+v", e)
	}
	for _, want := range []string{"one", "two", "three"} {
		if !slices.Contains(out.list, want) {
			t.Errorf("no line %q in %q", want, out.list)
		}
	}
	if !slices.Contains(e.Stderr, "A=b") || strings.Contains(strings.Join(e.Stderr, " "), "GOPATH") {
		t.Errorf("environment %q", e.Stderr)
	}
}

func TestTailIsBounded(t *testing.T) {
	t.Parallel()
	e := done(t, start(t, `i=0; while [ $i -lt 500 ]; do echo line $i >&2; i=$((i+1)); done; exit 1`, &lines{}))
	if len(e.Stderr) != process.TailLines || e.Stderr[process.TailLines-1] != "line 499" {
		t.Errorf("%d lines, the last is %q", len(e.Stderr), e.Stderr[len(e.Stderr)-1])
	}
	out := &lines{}
	done(t, start(t, `head -c 200000 /dev/zero | tr '\0' x`, out))
	if len(out.list) < 2 || len(out.list[0]) > 70000 {
		t.Errorf("%d pieces of an endless line", len(out.list))
	}
}

func TestKillEndsTheTree(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	p := start(t, `sleep 300 & echo $! > '`+file+`'; trap '' TERM; wait; sleep 300`, &lines{})
	child := awaitPID(t, file)
	begin := time.Now()
	p.Stop(200 * time.Millisecond)
	if e := p.Exit(); !strings.Contains(e.Reason, "killed") || time.Since(begin) > 10*time.Second {
		t.Errorf("exit %+v after %s", e, time.Since(begin))
	}
	gone(t, child)
}

func TestWhatIsLeftBehindEndsToo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	p := start(t, `sleep 300 >/dev/null 2>&1 & echo $! > '`+file+`'; exit 0`, &lines{})
	if e := done(t, p); e.Code != 0 {
		t.Errorf("exit %+v", e)
	}
	gone(t, awaitPID(t, file))
}

func awaitPID(t *testing.T, file string) int {
	t.Helper()
	var pid int
	await(t, "pid file", func() bool {
		raw, err := os.ReadFile(file)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(raw)))
		}
		return err == nil
	})
	return pid
}

func gone(t *testing.T, pid int) {
	t.Helper()
	await(t, "end of the child", func() bool {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(raw), ") Z ")
	})
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no %s", what)
		}
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	if _, err := process.Start(t.Context(), process.Command{Path: "/no/such/program", Line: (&lines{}).add}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("got %v", err)
	}
}

func TestBudget(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	type step struct {
		after time.Duration
		delay time.Duration
		ok    bool
	}
	for name, c := range map[string]struct {
		processes int
		steps     []step
	}{
		"one process": {1, []step{{0, 0, true}, {time.Minute, time.Second, true}, {time.Minute, 0, false}}},
		"two processes": {2, []step{
			{0, 0, true}, {0, time.Second, true}, {0, 2 * time.Second, true}, {0, 4 * time.Second, true}, {0, 8 * time.Second, true}, {0, 0, false},
		}},
		"forgotten after half an hour": {1, []step{{0, 0, true}, {time.Minute, time.Second, true}, {31 * time.Minute, 0, true}}},
		"the window slides":            {1, []step{{0, 0, true}, {29 * time.Minute, time.Second, true}, {29 * time.Minute, 0, false}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := process.Budget{Processes: c.processes}
			at := now
			for i, s := range c.steps {
				at = at.Add(s.after)
				if delay, ok := b.Spend(at, 10*time.Second); delay != s.delay || ok != s.ok {
					t.Errorf("step %d: %s %v", i, delay, ok)
				}
			}
		})
	}
}
