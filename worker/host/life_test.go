package host_test

import (
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/hostapi/hostapitest"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	i := launch(t, options{phase: hostapi.Active})
	i.up(hostapi.StateActive)
	slow := make(chan answer, 1)
	go func() { slow <- i.call("GET", "/api/slow", "") }()
	i.Await(t, "the slow call in flight", patient, func(seen) bool { return inFlight(i) })
	i.stop()
	if a := <-slow; a.status != 200 || a.body != "slow" {
		t.Errorf("the call in flight: %+v", a)
	}
	if err := i.wait(); err != nil {
		t.Error(err)
	}
	var states []hostapi.InstanceState
	for _, r := range i.Now().Reports {
		if len(states) == 0 || states[len(states)-1] != r.State {
			states = append(states, r.State)
		}
	}
	if n := len(states); n < 3 || states[n-1] != hostapi.StateStopped || states[n-2] != hostapi.StateDraining {
		t.Errorf("states %v", states)
	}
}

// TestUploadCountsAsInFlight drains a revision while a request's body is still coming: rollout must not think that it
// is idle, and must soon hear when it is.
func TestUploadCountsAsInFlight(t *testing.T) {
	t.Parallel()
	i := launch(t, options{phase: hostapi.Active})
	i.up(hostapi.StateActive)
	body, upload := io.Pipe()
	result := make(chan answer, 1)
	go func() {
		a, err := i.send("POST", "/api/hello", body)
		if err != nil {
			t.Error(err)
		}
		result <- a
	}()
	if _, err := io.WriteString(upload, "first half, "); err != nil {
		t.Fatal(err)
	}
	i.Await(t, "the upload in flight", patient, func(seen) bool { return inFlight(i) })
	i.Update(func(app *hostapi.App) { app.Live.Phase = hostapi.Draining })
	if r := i.AwaitState(t, hostapi.StateDraining, patient); r.InFlight != 1 {
		t.Errorf("%d in flight during the upload", r.InFlight)
	}
	if _, err := io.WriteString(upload, "second half"); err != nil {
		t.Fatal(err)
	}
	if err := upload.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-result; a.status != 200 || !strings.Contains(a.body, "first half, second half") {
		t.Errorf("the upload: %+v", a)
	}
	i.Await(t, "the report that nothing is in flight, before an ordinary heartbeat", 5*time.Second, func(s seen) bool {
		return s.Reports[len(s.Reports)-1].InFlight == 0
	})
}

// inFlight asks the host how many invocations are running.
func inFlight(i *instance) bool {
	return strings.Contains(i.call("GET", "/admin/host/drain/status", "", "X-Functions-Key", "the-master-key").body, `"outstandingInvocations":1`)
}

func TestReadinessFollowsTheState(t *testing.T) {
	t.Parallel()
	i := launch(t, options{mode: "hangs-in-init", before: func(*hostapitest.Manager) {}})
	r := i.Await(t, "address", patient, func(s seen) bool { return len(s.Reports) > 0 && s.Reports[0].Address != "" }).Reports[0]
	i.url = "http://" + r.Address
	if a := i.call("GET", hostapi.PathReady, ""); a.status != 503 {
		t.Errorf("while starting: %+v", a)
	}
	if a := i.call("GET", "/admin/host/ping", ""); a.status == 503 {
		t.Errorf("ping while starting: %+v", a)
	}
	if err := i.end(); err != nil {
		t.Errorf("stopped while starting: %v", err)
	}
}

func TestCommandsAndPhases(t *testing.T) {
	t.Parallel()
	i := launch(t, options{})
	first := i.up(hostapi.StateStandby).LanguageWorkers[0].PID
	i.Update(func(app *hostapi.App) {
		app.Live.Phase = hostapi.Active
		app.Live.Commands = []hostapi.Command{{ID: "c1", Kind: "syncTriggers"}, {ID: "c2", Kind: "restart"}}
	})
	i.Await(t, "both acknowledged", patient, func(s seen) bool {
		r := s.Reports[len(s.Reports)-1]
		return len(r.Acknowledged) == 2 && r.State == hostapi.StateActive && len(s.Triggers) == 2
	})
	a := i.call("GET", "/api/hello", "")
	if a.status != 200 || strings.Contains(a.body, `"pid":`+strconv.Itoa(first)) {
		t.Errorf("after the restart: %+v", a)
	}
	i.Update(func(app *hostapi.App) { app.Live.Phase = hostapi.Draining; app.Live.Commands = nil })
	i.AwaitState(t, hostapi.StateDraining, patient)
	if a := i.call("GET", "/api/hello", ""); a.status != 200 {
		t.Errorf("while draining: %+v", a)
	}
	if a := i.call("GET", hostapi.PathReady, ""); a.status != 200 {
		t.Errorf("readiness while draining: %+v", a)
	}
	i.Update(func(app *hostapi.App) { app.Live.Commands = []hostapi.Command{{ID: "c3", Kind: "stop"}} })
	if err := i.wait(); err != nil {
		t.Error(err)
	}
}

func TestTimersRunOnlyWhileActive(t *testing.T) {
	t.Parallel()
	i := launch(t, options{settings: map[string]string{"Schedule": "* * * * * *"}})
	i.up(hostapi.StateStandby)
	ticks := func(s seen) int {
		n := 0
		for _, inv := range s.Invocations {
			if inv.Function == "tick" {
				n++
			}
		}
		return n
	}
	begin := time.Now()
	i.Await(t, "quiet second in standby", patient, func(seen) bool {
		_ = i.call("GET", "/api/slow", "")
		return time.Since(begin) > 1200*time.Millisecond
	})
	if s := i.Now(); len(s.Claims) != 0 || ticks(s) != 0 {
		t.Fatalf("a revision in standby claimed %v", s.Claims)
	}
	i.Update(func(app *hostapi.App) { app.Live.Phase = hostapi.Active })
	i.Await(t, "three ticks", patient, func(s seen) bool { return ticks(s) >= 3 })
	i.Update(func(app *hostapi.App) { app.Live.Phase = hostapi.Draining })
	i.AwaitState(t, hostapi.StateDraining, patient)
	claimed := len(i.Now().Claims["tick"])
	begin = time.Now()
	i.Await(t, "quiet second while draining", patient, func(seen) bool {
		_ = i.call("GET", "/api/slow", "")
		return time.Since(begin) > 1200*time.Millisecond
	})
	if now := len(i.Now().Claims["tick"]); now > claimed+1 {
		t.Errorf("claims went on while draining: %d, then %d", claimed, now)
	}
}

func TestManagerAway(t *testing.T) {
	t.Parallel()
	i := launch(t, options{phase: hostapi.Active, settings: map[string]string{"Schedule": "* * * * * *"}})
	i.up(hostapi.StateActive)
	i.Await(t, "a first tick", patient, func(s seen) bool { return len(s.Claims["tick"]) > 0 })
	i.SetDown(true)
	claimed := len(i.Now().Claims["tick"])
	if a := i.call("GET", "/api/hello", ""); a.status != 200 {
		t.Errorf("HTTP while the manager is away: %+v", a)
	}
	begin := time.Now()
	i.Await(t, "a second", patient, func(seen) bool {
		_ = i.call("GET", "/api/slow", "")
		return time.Since(begin) > 1500*time.Millisecond
	})
	if now := len(i.Now().Claims["tick"]); now != claimed {
		t.Errorf("claims while the manager is away: %d, then %d", claimed, now)
	}
	i.SetDown(false)
	i.Await(t, "records kept meanwhile, and a late tick", patient, func(s seen) bool {
		late := false
		for _, o := range s.Claims["tick"] {
			late = late || o.PastDue
		}
		return late && hasLog(s, "user log of id-slow")
	})
}
