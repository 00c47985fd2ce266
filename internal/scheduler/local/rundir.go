package local

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// runDir is the folder in which instances live:
//
//	lock               held by the one scheduler that uses the folder; holds its process number
//	allocs/<id>/       an instance's folders, of its account (instancedir.go); gone with the instance
//	logs/<id>/         its logs, of the manager's account, so that no app can lead the manager's writes elsewhere
//	stage/             the worker's binary and the languages, readable for every account
type runDir struct {
	path string
	lock *os.File
}

const (
	runDirMode  = 0o711 // accounts of apps pass through, and list nothing
	privateMode = 0o700
)

func (d *runDir) allocs() string          { return filepath.Join(d.path, "allocs") }
func (d *runDir) alloc(id string) string  { return filepath.Join(d.allocs(), id) }
func (d *runDir) logs() string            { return filepath.Join(d.path, "logs") }
func (d *runDir) logsOf(id string) string { return filepath.Join(d.logs(), id) }
func (d *runDir) stage() string           { return filepath.Join(d.path, "stage") }

// openRunDir makes or checks the folder, takes its lock, and removes what a former run left except the logs of its
// last instances.
func openRunDir(path string, keepLogs int) (*runDir, error) {
	if err := makeFolder(path, runDirMode); err != nil {
		return nil, err
	}
	lock, err := takeLock(filepath.Join(path, "lock"))
	if err != nil {
		return nil, err
	}
	d := &runDir{path: path, lock: lock}
	if err := d.prepare(keepLogs); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *runDir) prepare(keepLogs int) error {
	for path, mode := range map[string]fs.FileMode{d.allocs(): runDirMode, d.stage(): runDirMode, d.logs(): privateMode} {
		if err := makeFolder(path, mode); err != nil {
			return err
		}
	}
	stale, err := os.ReadDir(d.allocs())
	if err != nil {
		return fmt.Errorf("list stale instances in %q: %w", d.allocs(), err)
	}
	for _, entry := range stale {
		if err := os.RemoveAll(d.alloc(entry.Name())); err != nil {
			return fmt.Errorf("remove stale instance %q: %w", entry.Name(), err)
		}
	}
	return d.trimLogs(keepLogs)
}

// trimLogs removes all but the newest logs.
func (d *runDir) trimLogs(keep int) error {
	entries, err := os.ReadDir(d.logs())
	if err != nil {
		return fmt.Errorf("list logs in %q: %w", d.logs(), err)
	}
	written := map[string]time.Time{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("look at logs %q: %w", entry.Name(), err)
		}
		written[entry.Name()] = info.ModTime()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return cmp.Or(written[b.Name()].Compare(written[a.Name()]), strings.Compare(a.Name(), b.Name()))
	})
	for _, entry := range entries[min(keep, len(entries)):] {
		if err := os.RemoveAll(d.logsOf(entry.Name())); err != nil {
			return fmt.Errorf("remove old logs %q: %w", entry.Name(), err)
		}
	}
	return nil
}

// hasLogs reports whether logs of an instance are on disk, also of a former run.
func (d *runDir) hasLogs(id string) bool {
	if uuid.Validate(id) != nil { // an id from outside never becomes a path of its own choice
		return false
	}
	info, err := os.Stat(d.logsOf(id))
	return err == nil && info.IsDir()
}

func (d *runDir) close() error {
	if err := d.lock.Close(); err != nil {
		return fmt.Errorf("give back the lock of run folder %q: %w", d.path, err)
	}
	return nil
}

// makeFolder makes a folder of that mode, or checks the one that is there: under /var/tmp anybody could have made it
// before us, or a link in its place.
func makeFolder(path string, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), privateMode); err != nil {
		return fmt.Errorf("make the folder above %q: %w", path, err)
	}
	err := os.Mkdir(path, mode)
	switch {
	case err == nil: // the umask may have taken bits away
		if err := os.Chmod(path, mode); err != nil {
			return fmt.Errorf("set the mode of folder %q: %w", path, err)
		}
		return nil
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("make folder %q: %w", path, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return fmt.Errorf("look at folder %q: %w", path, err)
	}
	if !info.IsDir() {
		return azfunc.Errorf(azfunc.Invalid, "%q is not a folder (a link is none); remove it, or choose another run folder", path)
	}
	return checkFolder(path, info, mode)
}

// writeHolder puts our process number into the lock file.
func writeHolder(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return fmt.Errorf("empty the lock %q: %w", file.Name(), err)
	}
	if _, err := file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0); err != nil {
		return fmt.Errorf("write the lock %q: %w", file.Name(), err)
	}
	return nil
}
