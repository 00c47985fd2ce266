//go:build !windows

package process

import (
	"os"
	"sync"
	"syscall"
)

// tree is the process group that a program leads; its id is the program's.
type tree struct {
	mu    sync.Mutex
	group int // 0 before the start and after release
}

func (t *tree) adopt(p *os.Process) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.group = p.Pid
	return nil
}

func (t *tree) terminate() { t.signal(syscall.SIGTERM) }

func (t *tree) kill() { t.signal(syscall.SIGKILL) }

func (t *tree) signal(sig syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.group > 0 {
		_ = syscall.Kill(-t.group, sig) // ESRCH: it has just ended
	}
}

// release kills what the program left behind in its group, then lets go of the group's id, which the kernel may give
// to somebody else from now on.
func (t *tree) release() {
	t.kill()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.group = 0
}
