package local

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// launcher starts each process in a job object that the system closes, and with it everything in it, when the manager
// ends, however it ends.
type launcher struct{}

func newLauncher(string, bool) *launcher { return &launcher{} }

func (l *launcher) close() {}

func (l *launcher) isolated() bool { return true }

// launch starts p's command suspended, puts it into its job object and lets it go: so it cannot start anything
// outside of the job. uid means nothing here; the spec refuses it.
func (l *launcher) launch(p *process, _ int) error {
	job, err := newJobObject()
	if err != nil {
		return err
	}
	p.tree.job = job
	p.cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_SUSPENDED | windows.CREATE_NEW_PROCESS_GROUP}
	if err := p.cmd.Start(); err != nil {
		p.tree.close()
		return err // the caller names the program
	}
	if err := admit(job, p.cmd.Process.Pid); err != nil {
		_ = p.cmd.Process.Kill() // it is suspended and has done nothing
		_ = p.cmd.Wait()         // killed just above
		p.tree.close()
		return err
	}
	return nil
}

func newJobObject() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("make a job object: %w", err)
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{
		BasicLimitInformation: windows.JOBOBJECT_BASIC_LIMIT_INFORMATION{LimitFlags: windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE},
	}
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err != nil {
		_ = windows.CloseHandle(job) // nothing is in it
		return 0, fmt.Errorf("limit a job object: %w", err)
	}
	return job, nil
}

// admit puts a suspended process into the job and resumes it.
func admit(job windows.Handle, pid int) error {
	const access = windows.PROCESS_SET_QUOTA | windows.PROCESS_TERMINATE | windows.PROCESS_SUSPEND_RESUME
	process, err := windows.OpenProcess(access, false, uint32(pid))
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer func() { _ = windows.CloseHandle(process) }()
	if err := windows.AssignProcessToJobObject(job, process); err != nil {
		return fmt.Errorf("put process %d into its job object: %w", pid, err)
	}
	status, _, _ := windows.NewLazySystemDLL("ntdll.dll").NewProc("NtResumeProcess").Call(uintptr(process))
	if status != 0 {
		return fmt.Errorf("resume process %d: %w", pid, windows.NTStatus(status))
	}
	return nil
}

// tree reaches a process and its descendants by their job object.
type tree struct{ job windows.Handle }

// interrupt sends CTRL_BREAK to the process's group, which Go programs see as an interrupt. It needs a console; a
// manager without one has its instances killed after their kill timeout.
func (t tree) interrupt(process *os.Process) {
	_ = windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(process.Pid)) // see above
}

func (t tree) kill(*os.Process) {
	_ = windows.TerminateJobObject(t.job, 1) // fails only when nothing is left in it
}

func (t tree) close() {
	_ = windows.CloseHandle(t.job) // kills what may be left
}

// awaitEnd waits until the command's process has ended.
func awaitEnd(cmd *exec.Cmd) {
	_ = cmd.Wait() // how it ended is in ProcessState
}

func exitOf(state *os.ProcessState) exit { return exit{code: state.ExitCode()} }
