package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
)

func load(t testing.TB, path string) keys.Keyring {
	t.Helper()
	ring, err := keys.LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func equal(a, b keys.Keyring) bool {
	return len(a.Sealing) == 1 && len(b.Sealing) == 1 && a.Sealing[0] == b.Sealing[0] &&
		a.Gateway.Equal(b.Gateway) && a.Tokens.Equal(b.Tokens)
}

func TestKeyFileIsMadeOnceForItsOwner(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "keys.json")
	first := load(t, path)
	if !equal(first, load(t, path)) {
		t.Error("the second start has other keys")
	}
	if equal(first, load(t, path+"2")) {
		t.Error("two files have the same keys")
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 2 {
		t.Errorf("%v is left (%v)", left, err)
	}
	message := []byte("x")
	public, ok := first.Gateway.Public().(ed25519.PublicKey)
	if !ok || !ed25519.Verify(public, message, ed25519.Sign(first.Gateway, message)) {
		t.Error("the gateway key does not sign")
	}
	if _, err := first.Sealer(); err != nil {
		t.Error(err)
	}
}

// Whoever starts at the same moment gets the same keys: a replaced file would make sealed values unreadable.
func TestKeyFileRace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	rings := make(chan keys.Keyring)
	failed := make(chan error)
	const n = 8
	for range n {
		go func() {
			ring, err := keys.LoadOrCreate(path)
			if err != nil {
				failed <- err
				return
			}
			rings <- ring
		}()
	}
	var first *keys.Keyring
	for range n {
		select {
		case err := <-failed:
			t.Error(err)
		case ring := <-rings:
			if first == nil {
				first = &ring
			}
			if !equal(*first, ring) {
				t.Error("two have other keys")
			}
		}
	}
}

func TestOpenKeyFileIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("permission bits say nothing on Windows")
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	load(t, path)
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := keys.LoadOrCreate(path)
		if azfunc.CodeOf(err) != azfunc.Invalid || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

// A damaged file is refused with what to do, and stays as it is.
func TestDamagedKeyFileIsKept(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	load(t, path)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change := func(field string, value any) []byte {
		var doc map[string]any
		if err := json.Unmarshal(good, &doc); err != nil {
			t.Fatal(err)
		}
		doc[field] = value
		raw, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, damaged := range map[string][]byte{
		"empty": {}, "cut": good[:len(good)/2], "zeros": make([]byte, 500), "other JSON": []byte(`{}`), "null": []byte("null"),
		"newer version": change("version", 2), "no sealing key": change("sealing", []any{}),
		"short sealing key": change("sealing", []any{map[string]any{"id": 1, "key": "AAAA"}}),
		"no gateway key":    change("gateway", ""), "no token key": change("tokens", ""), "token key of another kind": change("tokens", "AAAA"),
	} {
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := keys.LoadOrCreate(path)
		if azfunc.CodeOf(err) != azfunc.Invalid || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %v", name, err)
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, damaged) {
			t.Errorf("%s: the file was changed (%v)", name, err)
		}
	}
}

func TestUnusableKeyFilePlace(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if _, err := keys.LoadOrCreate(folder); azfunc.CodeOf(err) != azfunc.Invalid {
		t.Errorf("a folder: %v", err)
	}
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.LoadOrCreate(filepath.Join(file, "keys.json")); azfunc.CodeOf(err) != azfunc.Unavailable || !strings.Contains(err.Error(), file) {
		t.Errorf("under a file: %v", err)
	}
}

// However a ring is printed, its keys do not show.
func TestKeyringPrintsAsStars(t *testing.T) {
	t.Parallel()
	ring := load(t, filepath.Join(t.TempDir(), "keys.json"))
	asJSON, err := json.Marshal(map[string]any{"keys": ring, "pointer": &ring})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%v %+v %#v", ring.Sealing[0], ring.Sealing, &ring.Sealing[0]); strings.Count(got, "sealing key 1 ***") != 3 || strings.Contains(got, "0x") {
		t.Errorf("a sealing key is printed as %s", got)
	}
	for _, text := range []string{fmt.Sprint(ring), fmt.Sprintf("%v %+v %#v %s", ring, &ring, ring, ring), string(asJSON)} {
		if strings.Trim(text, `* {}":,keyspointr`) != "" {
			t.Errorf("printed as %s", text)
		}
	}
}

func FuzzKeyFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "keys.json")
	load(f, path)
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"sealing":[{"id":1,"key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}],"gateway":"","tokens":"MA=="}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		ring, err := keys.LoadOrCreate(path)
		if err != nil {
			if azfunc.CodeOf(err) != azfunc.Invalid {
				t.Fatal(err)
			}
			return
		}
		if _, err := ring.Sealer(); err != nil || len(ring.Gateway) != ed25519.PrivateKeySize || ring.Tokens == nil {
			t.Fatalf("accepted a ring that cannot be used: %v", err)
		}
	})
}
