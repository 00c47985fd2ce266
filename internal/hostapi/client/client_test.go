package client_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/hostapi/client"
	"github.com/nightshift-functions/nightshift/internal/hostapi/hostapitest"
)

func pair(t *testing.T) (*client.Client, *hostapitest.Manager, string) {
	t.Helper()
	m := hostapitest.Start(t)
	m.Token = "good"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{BaseURL: m.URL + "/", IdentityFile: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, m, file
}

func TestAppLongPoll(t *testing.T) {
	t.Parallel()
	c, m, _ := pair(t)
	want := hostapi.App{Spec: hostapi.Spec{App: "hello", Revision: 3, Settings: map[string]string{"a": "b"}}, Live: hostapi.Live{Phase: hostapi.Standby}}
	m.SetApp(want)
	got, etag, err := c.App(t.Context(), "", 0)
	if err != nil || etag == "" {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
		t.Error(diff)
	}
	if got, same, err := c.App(t.Context(), etag, 0); err != nil || got != nil || same != etag {
		t.Errorf("unchanged: %v %q %v", got, same, err)
	}
	changed := make(chan *hostapi.App, 1)
	go func() {
		app, _, err := c.App(t.Context(), etag, 20*time.Second)
		if err != nil {
			t.Error(err)
		}
		changed <- app
	}()
	m.Update(func(a *hostapi.App) { a.Live.Phase = hostapi.Active })
	select {
	case app := <-changed:
		if app == nil || app.Live.Phase != hostapi.Active {
			t.Errorf("got %v", app)
		}
	case <-time.After(10 * time.Second):
		t.Error("the poll did not return with the change")
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	c, m, _ := pair(t)
	p := m.AddPackage([]byte("content"))
	var b bytes.Buffer
	if err := c.Package(t.Context(), p.SHA256, &b); err != nil || b.String() != "content" {
		t.Errorf("package %q %v", b.String(), err)
	}
	if err := c.Package(t.Context(), "00", &b); azfunc.CodeOf(err) != azfunc.NotFound {
		t.Errorf("unknown package: %v", err)
	}
	for what, err := range map[string]error{
		"report":      c.Report(t.Context(), hostapi.InstanceReport{InstanceID: "i"}),
		"triggers":    c.Triggers(t.Context(), hostapi.Triggers{HostID: "h"}),
		"invocations": c.Invocations(t.Context(), hostapi.InvocationBatch{Invocations: []hostapi.Invocation{{ID: "1"}}}),
		"logs":        c.Logs(t.Context(), hostapi.LogBatch{Lines: []hostapi.LogLine{{ID: "1"}}}),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if seen := m.Now(); len(seen.Reports) != 1 || len(seen.Triggers) != 1 || len(seen.Invocations) != 1 || len(seen.Logs) != 1 {
		t.Errorf("the manager saw %+v", seen)
	}
}

func TestClaimsAndLeases(t *testing.T) {
	t.Parallel()
	c, _, _ := pair(t)
	due := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if s, err := c.Schedule(t.Context(), "tick tock"); err != nil || !s.Last.IsZero() {
		t.Errorf("before: %v %v", s, err)
	}
	if err := c.Claim(t.Context(), "tick tock", hostapi.Occurrence{Due: due, InstanceID: "a"}); err != nil {
		t.Error(err)
	}
	if err := c.Claim(t.Context(), "tick tock", hostapi.Occurrence{Due: due, InstanceID: "b"}); azfunc.CodeOf(err) != azfunc.Conflict {
		t.Errorf("second claim: %v", err)
	}
	if s, err := c.Schedule(t.Context(), "tick tock"); err != nil || !s.Last.Equal(due) {
		t.Errorf("after: %v %v", s, err)
	}
	mine, theirs := hostapi.LeaseRequest{Owner: "a", TTLSeconds: 30}, hostapi.LeaseRequest{Owner: "b", TTLSeconds: 30}
	if err := c.RenewLease(t.Context(), "l/1", mine); azfunc.CodeOf(err) != azfunc.Conflict {
		t.Errorf("renewing what is not held: %v", err)
	}
	if err := c.TakeLease(t.Context(), "l/1", mine); err != nil {
		t.Error(err)
	}
	if err := c.TakeLease(t.Context(), "l/1", theirs); azfunc.CodeOf(err) != azfunc.Conflict {
		t.Errorf("taking what is held: %v", err)
	}
	if err := c.ReleaseLease(t.Context(), "l/1", "a"); err != nil {
		t.Error(err)
	}
	if err := c.TakeLease(t.Context(), "l/1", theirs); err != nil {
		t.Errorf("taking what was given back: %v", err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c, m, file := pair(t)
	m.SetDown(true)
	if err := c.Report(t.Context(), hostapi.InstanceReport{}); azfunc.CodeOf(err) != azfunc.Unavailable {
		t.Errorf("down: %v", err)
	}
	m.SetDown(false)
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Report(t.Context(), hostapi.InstanceReport{}); azfunc.CodeOf(err) != azfunc.Unauthenticated {
		t.Errorf("wrong token: %v", err)
	}
	if err := os.WriteFile(file, []byte("good"), 0o600); err != nil { // Nomad renews the file
		t.Fatal(err)
	}
	if err := c.Report(t.Context(), hostapi.InstanceReport{}); err != nil {
		t.Errorf("renewed token: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := c.Report(t.Context(), hostapi.InstanceReport{}); azfunc.CodeOf(err) != azfunc.Unauthenticated {
		t.Errorf("no token: %v", err)
	}
	away, err := client.New(client.Config{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := away.Report(t.Context(), hostapi.InstanceReport{}); azfunc.CodeOf(err) != azfunc.Unavailable {
		t.Errorf("nobody there: %v", err)
	}
	for _, base := range []string{"", "host:1", "ftp://h", "http://"} {
		if _, err := client.New(client.Config{BaseURL: base}); azfunc.CodeOf(err) != azfunc.Invalid {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, certificate(server.Certificate()), 0o600); err != nil {
		t.Fatal(err)
	}
	trusting, err := client.New(client.Config{BaseURL: server.URL, CAFile: ca})
	if err != nil {
		t.Fatal(err)
	}
	if err := trusting.Report(t.Context(), hostapi.InstanceReport{}); err != nil {
		t.Error(err)
	}
	strict, err := client.New(client.Config{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Report(t.Context(), hostapi.InstanceReport{}); err == nil {
		t.Error("an unknown certificate was trusted")
	}
	if _, err := client.New(client.Config{BaseURL: server.URL, CAFile: t.TempDir()}); err == nil {
		t.Error("a CA file that is none was taken")
	}
}

func certificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}
