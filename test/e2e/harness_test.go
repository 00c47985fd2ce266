package e2e_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// programs is where TestMain built manager and worker.
var programs string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nightshift-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { // apps run under accounts of their own
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../../manager", "../../worker")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build manager and worker:", err)
		return 1
	}
	programs = dir
	return m.Run()
}

// manager is one running manager process.
type manager struct {
	t         *testing.T
	cmd       *exec.Cmd
	data      string
	addresses struct {
		HTTP, HTTPS, AppHTTP, AppHTTPS, Link, DataDir, PasswordFile string
	}
	token  string
	output *syncBuffer
	exited chan struct{}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// eventually waits for a condition; the deadline only bounds a failing test.
func eventually(t *testing.T, what string, within time.Duration, cond func() error) {
	t.Helper()
	deadline := time.After(within)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: still not so after %s: %v", what, within, err)
		}
	}
}

func languages(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../languages")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func serveArgs(t *testing.T, data string, extra ...string) []string {
	t.Helper()
	free := "127.0.0.1:0"
	return append([]string{"serve", "--data", data, "--http-addr", free, "--https-addr", free, "--app-http-addr", free,
		"--app-https-addr", free, "--link-addr", free, "--languages", languages(t), "--log-level", "debug"}, extra...)
}

// start runs a manager on a data folder and waits until it is ready; the test's end stops it.
func start(t *testing.T, data string, extra ...string) *manager {
	t.Helper()
	return startWith(t, data, nil, extra...)
}

// startWith is start with an environment of the manager's own.
func startWith(t *testing.T, data string, env []string, extra ...string) *manager {
	t.Helper()
	m := &manager{t: t, data: data, output: &syncBuffer{}, exited: make(chan struct{})}
	m.cmd = exec.Command(filepath.Join(programs, "manager"), serveArgs(t, data, extra...)...)
	m.cmd.Stdout, m.cmd.Stderr, m.cmd.Env = m.output, m.output, env
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = m.cmd.Wait(); close(m.exited) }()
	t.Cleanup(func() {
		m.stop()
		if t.Failed() {
			t.Logf("manager's output:\n%s", m.output)
			if log, err := os.ReadFile(filepath.Join(data, "logs", "manager.log")); err == nil {
				t.Logf("manager's log:\n%s", tail(log, 4000))
			}
		}
	})
	eventually(t, "manager ready", time.Minute, m.ready)
	return m
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

func (m *manager) ready() error {
	select {
	case <-m.exited:
		m.t.Fatalf("the manager ended:\n%s", m.output)
	default:
	}
	raw, err := os.ReadFile(filepath.Join(m.data, "addresses.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &m.addresses); err != nil {
		return err
	}
	status, body, err := m.get(m.addresses.HTTP + "/readyz")
	if err != nil || status != http.StatusOK {
		return fmt.Errorf("readyz: %d %s %w", status, body, errors.Join(err))
	}
	return nil
}

// stop ends the manager as Ctrl-C does and waits for it.
func (m *manager) stop() {
	_ = m.cmd.Process.Signal(os.Interrupt)
	select {
	case <-m.exited:
	case <-time.After(time.Minute):
		m.t.Errorf("the manager did not stop within a minute of an interrupt")
		_ = m.cmd.Process.Kill()
		<-m.exited
	}
}

func (m *manager) kill9() {
	_ = m.cmd.Process.Kill()
	<-m.exited
	_ = os.Remove(filepath.Join(m.data, "addresses.json"))
}

func (m *manager) get(target string) (int, string, error) {
	return m.send(http.MethodGet, target, "", nil)
}

func (m *manager) send(method, target, body string, header http.Header) (int, string, error) {
	req, err := http.NewRequestWithContext(m.t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	return res.StatusCode, string(out), err
}

// app is the path-form address of an app.
func (m *manager) app(name, path string) string { return m.addresses.AppHTTP + "/" + name + path }

func (m *manager) signIn() {
	m.t.Helper()
	password, err := os.ReadFile(m.addresses.PasswordFile)
	if err != nil {
		m.t.Fatal(err)
	}
	form := url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {strings.TrimSpace(string(password))}, "client_id": {"nightshift"}}
	status, body, err := m.send(http.MethodPost, m.addresses.HTTP+"/adfs/oauth2/token", form.Encode(),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	if err != nil || status != http.StatusOK {
		m.t.Fatalf("sign in: %d %s %v", status, body, err)
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		m.t.Fatal(err)
	}
	m.token = answer.AccessToken
}

// arm calls the management API; path is below the default resource group's sites.
func (m *manager) arm(method, path string, in any) (int, map[string]any) {
	m.t.Helper()
	if m.token == "" {
		m.signIn()
	}
	body := ""
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			m.t.Fatal(err)
		}
		body = string(raw)
	}
	target := m.addresses.HTTP + groupID + "/providers/Microsoft.Web/sites/" + path + "?api-version=2024-11-01"
	status, answer, err := m.send(method, target, body, http.Header{"Authorization": {"Bearer " + m.token}, "Content-Type": {"application/json"}})
	if err != nil {
		m.t.Fatal(err)
	}
	out := map[string]any{}
	_ = json.Unmarshal([]byte(answer), &out)
	return status, out
}

const groupID = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/default"

// createApp makes an app and returns its publishing credentials as a Basic header.
func (m *manager) createApp(name string, settings map[string]string) http.Header {
	m.t.Helper()
	list := []map[string]string{}
	for k, v := range settings {
		list = append(list, map[string]string{"name": k, "value": v})
	}
	status, answer := m.arm(http.MethodPut, name, map[string]any{"location": "local", "kind": "functionapp",
		"properties": map[string]any{"siteConfig": map[string]any{"appSettings": list}}})
	if status != http.StatusOK {
		m.t.Fatalf("create app %s: %d %v", name, status, answer)
	}
	return m.publisher(name)
}

func (m *manager) publisher(name string) http.Header {
	m.t.Helper()
	status, answer := m.arm(http.MethodPost, name+"/config/publishingcredentials/list", nil)
	props, ok := answer["properties"].(map[string]any)
	if status != http.StatusOK || !ok {
		m.t.Fatalf("publishing credentials of %s: %d %v", name, status, answer)
	}
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(props["publishingUserName"].(string), props["publishingPassword"].(string))
	return req.Header
}

// zipOf packs files; a name ending in "*" is executable.
func zipOf(t *testing.T, files map[string]string) string {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for name, content := range files {
		h := &zip.FileHeader{Name: strings.TrimSuffix(name, "*"), Method: zip.Deflate}
		h.SetMode(0o644)
		if strings.HasSuffix(name, "*") {
			h.SetMode(0o755)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}

// publish sends a zip synchronously and returns the status and the body.
func (m *manager) publish(name, content string, publisher http.Header) (int, string) {
	m.t.Helper()
	h := publisher.Clone()
	h.Set("Content-Type", "application/zip")
	status, body, err := m.send(http.MethodPost, m.addresses.HTTP+"/scm/"+name+"/api/zipdeploy", content, h)
	if err != nil {
		m.t.Fatal(err)
	}
	return status, body
}

func (m *manager) mustPublish(name, content string, publisher http.Header) {
	m.t.Helper()
	if status, body := m.publish(name, content, publisher); status != http.StatusOK {
		m.t.Fatalf("publish %s: %d %s\n%s", name, status, body, m.deploymentLog(name, publisher))
	}
}

func (m *manager) deploymentLog(name string, publisher http.Header) string {
	_, body, err := m.send(http.MethodGet, m.addresses.HTTP+"/scm/"+name+"/api/deployments/latest", "", publisher)
	if err != nil {
		return err.Error()
	}
	var d struct {
		ID string `json:"id"`
	}
	if json.Unmarshal([]byte(body), &d) != nil {
		return body
	}
	_, log, err := m.send(http.MethodGet, m.addresses.HTTP+"/scm/"+name+"/api/deployments/"+d.ID+"/log", "", publisher)
	if err != nil {
		return err.Error()
	}
	return body + "\n" + log
}

// nodeApp is a v4 app with one function "version" that answers with the text and the setting COLOUR.
func nodeApp(t *testing.T, version string, extra ...string) string {
	t.Helper()
	return zipOf(t, map[string]string{
		"host.json":    `{"version":"2.0"}`,
		"package.json": `{"name":"app","main":"index.js"}`,
		"index.js": `const { app } = require('@azure/functions');
` + strings.Join(extra, "\n") + `
app.http('version', { authLevel: 'anonymous', handler: async () => ({ body: '` + version + ` ' + (process.env.COLOUR ?? '') }) });
app.http('pid', { authLevel: 'anonymous', handler: async () => ({ body: String(process.pid) }) });
`})
}

func nodeSettings(extra ...string) map[string]string {
	s := map[string]string{"FUNCTIONS_WORKER_RUNTIME": "node"}
	for i := 0; i+1 < len(extra); i += 2 {
		s[extra[i]] = extra[i+1]
	}
	return s
}

func (m *manager) wantAnswer(name, path string, status int, body string) {
	m.t.Helper()
	got, text, err := m.get(m.app(name, path))
	if err != nil || got != status || !strings.Contains(text, body) {
		m.t.Errorf("%s%s: want %d %q, got %d %q %v", name, path, status, body, got, text, err)
	}
}

// until waits for an answer.
func (m *manager) until(name, path, body string) {
	m.t.Helper()
	eventually(m.t, name+path+" answers "+body, time.Minute, func() error {
		got, text, err := m.get(m.app(name, path))
		if err != nil || got != http.StatusOK || !strings.Contains(text, body) {
			return fmt.Errorf("%d %q %w", got, text, errors.Join(err))
		}
		return nil
	})
}

func toText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
