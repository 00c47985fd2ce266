package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestLostPassword: whoever has the data folder gives the administrator a new password, while the manager is stopped.
func TestLostPassword(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	m := start(t, data)
	m.signIn()
	if out := fails(t, nil, "user", "password", "admin", "--data", data); !strings.Contains(out, "in use by process") {
		t.Errorf("the error does not say that the manager runs: %s", out)
	}
	m.stop()
	out, err := exec.CommandContext(t.Context(), filepath.Join(programs, "manager"), "user", "password", "admin", "--data", data).Output()
	if err != nil {
		t.Fatal(err)
	}
	password, _, _ := strings.Cut(string(out), "\n")
	if err := os.WriteFile(filepath.Join(data, "admin-password"), []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	again := start(t, data)
	again.signIn()
}
