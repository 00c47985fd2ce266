//go:build unix

package local

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

func checkFolder(path string, info fs.FileInfo, mode fs.FileMode) error {
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return azfunc.Errorf(azfunc.Forbidden, "folder %q belongs to account %d, not to ours (%d); remove it, or choose another run folder", path, owner, os.Geteuid())
	}
	if info.Mode().Perm() != mode {
		return azfunc.Errorf(azfunc.Forbidden, "folder %q has mode %#o and should have %#o; see who changed it, then remove it or change it back", path, info.Mode().Perm(), mode)
	}
	return nil
}

// takeLock holds the lock until the file is closed or the process ends.
func takeLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock %q: %w", path, err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path) // only to tell more
		_ = file.Close()               // nothing was written
		return nil, azfunc.Errorf(azfunc.Conflict, "the run folder of %q is in use by process %s; stop that manager first, or choose another data folder", path, strings.TrimSpace(string(holder)))
	}
	if err := writeHolder(file); err != nil {
		_ = file.Close() // the error before matters more
		return nil, err
	}
	return file, nil
}

// checkPassable finds the folder on the way to path that other accounts cannot pass.
func checkPassable(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at folder %q: %w", dir, err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return azfunc.Errorf(azfunc.Invalid, "the accounts of apps cannot pass through folder %q; choose a run folder elsewhere", dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
