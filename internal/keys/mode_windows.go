package keys

import (
	"fmt"
	"os"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// checkMode only tells a file from a folder: on Windows the folder's access list protects the key file, and Go's
// permission bits say nothing about it.
func checkMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look at the key file: %w", err)
	}
	if info.IsDir() {
		return azfunc.Errorf(azfunc.Invalid, "the key file %s is a folder; name a file", path)
	}
	return nil
}

// syncFolder does nothing: Windows has no such call, and NTFS journals names.
func syncFolder(string) error { return nil }
