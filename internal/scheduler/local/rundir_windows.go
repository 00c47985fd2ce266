package local

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// checkFolder has nothing to check: folders inherit who may use them from the data folder.
func checkFolder(string, fs.FileInfo, fs.FileMode) error { return nil }

// takeLock holds the lock until the file is closed or the process ends. The locked byte lies behind the content, so
// that others can read who holds it.
func takeLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock %q: %w", path, err)
	}
	behind := &windows.Overlapped{Offset: 1 << 20}
	err = windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, behind)
	if err != nil {
		holder, _ := os.ReadFile(path) // only to tell more
		_ = file.Close()               // nothing was written
		return nil, azfunc.Errorf(azfunc.Conflict, "the run folder of %q is in use by process %s; stop that manager first, or choose another data folder", path, holder)
	}
	if err := writeHolder(file); err != nil {
		_ = file.Close() // the error before matters more
		return nil, err
	}
	return file, nil
}

// checkPassable has nothing to check: there are no other accounts here.
func checkPassable(string) error { return nil }
