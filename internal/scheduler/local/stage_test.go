package local_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler/local"
)

func write(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), mode), os.Chmod(path, mode))
	if err != nil {
		t.Fatal(err)
	}
}

// tree returns the files of a folder with content and mode.
func tree(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if target, err := os.Readlink(path); err == nil {
			files[name] = "-> " + target
			return nil
		}
		content, err := os.ReadFile(path)
		info, infoErr := entry.Info()
		if err = errors.Join(err, infoErr); err == nil {
			files[name] = info.Mode().Perm().String() + " " + string(content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestStage(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes and links are those of Unix here")
	}
	source := t.TempDir()
	from := local.Files{Worker: filepath.Join(source, "worker"), Languages: filepath.Join(source, "langs")}
	write(t, from.Worker, "binary", 0o700)
	write(t, filepath.Join(from.Languages, "node", "worker.config.json"), "{}", 0o600)
	write(t, filepath.Join(from.Languages, "node", "run.sh"), "#!", 0o700)
	if err := os.Symlink("run.sh", filepath.Join(from.Languages, "node", "link")); err != nil {
		t.Fatal(err)
	}
	s := start(t, local.Config{})
	staged, err := s.Stage(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	stage := filepath.Dir(staged.Worker)
	want := map[string]string{
		"worker":                            "-rwxr-xr-x binary",
		"languages/node/worker.config.json": "-rw-r--r-- {}",
		"languages/node/run.sh":             "-rwxr-xr-x #!",
		"languages/node/link":               "-> run.sh",
	}
	if diff := cmp.Diff(want, tree(t, stage)); diff != "" {
		t.Errorf("staged files (-want +got):\n%s", diff)
	}
	before, err := os.Stat(staged.Worker)
	if err != nil {
		t.Fatal(err)
	}

	write(t, filepath.Join(from.Languages, "python", "worker.py"), "pass", 0o600)
	write(t, filepath.Join(from.Languages, "node", "worker.config.json"), "[]", 0o600)
	later := time.Now().Add(time.Hour)
	err = errors.Join(
		os.Chtimes(filepath.Join(from.Languages, "node", "worker.config.json"), later, later),
		os.Remove(filepath.Join(from.Languages, "node", "link")),
		os.Remove(filepath.Join(from.Languages, "node", "run.sh")))
	if err != nil {
		t.Fatal(err)
	}
	if staged, err = s.Stage(t.Context(), from); err != nil {
		t.Fatal(err)
	}
	want = map[string]string{
		"worker":                            "-rwxr-xr-x binary",
		"languages/node/worker.config.json": "-rw-r--r-- []",
		"languages/python/worker.py":        "-rw-r--r-- pass",
	}
	if diff := cmp.Diff(want, tree(t, stage)); diff != "" {
		t.Errorf("files staged again (-want +got):\n%s", diff)
	}
	after, err := os.Stat(staged.Worker)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("an unchanged binary was copied again: %v", err)
	}
}

func TestStageRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, from *local.Files){
		"no worker":    func(_ *testing.T, from *local.Files) { from.Worker += "x" },
		"no languages": func(_ *testing.T, from *local.Files) { from.Languages += "x" },
		"link that leads out": func(t *testing.T, from *local.Files) {
			t.Helper()
			if err := os.Symlink("../../etc/passwd", filepath.Join(from.Languages, "link")); err != nil {
				t.Fatal(err)
			}
		},
		"absolute link": func(t *testing.T, from *local.Files) {
			t.Helper()
			if err := os.Symlink("/etc/passwd", filepath.Join(from.Languages, "link")); err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := t.TempDir()
			from := local.Files{Worker: filepath.Join(source, "worker"), Languages: filepath.Join(source, "langs")}
			write(t, from.Worker, "binary", 0o700)
			write(t, filepath.Join(from.Languages, "node.json"), "{}", 0o600)
			spoil(t, &from)
			if _, err := start(t, local.Config{}).Stage(t.Context(), from); azfunc.CodeOf(err) != azfunc.Invalid {
				t.Errorf("Stage: %v, want Invalid", err)
			}
		})
	}
}
