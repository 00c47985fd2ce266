package channel

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/nightshift-functions/nightshift/worker/process"
	"github.com/nightshift-functions/nightshift/worker/rpc"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

const (
	// lastWords is how long a process may outlive its stream, or its stream it, before the end is final.
	lastWords = time.Second
	// terminateGrace is what WorkerTerminate tells a language worker and how long it is waited for.
	terminateGrace = 5 * time.Second
	// killGrace is between SIGTERM and SIGKILL.
	killGrace = time.Second
)

// Channel is one language worker: a process and its stream. It is safe for concurrent use.
type Channel struct {
	o       Options
	proc    *process.Process
	stream  *rpc.Stream
	answers answers

	Capabilities Capabilities
	Runtime      *rpcpb.WorkerMetadata

	mu       sync.Mutex
	inflight map[string]*invocation
	problems map[string]string // function id -> why it did not load here
	killed   string            // why we ended it ourselves
	cause    error             // why it is dead

	dead chan struct{}
}

// invocation is one that this language worker is running.
type invocation struct {
	function string
	done     chan outcome
}

type outcome struct {
	response *rpcpb.InvocationResponse
	err      error
}

// spawn starts the process and waits for its stream. On error the process is gone.
func spawn(ctx context.Context, o Options) (*Channel, error) {
	c := &Channel{o: o, answers: newAnswers(), inflight: map[string]*invocation{}, problems: map[string]string{}, dead: make(chan struct{})}
	launch := Launch{Port: o.Server.Port(), WorkerID: uuid.NewString(), RequestID: uuid.NewString()}
	env := o.environment()
	path, args, err := o.Config.Command(launch, env)
	if err != nil {
		return nil, &process.Error{Message: err.Error(), Permanent: true}
	}
	streams := o.Server.Expect(launch.WorkerID, c.deliver)
	defer o.Server.Forget(launch.WorkerID)
	c.proc, err = process.Start(ctx, process.Command{Path: path, Args: args, Dir: o.AppDir, Env: environ(env), Line: c.console})
	if err != nil {
		return nil, &process.Error{Message: err.Error(), Permanent: true}
	}
	if err := c.awaitStream(ctx, streams); err != nil {
		c.proc.Kill()
		<-c.proc.Done()
		return nil, err
	}
	go c.watch()
	return c, nil
}

func (c *Channel) awaitStream(ctx context.Context, streams <-chan *rpc.Stream) error {
	limit := c.o.Config.Process.StartupTimeout
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case c.stream = <-streams:
		return nil
	case <-c.proc.Done():
		exit := c.proc.Exit()
		return process.Failf(exit.Stderr, "the %s language worker ended before it connected (%s)", c.o.Config.Language, exit.Reason)
	case <-timer.C:
		return process.Failf(c.proc.Stderr(), "the %s language worker did not connect within %s", c.o.Config.Language, limit)
	case <-ctx.Done():
		return fmt.Errorf("wait for the %s language worker: %w", c.o.Config.Language, context.Cause(ctx))
	}
}

// watch sees the end of the channel, from whichever side it comes, and fails what is in flight.
func (c *Channel) watch() {
	select {
	case <-c.proc.Done():
		wait(c.stream.Done(), lastWords) // answers that are on their way still count
	case <-c.stream.Done():
		wait(c.proc.Done(), lastWords) // its exit code tells more than the end of its stream
		c.proc.Kill()
		<-c.proc.Done()
	}
	c.stream.Close()
	c.mu.Lock()
	c.cause = c.epitaph()
	failed := c.inflight
	c.inflight = nil
	cause := c.cause
	c.mu.Unlock()
	for _, i := range failed {
		i.done <- outcome{err: cause}
	}
	close(c.dead)
}

// epitaph says why the channel is dead; the caller holds the lock.
func (c *Channel) epitaph() error {
	exit := c.proc.Exit()
	if c.killed != "" {
		return process.Failf(exit.Stderr, "the %s language worker was ended: %s", c.o.Config.Language, c.killed)
	}
	return process.Failf(exit.Stderr, "the %s language worker died (%s)", c.o.Config.Language, exit.Reason)
}

func wait(done <-chan struct{}, limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// Dead is closed when the language worker has ended; Cause then says why.
func (c *Channel) Dead() <-chan struct{} { return c.dead }

// Cause returns why the language worker ended, nil before.
func (c *Channel) Cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// restartCode is the exit code by which a language worker asks to be started again.
const restartCode = 200

// intended reports whether the end was wanted, by us or by the language worker, and so is no error.
func (c *Channel) intended() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.killed != "" || c.proc.Exit().Code == restartCode
}

// PID returns the process id.
func (c *Channel) PID() int { return c.proc.PID() }

// RSSBytes returns the process's resident memory.
func (c *Channel) RSSBytes() int64 { return c.proc.RSSBytes() }

// Kill ends the language worker at once; what is in flight fails with the reason.
func (c *Channel) Kill(reason string) {
	c.mu.Lock()
	if c.killed == "" {
		c.killed = reason
	}
	c.mu.Unlock()
	c.proc.Kill()
}

// Stop ends the language worker: WorkerTerminate when it understands that, then SIGTERM, then SIGKILL.
func (c *Channel) Stop() {
	if c.Capabilities.Terminate {
		ctx, cancel := context.WithTimeout(context.Background(), terminateGrace)
		defer cancel()
		_ = c.send(ctx, &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_WorkerTerminate{
			WorkerTerminate: &rpcpb.WorkerTerminate{GracePeriod: durationpb.New(terminateGrace)}}})
		wait(c.proc.Done(), terminateGrace)
	}
	c.proc.Stop(killGrace)
	<-c.dead
}

func (c *Channel) send(ctx context.Context, msg *rpcpb.StreamingMessage) error {
	msg.RequestId = uuid.NewString()
	return c.stream.Send(ctx, msg) // a step of this package
}
