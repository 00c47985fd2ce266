//go:build unix && !linux

package local

import (
	"os"
	"os/exec"
	"syscall"
)

// launcher starts processes. These systems have no parent-death signal: children outlive a killed manager.
type launcher struct{}

func newLauncher(string, bool) *launcher { return &launcher{} }

func (l *launcher) close() {}

func (l *launcher) isolated() bool { return false }

func (l *launcher) launch(p *process, uid int) error {
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if uid >= 0 && os.Geteuid() == 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: []uint32{}}
	}
	return p.cmd.Start()
}

// awaitEnd waits until the command's process has ended; there is no way here to do so without reaping it.
func awaitEnd(cmd *exec.Cmd) {
	_ = cmd.Wait() // how it ended is in ProcessState
}
