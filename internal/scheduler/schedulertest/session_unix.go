//go:build unix

package schedulertest

import (
	"os/exec"
	"syscall"
)

// leaveSession makes a child leave its parent's session and process group, as daemons do.
func leaveSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
