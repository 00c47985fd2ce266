package e2e_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRefusedPackages: what cannot run is refused when it is published, with a sentence that a person can act on, and
// what served before goes on.
func TestRefusedPackages(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir())
	publisher := m.createApp("picky", nodeSettings())
	m.mustPublish("picky", nodeApp(t, "good"), publisher)

	host := `{"version":"2.0"}`
	for name, c := range map[string]struct {
		content string
		want    []string
	}{
		"no zip":           {"hello", []string{"not a zip"}},
		"no bytes":         {"", []string{"empty"}},
		"no entries":       {zipOf(t, nil), []string{"empty"}},
		"path outside":     {zipOf(t, map[string]string{"host.json": host, "../evil.js": "x"}), []string{"../evil.js"}},
		"absolute path":    {zipOf(t, map[string]string{"host.json": host, "/etc/evil": "x"}), []string{"/etc/evil"}},
		"the folder":       {zipOf(t, map[string]string{"app/host.json": host, "app/package.json": `{"main":"i.js"}`, "app/i.js": ""}), []string{"folder", "content"}},
		"broken host.json": {zipOf(t, map[string]string{"host.json": "{\n  version: 2}", "package.json": `{"main":"i.js"}`, "i.js": ""}), []string{"host.json", "line 2"}},
		"C# source":        {zipOf(t, map[string]string{"host.json": host, "app.csproj": "<Project/>", "Program.cs": "x"}), []string{"dotnet publish"}},
		"nothing to run":   {zipOf(t, map[string]string{"host.json": host, "readme.txt": "x"}), []string{"function"}},
	} {
		status, body := m.publish("picky", c.content, publisher)
		if status != http.StatusBadRequest {
			t.Errorf("%s: want 400, got %d %s", name, status, body)
		}
		for _, want := range c.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the answer does not say %q: %s", name, want, body)
			}
		}
	}
	m.wantAnswer("picky", "/api/version", http.StatusOK, "good")
}

func TestRefusedRuntimes(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir())
	for runtime, want := range map[string]string{"dotnet": "isolated", "cobol": "cobol", "java": "java"} {
		publisher := m.createApp("app-"+runtime, map[string]string{"FUNCTIONS_WORKER_RUNTIME": "node"})
		settings := map[string]any{"properties": map[string]string{"FUNCTIONS_WORKER_RUNTIME": runtime}}
		status, answer := m.arm(http.MethodPut, "app-"+runtime+"/config/appsettings", settings)
		if status == http.StatusOK {
			content := zipOf(t, map[string]string{"host.json": `{"version":"2.0"}`, "f/function.json": `{"bindings":[{"type":"httpTrigger","name":"r","direction":"in"}]}`, "f/run.txt": ""})
			var body string
			status, body = m.publish("app-"+runtime, content, publisher)
			answer = map[string]any{"body": body}
		}
		text := strings.ToLower(toText(answer))
		if status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", runtime, status, text)
		}
	}
}

func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir())
	publisher := m.createApp("mine", nodeSettings())
	other := m.createApp("other", nodeSettings())
	wrong := (&http.Request{Header: http.Header{}})
	wrong.SetBasicAuth("$mine", "wrong")
	nobody := (&http.Request{Header: http.Header{}})
	nobody.SetBasicAuth("$nothere", "wrong")
	for name, c := range map[string]struct {
		app    string
		header http.Header
	}{
		"wrong password": {"mine", wrong.Header}, "unknown app": {"nothere", nobody.Header}, "no credentials": {"mine", http.Header{}},
		"another app's": {"mine", other},
	} {
		if status, body := m.publish(c.app, nodeApp(t, "x"), c.header); status != http.StatusUnauthorized && status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	status, body, err := m.get(m.addresses.AppHTTP + "/nothere/api/x")
	if err != nil || status != http.StatusNotFound || !strings.Contains(body, "nothere") {
		t.Errorf("unknown app at the gateway: %d %q %v", status, body, err)
	}
	status, body, err = m.get(m.app("mine", "/api/x"))
	if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, "published") {
		t.Errorf("app without content: %d %q %v", status, body, err)
	}
	_ = publisher
}

// TestFunctionsThatDoNotRun: one function with a trigger that this release lacks and one without a trigger are named;
// the third runs.
func TestFunctionsThatDoNotRun(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir())
	publisher := m.createApp("mixed", nodeSettings())
	content := zipOf(t, map[string]string{
		"host.json":                 `{"version":"2.0"}`,
		"runs/function.json":        `{"bindings":[{"type":"httpTrigger","name":"req","direction":"in","authLevel":"anonymous"},{"type":"http","name":"res","direction":"out"}]}`,
		"runs/index.js":             `module.exports = async (context) => { context.res = { body: 'it runs' }; };`,
		"queued/function.json":      `{"bindings":[{"type":"queueTrigger","name":"msg","direction":"in","queueName":"q","connection":"X"}]}`,
		"queued/index.js":           `module.exports = async () => {};`,
		"triggerless/function.json": `{"bindings":[{"type":"http","name":"res","direction":"out"}]}`,
		"triggerless/index.js":      `module.exports = async () => {};`,
	})
	m.mustPublish("mixed", content, publisher)
	m.wantAnswer("mixed", "/api/runs", http.StatusOK, "it runs")
	log := m.deploymentLog("mixed", publisher)
	for _, want := range []string{"queued", "queueTrigger", "triggerless", "trigger"} {
		if !strings.Contains(log, want) {
			t.Errorf("the deployment's log does not name %q:\n%s", want, log)
		}
	}
}

// fails runs the manager and returns what it says before it ends.
func fails(t *testing.T, env []string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(programs, "manager"), args...)
	if env != nil {
		c.Env = env
	}
	timer := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	out, err := c.CombinedOutput()
	if err == nil {
		t.Errorf("%v did not fail: %s", args, out)
	}
	return string(out)
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	out := fails(t, nil, serveArgs(t, t.TempDir(), "--app-http-addr", l.Addr().String())...)
	for _, want := range []string{l.Addr().String(), "--app-http-addr"} {
		if !strings.Contains(out, want) {
			t.Errorf("the error does not say %q: %s", want, out)
		}
	}
}

func TestDataFolderThatCannotBe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out := fails(t, nil, serveArgs(t, filepath.Join(file, "data"))...)
	if !strings.Contains(out, "data folder") || !strings.Contains(out, "--data") {
		t.Errorf("the error names neither the data folder nor the flag: %s", out)
	}
}

func TestTwoManagersOnOneFolder(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	m := start(t, data)
	out := fails(t, nil, serveArgs(t, data)...)
	if !strings.Contains(out, "nightshift.db") {
		t.Errorf("the error does not name the database: %s", out)
	}
	if err := m.ready(); err != nil {
		t.Errorf("the first manager was hurt: %v", err)
	}
}

// TestNodeMissingOrTooOld: the package is refused and says which Node is there.
func TestNodeMissingOrTooOld(t *testing.T) {
	t.Parallel()
	old := t.TempDir()
	if err := os.WriteFile(filepath.Join(old, "node"), []byte("#!/bin/sh\necho v16.20.2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{t.TempDir(): "node", old: "16.20.2"} {
		m := startWith(t, t.TempDir(), []string{"PATH=" + path, "HOME=" + t.TempDir()})
		publisher := m.createApp("app", nodeSettings())
		status, body := m.publish("app", nodeApp(t, "x"), publisher)
		if status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("want 400 that names %q: %d %s", want, status, body)
		}
	}
}
