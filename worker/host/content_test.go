package host_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/hostapi/hostapitest"
	"github.com/nightshift-functions/nightshift/worker/host"
)

func TestPackageCache(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	zip := zipOf(t, fakeApp())
	with := func(c *host.Config) { c.CacheDir = cache }
	first := launch(t, options{zip: zip, change: with})
	first.up(hostapi.StateStandby)
	files, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(files) != 1 || !strings.HasSuffix(files[0], ".zip") {
		t.Fatalf("cache holds %v", files)
	}
	second := launch(t, options{zip: zip, change: with, before: func(m *hostapitest.Manager) { m.DropPackages() }})
	second.up(hostapi.StateStandby) // from the cache: the manager has the package no more

	if err := os.WriteFile(files[0], zip[:len(zip)-1], 0o600); err != nil { // somebody else's half or spoilt file
		t.Fatal(err)
	}
	third := launch(t, options{zip: zip, change: with})
	third.up(hostapi.StateStandby)
	if raw, err := os.ReadFile(files[0]); err != nil || len(raw) != len(zip) {
		t.Errorf("the spoilt package was kept: %d bytes, %v", len(raw), err)
	}
}

func TestPackageThatIsNotWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*hostapitest.Manager){
		"other bytes": func(m *hostapitest.Manager) { m.SpoilPackages(func(b []byte) []byte { b[0] ^= 1; return b }) },
		"too long":    func(m *hostapitest.Manager) { m.SpoilPackages(func(b []byte) []byte { return append(b, 0) }) },
		"missing":     func(m *hostapitest.Manager) { m.DropPackages() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := launch(t, options{before: spoil})
			if err := i.wait(); err == nil {
				t.Error("it started")
			}
			reports := i.Now().Reports
			if last := reports[len(reports)-1]; last.State != hostapi.StateFailed || last.LastError.Permanent {
				t.Errorf("last report %+v", last)
			}
			if _, err := os.Stat(filepath.Join(i.work, "wwwroot")); err == nil {
				t.Error("it was unpacked")
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	i := launch(t, options{limits: hostapi.Limits{MaxBodyBytes: 10}})
	i.up(hostapi.StateStandby)
	for body, want := range map[string]int{strings.Repeat("x", 10): 200, strings.Repeat("x", 11): 413} {
		if a := i.call("POST", "/api/hello", body); a.status != want {
			t.Errorf("%d bytes: %+v", len(body), a)
		}
	}
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	files := fakeApp()
	files["host.json"] = `{"version":"2.0","extensions":{"http":{"maxOutstandingRequests":1}}}`
	i := launch(t, options{files: files})
	i.up(hostapi.StateStandby)
	slow := make(chan answer, 1)
	go func() { slow <- i.call("GET", "/api/slow", "") }()
	i.Await(t, "the slow call in flight", patient, func(seen) bool { return inFlight(i) })
	if a := i.call("GET", "/api/hello", ""); a.status != 429 || a.header.Get("X-Function-Scaleout") != "1" {
		t.Errorf("got %+v", a)
	}
	if a := <-slow; a.status != 200 {
		t.Errorf("slow: %+v", a)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s                         host.State
		want                      hostapi.InstanceState
		ready, serving, listening bool
	}{
		{host.State{}, hostapi.StateStarting, false, false, false},
		{host.State{Phase: hostapi.Active}, hostapi.StateStarting, false, false, false},
		{host.State{Loaded: true, Phase: hostapi.Standby}, hostapi.StateStandby, true, true, false},
		{host.State{Loaded: true, Phase: hostapi.Active}, hostapi.StateActive, true, true, true},
		{host.State{Loaded: true, Phase: hostapi.Draining}, hostapi.StateDraining, true, true, false},
		{host.State{Loaded: true, Phase: hostapi.Active, Stopping: true}, hostapi.StateDraining, false, true, false},
		{host.State{Loaded: true, Phase: hostapi.Active, Stopping: true, Stopped: true}, hostapi.StateStopped, false, false, false},
		{host.State{Loaded: true, Phase: hostapi.Active, Failed: true}, hostapi.StateFailed, false, false, false},
		{host.State{Failed: true, Stopping: true, Stopped: true}, hostapi.StateFailed, false, false, false},
	} {
		if c.s.Instance() != c.want || c.s.Ready() != c.ready || c.s.Serving() != c.serving || c.s.Listening() != c.listening {
			t.Errorf("%+v: %s %v %v %v", c.s, c.s.Instance(), c.s.Ready(), c.s.Serving(), c.s.Listening())
		}
	}
	standby := host.State{Loaded: true, Phase: hostapi.Standby}
	active := host.State{Loaded: true, Phase: hostapi.Active}
	if !host.Deployed(standby, active) || host.Deployed(host.State{Phase: hostapi.Standby}, active) || host.Deployed(host.State{Loaded: true, Phase: hostapi.Draining}, active) {
		t.Error("only a revision's going live counts as deployed")
	}
}

func TestSlowLinkAtStart(t *testing.T) {
	t.Parallel()
	i := launch(t, options{before: func(m *hostapitest.Manager) {
		m.SetDown(true)
		timer := time.AfterFunc(700*time.Millisecond, func() { m.SetDown(false) })
		t.Cleanup(func() { timer.Stop() })
	}})
	i.up(hostapi.StateStandby)
}
