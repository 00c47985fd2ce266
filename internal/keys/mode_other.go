//go:build !windows

package keys

import (
	"errors"
	"fmt"
	"os"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// checkMode refuses a key file that anybody but its owner may read or write.
func checkMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the key file: %w", err)
	}
	if info.IsDir() {
		return azfunc.Errorf(azfunc.Invalid, "the key file %s is a folder; name a file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return azfunc.Errorf(azfunc.Invalid, "the key file %s may be read by others (mode %04o); run: chmod 600 %s", path, mode, path)
	}
	return nil
}

// syncFolder makes a new name in a folder survive a loss of power.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
