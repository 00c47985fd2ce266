package local

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A check that has not passed yet is made often, so that a new instance takes traffic as soon as it can; after
// eagerFor only at the check's own interval.
const (
	eagerInterval = 25 * time.Millisecond
	eagerFor      = 30 * time.Second
	eagerTimeout  = time.Second
)

// newCheckClient never reuses a connection, so that every check also shows that the instance accepts one, and follows
// no redirect: only the instance's own answer counts.
func newCheckClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// watchHealth makes all checks until the context ends and reports each change of whether all of them pass. Without
// checks a running process is healthy.
func watchHealth(ctx context.Context, client *http.Client, checks []check, ports map[string]int, report func(healthy bool)) {
	if len(checks) == 0 {
		report(true)
		return
	}
	state := &healthState{passing: make([]bool, len(checks)), report: report}
	var loops sync.WaitGroup
	for i, c := range checks {
		address := net.JoinHostPort(host, strconv.Itoa(ports[c.port]))
		loops.Go(func() { c.loop(ctx, client, "http://"+address+c.path, func(passing bool) { state.set(i, passing) }) })
	}
	loops.Wait()
}

// healthState joins the checks of one instance.
type healthState struct {
	mu      sync.Mutex
	passing []bool
	healthy bool
	report  func(bool)
}

func (h *healthState) set(i int, passing bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.passing[i] = passing
	healthy := true
	for _, p := range h.passing {
		healthy = healthy && p
	}
	if healthy != h.healthy {
		h.healthy = healthy
		h.report(healthy)
	}
}

func (c check) loop(ctx context.Context, client *http.Client, url string, set func(passing bool)) {
	started := time.Now()
	passed, failures := false, 0
	for {
		timeout := c.timeout
		eager := !passed && time.Since(started) < eagerFor
		if eager {
			timeout = min(timeout, eagerTimeout)
		}
		if c.once(ctx, client, url, timeout) {
			passed, failures = true, 0
			set(true)
		} else if failures++; failures >= c.failures {
			set(false)
		}
		pause := c.interval
		if eager && !passed {
			pause = eagerInterval
		}
		if !wait(ctx, pause) {
			return
		}
	}
}

// once makes one check; as in Consul every 2xx passes.
func (c check) once(ctx context.Context, client *http.Client, url string, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	request.Header.Set("User-Agent", "nightshift-health-check")
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // only the status counts
	return response.StatusCode/100 == 2
}

// wait reports whether the pause passed before the context ended.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
