package process

import (
	"os/exec"
	"syscall"
)

// isolate gives the program a process group of its own and lets the kernel kill it when the worker dies.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
