package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// samples prepares the sample apps as make does.
func samples(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "samples")
	build := exec.CommandContext(t.Context(), "../../tools/samples.sh", out, runtime.GOOS, runtime.GOARCH)
	build.Dir = "../.."
	build.Path, _ = filepath.Abs("../../tools/samples.sh")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("prepare the samples: %v\n%s", err, text)
	}
	return out
}

func TestSamples(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	folder := samples(t)
	m := start(t, data, "--samples", folder)
	eventually(t, "the samples are published", time.Minute, func() error { return printed(m, "Try:") })
	if strings.Contains(m.output.String(), "SKIPPED") {
		t.Fatal("a sample was skipped")
	}
	checkSamples(t, m)
	for _, line := range curlLines(m) {
		if text, err := exec.CommandContext(t.Context(), "bash", "-c", line+" -sS --fail").CombinedOutput(); err != nil {
			t.Errorf("the printed line does not work: %s: %v\n%s", line, err, text)
		}
	}

	m.stop()
	m.output = &syncBuffer{}
	again := start(t, data, "--samples", folder)
	eventually(t, "the samples are looked at again", time.Minute, func() error { return printed(again, "Try:") })
	if strings.Contains(again.output.String(), "publishing") {
		t.Errorf("what is live already was published again:\n%s", again.output)
	}
	checkSamples(t, again)
}

func printed(m *manager, text string) error {
	if !strings.Contains(m.output.String(), text) {
		return os.ErrNotExist
	}
	return nil
}

func curlLines(m *manager) []string {
	return regexp.MustCompile(`(?m)^  (curl .*)$`).FindAllString(m.output.String(), -1)
}

func checkSamples(t *testing.T, m *manager) {
	t.Helper()
	for _, path := range []string{"/api/hello?name=Ada", "/api/items/7", "/api/greet/Ada"} {
		m.until(map[bool]string{true: "go-handler", false: "node-hello"}[strings.Contains(path, "greet")], path, "")
	}
	m.wantAnswer("node-hello", "/api/hello?name=Ada", http.StatusOK, "Hello, Ada!")
	m.wantAnswer("node-hello", "/api/items/42", http.StatusOK, `"id":42`)
	m.wantAnswer("node-hello", "/api/items/abc", http.StatusNotFound, "")
	m.wantAnswer("node-hello", "/api/nothing", http.StatusNotFound, "")
	m.wantAnswer("node-hello", "/api/secret", http.StatusUnauthorized, "")
	m.wantAnswer("node-hello", "/api/secret?code=wrong", http.StatusUnauthorized, "")
	m.wantAnswer("go-handler", "/api/greet/Ada", http.StatusOK, "Hello, Ada, from Go!")

	status, body, err := m.send(http.MethodPost, m.app("node-hello", "/api/orders"), `{"items":[{"price":2.5,"count":4}]}`, nil)
	if err != nil || status != http.StatusCreated || !strings.Contains(body, `"total":10`) {
		t.Errorf("order: %d %q %v", status, body, err)
	}
	_, keys := m.arm(http.MethodPost, "node-hello/functions/secret/listkeys", nil)
	key, _ := keys["default"].(string)
	m.wantAnswer("node-hello", "/api/secret?code="+key, http.StatusOK, "the cake is real")
	status, body, err = m.send(http.MethodGet, m.app("node-hello", "/api/secret"), "", http.Header{"X-Functions-Key": {key}})
	if err != nil || status != http.StatusOK {
		t.Errorf("key in the header: %d %q %v", status, body, err)
	}
}

func TestFunctionsAreListed(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir(), "--samples", samples(t))
	eventually(t, "the samples are published", time.Minute, func() error { return printed(m, "Try:") })
	_, answer := m.arm(http.MethodGet, "node-hello/functions", nil)
	raw, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"node-hello/hello", "node-hello/item", "node-hello/order", "node-hello/secret", "node-hello/tick", "timerTrigger", "0 * * * * *"} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("the list of functions lacks %q: %s", want, raw)
		}
	}
}

// TestSampleWithoutItsRuntimeIsSkippedLoudly: the others run.
func TestSampleWithoutItsRuntimeIsSkippedLoudly(t *testing.T) {
	t.Parallel()
	m := startWith(t, t.TempDir(), []string{"PATH=" + t.TempDir(), "HOME=" + t.TempDir()}, "--samples", samples(t))
	eventually(t, "the samples are published", time.Minute, func() error { return printed(m, "Try:") })
	for _, want := range []string{"SKIPPED node-hello", "install Node.js 20 or newer"} {
		if err := printed(m, want); err != nil {
			t.Errorf("the output does not say %q:\n%s", want, m.output)
		}
	}
	m.wantAnswer("go-handler", "/api/greet/Ada", http.StatusOK, "Hello, Ada, from Go!")
	if lines := strings.Join(curlLines(m), "\n"); strings.Contains(lines, "node-hello") {
		t.Errorf("calls of the skipped sample are printed:\n%s", lines)
	}
}
