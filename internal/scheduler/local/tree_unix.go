//go:build unix

package local

import (
	"os"
	"syscall"
)

// tree reaches a process and its descendants by their process group; in a PID namespace the kernel takes those that
// left the group when the first process ends.
type tree struct{}

// interrupt asks the first process only: it knows how to end its own children in good order.
func (tree) interrupt(process *os.Process) {
	_ = process.Signal(syscall.SIGTERM) // fails only when it has ended
}

func (tree) kill(process *os.Process) {
	_ = syscall.Kill(-process.Pid, syscall.SIGKILL) // fails only when nothing of the group is left
}

func (tree) close() {}

func exitOf(state *os.ProcessState) exit {
	status, ok := state.Sys().(syscall.WaitStatus)
	if ok && status.Signaled() {
		return exit{code: 128 + int(status.Signal()), signal: signalName(status.Signal())}
	}
	return exit{code: state.ExitCode()}
}

func signalName(signal syscall.Signal) string {
	switch signal {
	case syscall.SIGKILL:
		return "SIGKILL"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGSEGV:
		return "SIGSEGV"
	case syscall.SIGABRT:
		return "SIGABRT"
	default:
		return signal.String()
	}
}
