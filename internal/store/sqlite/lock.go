package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// errLocked is what lockFile returns when another process has the lock.
var errLocked = errors.New("locked by another process")

// takeLock makes this process the only one that uses the database. The operating system gives the lock back when the
// process ends, however it ends; the file itself stays, because removing it would let a third process lock another
// file of the same name. It holds the owner's process id for the error of the next one.
func takeLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, notWritable(path, err)
	}
	err = lockFile(file)
	if errors.Is(err, errLocked) {
		pid := owner(file)
		return nil, errors.Join(azfunc.Errorf(azfunc.Conflict, "the database %s is in use by process %s; one manager process uses it at a time: stop that one first, or choose another data folder",
			strings.TrimSuffix(path, ".lock"), pid), file.Close())
	}
	if err == nil {
		err = writeOwner(file)
	}
	if err != nil {
		return nil, errors.Join(azfunc.Errorf(azfunc.Unavailable, "lock the database with %s: %w; the data folder needs a file system with locks", path, err), file.Close())
	}
	return file, nil
}

func writeOwner(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// owner reads the process id of who has the lock; it may not have written it yet.
func owner(file *os.File) string {
	raw, err := io.ReadAll(io.LimitReader(file, 32))
	pid := strings.TrimSpace(string(raw))
	if err != nil || pid == "" {
		return "(unknown)"
	}
	return pid
}
