package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestSecondInterruptEndsAtOnce: the first Ctrl-C lets requests finish; who does not want to wait for them presses it
// again. Nothing is left running, and the next start brings the app back.
func TestSecondInterruptEndsAtOnce(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: a process cannot be sent Ctrl-C alone on Windows")
	}
	data := t.TempDir()
	m := start(t, data)
	publisher := m.createApp("endless", nodeSettings())
	m.mustPublish("endless", nodeApp(t, "one", `const started = [];
app.http('endless', { authLevel: 'anonymous', handler: () => { started.push(1); return new Promise(() => {}); } });
app.http('started', { authLevel: 'anonymous', handler: () => ({ body: String(started.length) }) });`), publisher)
	go func() { _, _, _ = m.get(m.app("endless", "/api/endless")) }()
	m.until("endless", "/api/started", "1")
	instances := descendants(t, m.cmd.Process.Pid)

	_ = m.cmd.Process.Signal(os.Interrupt)
	eventually(t, "the manager says that it stops", time.Minute, func() error {
		if !strings.Contains(m.output.String(), "stopping") {
			return errors.New("it says nothing")
		}
		return nil
	})
	_ = m.cmd.Process.Signal(os.Interrupt)
	select {
	case <-m.exited:
	case <-time.After(5 * time.Second):
		t.Fatal("the manager still waits after the second interrupt")
	}
	if runtime.GOOS == "linux" {
		eventually(t, "its instances are gone", 10*time.Second, func() error {
			if left := alive(instances); len(left) > 0 || len(instances) == 0 {
				return fmt.Errorf("of processes %v there are still %v", instances, left)
			}
			return nil
		})
	}
	_ = os.Remove(filepath.Join(data, "addresses.json"))
	start(t, data).until("endless", "/api/version", "one")
}
