//go:build !windows

package command_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/hostapi/hostapitest"
	"github.com/nightshift-functions/nightshift/internal/requesttoken"
	"github.com/nightshift-functions/nightshift/worker/channel/channeltest"
	"github.com/nightshift-functions/nightshift/worker/command"
)

func TestMain(m *testing.M) {
	channeltest.Main()
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(command.Run(os.Args[2:], os.Environ(), os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestRunWithoutAnInstance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		args, env []string
		exit      int
		out, err  string
	}{
		{"version", []string{"version"}, nil, 0, "dev\n", ""},
		{"help", []string{"--help"}, nil, 0, "Usage: worker", ""},
		{"nothing", nil, nil, 2, "", "worker:"},
		{"unknown", []string{"fly"}, nil, 2, "", "fly"},
		{"serve without an environment", []string{"serve"}, nil, 2, "", "NIGHTSHIFT_MANAGER_URL is not set"},
		{"wrong revision", []string{"serve"}, append(complete(), "NIGHTSHIFT_REVISION=x"), 2, "", "not a revision number"},
		{"wrong manager", []string{"serve"}, append(complete(), "NIGHTSHIFT_MANAGER_URL=nonsense"), 2, "", "is not a URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if exit := command.Run(c.args, c.env, &stdout, &stderr); exit != c.exit {
				t.Errorf("exit %d, want %d", exit, c.exit)
			}
			if !strings.Contains(stdout.String(), c.out) || !strings.Contains(stderr.String(), c.err) {
				t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
			}
		})
	}
}

func complete() []string {
	return []string{
		"NIGHTSHIFT_MANAGER_URL=http://127.0.0.1:1", "NIGHTSHIFT_APP=hello", "NIGHTSHIFT_INSTANCE=i", "NIGHTSHIFT_LISTEN=127.0.0.1:0",
		"NIGHTSHIFT_WORK_DIR=/tmp", "NIGHTSHIFT_LANGUAGES=/tmp",
	}
}

// serving is a worker process with its manager.
type serving struct {
	*hostapitest.Manager
	cmd    *exec.Cmd
	token  string
	stderr *bytes.Buffer
}

func serve(t *testing.T, mode string) *serving {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, content := range map[string]string{
		"host.json": `{"version":"2.0"}`, "package.json": `{"main":"app.js","dependencies":{"@azure/functions":"^4.0.0"}}`, "app.js": "//",
		"node_modules/@azure/functions/package.json": `{"version":"4.16.5"}`,
	} {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	signer := requesttoken.NewSigner(key, time.Now)
	s := &serving{Manager: hostapitest.Start(t), stderr: &bytes.Buffer{}}
	s.Token = "identity"
	s.SetApp(hostapi.App{
		Spec: hostapi.Spec{App: "hello", HostID: "hello", Package: s.AddPackage(b.Bytes()), Runtime: "node", Settings: map[string]string{"Schedule": "0 0 0 1 1 *"}},
		Live: hostapi.Live{Phase: hostapi.Active, GatewayKeys: []string{signer.PublicKey()}},
	})
	s.token, _ = signer.Token("hello")
	dir := t.TempDir()
	languages, err := channeltest.WriteConfig(filepath.Join(dir, "languages"), "node", mode, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("identity"), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.CommandContext(t.Context(), self, "worker", "serve")
	s.cmd.Stderr = s.stderr
	s.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "NOMAD_TOKEN=secret", "NIGHTSHIFT_MANAGER_URL=" + s.URL, "NIGHTSHIFT_APP=hello", "NIGHTSHIFT_REVISION=1",
		"NIGHTSHIFT_INSTANCE=i-1", "NIGHTSHIFT_IDENTITY_FILE=" + filepath.Join(dir, "token"), "NIGHTSHIFT_LISTEN=127.0.0.1:0",
		"NIGHTSHIFT_CACHE_DIR=" + filepath.Join(dir, "cache"), "NIGHTSHIFT_WORK_DIR=" + filepath.Join(dir, "work"), "NIGHTSHIFT_LANGUAGES=" + languages,
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *serving) get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(hostapi.HeaderRequestToken, s.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	raw, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(raw)
}

func TestServe(t *testing.T) {
	t.Parallel()
	s := serve(t, "good")
	r := s.AwaitState(t, hostapi.StateActive, 30*time.Second)
	if status, body := s.get(t, "http://"+r.Address+"/api/env"); status != 200 || strings.Contains(body, "NIGHTSHIFT_") || strings.Contains(body, "NOMAD_") {
		t.Errorf("%d %s", status, body)
	}
	t.Logf("resident memory: %d MB (with the test's own code)", r.RSSBytes>>20)
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, s.stderr)
	}
	if last := s.Now().Reports; last[len(last)-1].State != hostapi.StateStopped {
		t.Errorf("last state %s", last[len(last)-1].State)
	}
	if _, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.Address); err == nil {
		t.Error("the port is still open")
	}
	if err := syscall.Kill(r.LanguageWorkers[0].PID, 0); err == nil {
		t.Error("the language worker outlived the worker")
	}
}

func TestServeReportsBeforeItFails(t *testing.T) {
	t.Parallel()
	s := serve(t, "fails-in-init")
	err := s.cmd.Wait()
	if s.cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("%v\n%s", err, s.stderr)
	}
	reports := s.Now().Reports
	last := reports[len(reports)-1]
	if last.State != hostapi.StateFailed || last.LastError == nil || !last.LastError.Permanent {
		t.Errorf("last report %+v", last)
	}
}

// TestLanguageWorkerDiesWithItsWorker kills the worker in the way nobody can catch.
func TestLanguageWorkerDiesWithItsWorker(t *testing.T) {
	t.Parallel()
	s := serve(t, "good")
	pid := s.AwaitState(t, hostapi.StateActive, 30*time.Second).LanguageWorkers[0].PID
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = s.cmd.Wait()
	s.Await(t, "end of the language worker", 10*time.Second, func(hostapitest.Seen) bool {
		raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		return err != nil || strings.Contains(string(raw), ") Z ") // gone, or waiting to be reaped
	})
}
