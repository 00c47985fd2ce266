package e2e_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPublishWhileRequestsRun(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir())
	publisher := m.createApp("busy", nodeSettings())
	m.mustPublish("busy", nodeApp(t, "one"), publisher)

	var requests, old, fresh atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			seenNew := false
			for {
				select {
				case <-done:
					return
				default:
				}
				status, body, err := m.get(m.app("busy", "/api/version"))
				requests.Add(1)
				switch {
				case err != nil || status != http.StatusOK:
					t.Errorf("request failed during the switch: %d %q %v", status, body, err)
					return
				case strings.HasPrefix(body, "two"):
					seenNew = true
					fresh.Add(1)
				case seenNew:
					t.Errorf("the old version answered after the new one: %q", body)
					return
				default:
					old.Add(1)
				}
			}
		})
	}
	eventually(t, "requests run", time.Minute, func() error { return atLeast(&old, 50) })
	m.mustPublish("busy", nodeApp(t, "two"), publisher)
	eventually(t, "the new version answers", time.Minute, func() error { return atLeast(&fresh, 50) })
	close(done)
	wg.Wait()
	t.Logf("%d requests, %d by the old and %d by the new version", requests.Load(), old.Load(), fresh.Load())
}

func TestCodeThatThrowsAtLoadLeavesTheOldVersion(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir())
	publisher := m.createApp("thrower", nodeSettings())
	m.mustPublish("thrower", nodeApp(t, "good"), publisher)

	status, body := m.publish("thrower", nodeApp(t, "bad", "throw new Error('the database password is missing');"), publisher)
	if status != http.StatusInternalServerError {
		t.Errorf("a failed synchronous deployment answers 500, got %d %s", status, body)
	}
	log := m.deploymentLog("thrower", publisher)
	for _, want := range []string{"the database password is missing", `"status":3`} {
		if !strings.Contains(log, want) {
			t.Errorf("the deployment does not say %q:\n%s", want, log)
		}
	}
	m.wantAnswer("thrower", "/api/version", http.StatusOK, "good")

	m.mustPublish("thrower", nodeApp(t, "better"), publisher)
	m.wantAnswer("thrower", "/api/version", http.StatusOK, "better")
}

func TestOldRevisionRestartedDuringRolloutKeepsItsSettings(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir())
	publisher := m.createApp("colours", nodeSettings("COLOUR", "blue"))
	// The next revision hangs at load, so that its rollout stays under way.
	m.mustPublish("colours", nodeApp(t, "v", "if (process.env.HANG) { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); }"), publisher)
	m.wantAnswer("colours", "/api/version", http.StatusOK, "v blue")

	settings := nodeSettings("COLOUR", "red", "HANG", "1")
	if status, answer := m.arm(http.MethodPut, "colours/config/appsettings", map[string]any{"properties": settings}); status != http.StatusOK {
		t.Fatalf("change settings: %d %v", status, answer)
	}
	eventually(t, "an instance of revision 2 is starting", time.Minute, func() error { return oneOf(workers(t, m, "colours", "2")) })
	before := workers(t, m, "colours", "1")
	kill(t, before...)
	eventually(t, "the old revision has another instance", time.Minute, func() error {
		return different(before, workers(t, m, "colours", "1"))
	})
	m.until("colours", "/api/version", "v blue")

	delete(settings, "HANG")
	if status, answer := m.arm(http.MethodPut, "colours/config/appsettings", map[string]any{"properties": settings}); status != http.StatusOK {
		t.Fatalf("change settings: %d %v", status, answer)
	}
	m.until("colours", "/api/version", "v red")
}
