package local

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// command is a process to start.
type command struct {
	expanded
	dir            string
	uid            int // -1: the manager's own account
	stdout, stderr io.Writer
}

// exit is how a process ended.
type exit struct {
	code   int // 128 + the signal's number when a signal ended it
	signal string
}

// String says it in words.
func (e exit) String() string {
	if e.signal != "" {
		return "killed by signal " + e.signal
	}
	return fmt.Sprintf("exit code %d", e.code)
}

// process is a started process with everything that it starts.
type process struct {
	cmd    *exec.Cmd
	tree   tree // of the operating system: how to reach all descendants
	output []*os.File
	copies sync.WaitGroup
	ended  chan struct{}
	exit   exit // readable when ended is closed

	mu   sync.Mutex
	over bool // the first process has ended and the tree was killed
}

// outputGrace is how long the output of a process is still read after its end, when some descendant that could not be
// killed holds the pipe.
const outputGrace = 2 * time.Second

// start starts a process through the launcher and begins to read its output.
func (l *launcher) start(ctx context.Context, c command) (*process, error) {
	p := &process{ended: make(chan struct{})}
	// The process ends by its supervisor, who ends it gracefully: never by a context.
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), c.command, c.args...)
	p.cmd.Dir, p.cmd.Env = c.dir, c.env
	var writers []*os.File
	defer func() {
		for _, w := range writers {
			_ = w.Close() // the process has its own copy
		}
	}()
	for _, stream := range []struct {
		to  io.Writer
		set *io.Writer
	}{{c.stdout, &p.cmd.Stdout}, {c.stderr, &p.cmd.Stderr}} {
		r, w, err := os.Pipe()
		if err != nil {
			p.closeOutput()
			return nil, fmt.Errorf("make a pipe for the output of %q: %w", c.command, err)
		}
		*stream.set = w
		writers = append(writers, w)
		p.output = append(p.output, r)
		p.copies.Go(func() { drain(stream.to, r) })
	}
	if err := l.launch(p, c.uid); err != nil {
		p.closeOutput()
		return nil, fmt.Errorf("start %q: %w", c.command, err)
	}
	go p.wait()
	return p, nil
}

// drain copies all output. What cannot be written (a full disk) is dropped: a process must not stop at a full pipe.
func drain(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			return
		}
	}
}

// wait is the owner of the process from start to end: it sees it end, kills what it leaves behind, and lets the last
// output arrive before it closes ended.
func (p *process) wait() {
	defer close(p.ended)
	awaitEnd(p.cmd)
	p.mu.Lock() // killing before the process is reaped makes sure that its number is still its own
	p.tree.kill(p.cmd.Process)
	p.over = true
	p.mu.Unlock()
	_ = p.cmd.Wait() // how it ended is in ProcessState
	p.exit = exitOf(p.cmd.ProcessState)
	p.tree.close()
	deadline := time.Now().Add(outputGrace)
	for _, r := range p.output {
		_ = r.SetReadDeadline(deadline) // where pipes know no deadline the tree is dead and they end by themselves
	}
	p.copies.Wait()
	p.closeOutput()
}

func (p *process) closeOutput() {
	for _, r := range p.output {
		_ = r.Close() // only read
	}
}

// interrupt asks the process to stop; kill ends the whole tree. Both do nothing once it has ended.
func (p *process) interrupt() { p.reach(p.tree.interrupt) }

func (p *process) kill() { p.reach(p.tree.kill) }

func (p *process) reach(do func(*os.Process)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		do(p.cmd.Process)
	}
}
