package hostapi

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	maxHostID  = 32
	hostIDHash = 12 // hex digits
)

// HostID is an app's host id as Azure derives it: the app's name in lower case, at most 32 characters, no hyphen at an
// end or next to another. Azure cuts long names, so that two apps may share locks and timers; here a name that would be
// cut keeps its beginning and ends in a hash of the whole. A short name that looks like such a result is hashed too,
// so that nobody can choose a name that has another app's id.
func HostID(app string) string {
	name := strings.ToLower(app)
	if len(name) <= maxHostID && !strings.Contains(name, "--") && !looksHashed(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	head := name[:min(len(name), maxHostID-hostIDHash-1)]
	for strings.Contains(head, "--") {
		head = strings.ReplaceAll(head, "--", "-")
	}
	return strings.TrimRight(head, "-") + "-" + hex.EncodeToString(sum[:])[:hostIDHash]
}

func looksHashed(name string) bool {
	i := strings.LastIndexByte(name, '-')
	tail := name[i+1:]
	return i >= 0 && len(tail) == hostIDHash && strings.Trim(tail, "0123456789abcdef") == ""
}
