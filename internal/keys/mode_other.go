//go:build !windows

package keys

import (
	"errors"
	"io/fs"
	"os"
)

// othersMayUse reports that anybody but the owner may read, write or run the file.
func othersMayUse(mode fs.FileMode) bool { return mode&0o077 != 0 }

// syncFolder makes a new name in a folder survive a loss of power.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
