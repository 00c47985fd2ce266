package schedulertest

import (
	"os/exec"
	"syscall"
)

// leaveSession makes a child leave its parent's console process group.
func leaveSession(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
