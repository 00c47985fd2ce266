package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// outputGrace is how long the output pipes may stay open after the program's end, held by a grandchild.
const outputGrace = 2 * time.Second

// Command is a program to start. Env is its whole environment.
type Command struct {
	Path string
	Args []string
	Dir  string
	Env  []string
	// Line gets each line of output without its end; it is called by two goroutines, one per stream.
	Line func(stderr bool, line string)
}

// Exit is how a program ended.
type Exit struct {
	Code   int      // -1 when a signal ended it
	Reason string   // "exit code 3", "signal: killed"
	Stderr []string // its last lines of standard error, oldest first
}

// Process is a running program. It is safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	tree tree
	tail *tail
	done chan struct{}

	mu   sync.Mutex
	exit Exit
}

// Start starts a program. The context bounds nothing but the start: Kill or Stop ends the program.
func Start(ctx context.Context, c Command) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), c.Path, c.Args...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.WaitDelay = outputGrace
	p := &Process{cmd: cmd, tail: &tail{}, done: make(chan struct{})}
	stdout := newLineWriter(func(line string) { c.Line(false, line) })
	stderr := newLineWriter(func(line string) { p.tail.add(line); c.Line(true, line) })
	cmd.Stdout, cmd.Stderr = stdout, stderr
	isolate(cmd)
	started := make(chan error, 1)
	go p.run(started, stdout, stderr)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	return p, nil
}

// run owns the program from start to end on one locked OS thread: on Linux the kernel sends the parent-death signal
// when the *thread* that forked ends, so this thread must outlive the program.
func (p *Process) run(started chan<- error, outputs ...io.Closer) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	if err == nil {
		err = p.tree.adopt(p.cmd.Process)
		if err != nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	}
	started <- err
	if err != nil {
		return
	}
	err = p.cmd.Wait()
	p.tree.release() // what it left behind holds files and ports
	for _, out := range outputs {
		_ = out.Close()
	}
	p.mu.Lock()
	p.exit = p.describe(err)
	p.mu.Unlock()
	close(p.done)
}

func (p *Process) describe(err error) Exit {
	e := Exit{Code: p.cmd.ProcessState.ExitCode(), Stderr: p.tail.lines()}
	e.Reason = fmt.Sprintf("exit code %d", e.Code)
	var exit *exec.ExitError
	if e.Code < 0 && errors.As(err, &exit) {
		e.Reason = exit.Error()
	}
	return e
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the program has ended and its output has been read.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit returns how the program ended; it is zero before Done.
func (p *Process) Exit() Exit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit
}

// Stderr returns the last lines of standard error so far.
func (p *Process) Stderr() []string { return p.tail.lines() }

// Kill ends the program and all that it started, at once; Done follows.
func (p *Process) Kill() { p.tree.kill() }

// Stop asks the program to end (SIGTERM; nothing on Windows), kills it and all that it started after grace, and
// returns when it has ended.
func (p *Process) Stop(grace time.Duration) {
	p.tree.terminate()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		return
	case <-timer.C:
	}
	p.Kill()
	<-p.done
}

// RSSBytes returns the program's resident memory; 0 when it is not known.
func (p *Process) RSSBytes() int64 { return RSSBytes(p.PID()) }
