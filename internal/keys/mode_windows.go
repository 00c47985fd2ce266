package keys

import "io/fs"

// othersMayUse cannot tell: on Windows the folder's access list protects the key file, and Go's permission bits say
// nothing about it.
func othersMayUse(fs.FileMode) bool { return false }

// syncFolder does nothing: Windows has no such call, and NTFS journals names.
func syncFolder(string) error { return nil }
