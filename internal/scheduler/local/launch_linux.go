package local

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// launcher starts processes from one operating-system thread that lives as long as the launcher: the kernel sends a
// child its parent-death signal when the thread that started it ends, not only when the process does.
type launcher struct {
	requests  chan func()
	done      chan struct{}
	namespace uintptr // clone flags that give an instance its own PID namespace; 0 when the kernel grants none
}

// newLauncher finds out what the kernel grants. dir is any folder; nothing is made in it.
func newLauncher(dir string, noNamespace bool) *launcher {
	l := &launcher{requests: make(chan func()), done: make(chan struct{})}
	go l.run()
	if !noNamespace {
		l.namespace = probeNamespace(dir)
	}
	return l
}

// run serves requests on its thread. The thread is not unlocked, so it ends with the goroutine. As root it gives up
// gaining rights by running set-uid programs, and with it everything that it starts: an app's account stays what it is.
func (l *launcher) run() {
	defer close(l.done)
	runtime.LockOSThread()
	if os.Geteuid() == 0 {
		hideProcesses()
		_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) // fails only on kernels before 3.5
	}
	for request := range l.requests {
		request()
	}
}

// hideProcesses gives the calling thread, and with it everything that it starts, a view of /proc in which an account
// sees its own processes only. A language worker proves who it is by the id on its command line: whoever could read
// that of another app could connect in its place and be handed its requests. Where the kernel does not grant this (it
// knows the word since 5.8, and a container may lack the right to mount) everything stays as it was.
func hideProcesses() {
	if unix.Unshare(unix.CLONE_NEWNS) != nil {
		return
	}
	// What is mounted here must not reach the rest of the machine; what the machine mounts later is to be seen here.
	if unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "") != nil {
		return
	}
	_ = unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "hidepid=invisible")
}

func (l *launcher) close() {
	close(l.requests)
	<-l.done
}

func (l *launcher) isolated() bool { return l.namespace != 0 }

// launch starts p's command as account uid, in its own process group and, where granted, its own PID namespace.
func (l *launcher) launch(p *process, uid int) error {
	p.cmd.SysProcAttr = sysProcAttr(l.namespace)
	if uid >= 0 && os.Geteuid() == 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: []uint32{}}
	}
	result := make(chan error, 1)
	l.requests <- func() { result <- p.cmd.Start() }
	if err := <-result; err != nil {
		return err
	}
	endFirst(p.cmd.Process.Pid)
	return nil
}

// endFirst makes the kernel choose instances before the manager when memory runs out; what they start inherits it.
// Where it cannot be said, the kernel's own choice stands.
func endFirst(pid int) {
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("500"), 0)
}

func sysProcAttr(namespace uintptr) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: namespace}
	if namespace&syscall.CLONE_NEWUSER != 0 { // the same account inside as outside
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	return attr
}

// probeNamespace starts a program that does not exist: when the kernel makes the namespace, the error is that of the
// missing file, so the answer costs no process.
func probeNamespace(dir string) uintptr {
	candidates := []uintptr{syscall.CLONE_NEWPID | syscall.CLONE_NEWUSER}
	if os.Geteuid() == 0 { // a user namespace would keep root from becoming the app's account
		candidates = []uintptr{syscall.CLONE_NEWPID}
	}
	for _, flags := range candidates {
		missing := dir + "/no such program"
		_, err := os.StartProcess(missing, []string{missing}, &os.ProcAttr{Sys: sysProcAttr(flags)})
		if errors.Is(err, fs.ErrNotExist) {
			return flags
		}
	}
	return 0
}

// awaitEnd waits until the command's process has ended, without reaping it.
func awaitEnd(cmd *exec.Cmd) {
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
