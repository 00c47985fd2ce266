package channel

import (
	"context"
	"errors"
	"fmt"

	"github.com/nightshift-functions/nightshift/worker/rpc"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// errNotSent says that a language worker ended before an invocation reached it.
var errNotSent = errors.New("the language worker ended before the invocation was sent")

// Invoke runs one invocation and returns the language worker's answer, whatever its verdict. It returns early when ctx
// ends: the invocation then still runs in the language worker and its answer is dropped. When abandoned closes, the
// language worker is told that nobody waits, if it understands that; the answer is awaited all the same. The error is
// a *process.Error when the language worker died meanwhile or did not load the function.
func (c *Channel) Invoke(ctx context.Context, f *Function, req *rpcpb.InvocationRequest, abandoned <-chan struct{}) (*rpcpb.InvocationResponse, error) {
	if p := c.problem(f.ID); p != "" {
		return nil, &LoadError{Function: f.Name, Reason: p}
	}
	i := &invocation{function: f.Name, done: make(chan outcome, 1)}
	if !c.register(req.GetInvocationId(), i) {
		return nil, errNotSent
	}
	err := c.stream.Send(ctx, &rpcpb.StreamingMessage{
		RequestId: req.GetInvocationId(), Content: &rpcpb.StreamingMessage_InvocationRequest{InvocationRequest: req},
	})
	if err != nil {
		c.forget(req.GetInvocationId())
		if errors.Is(err, rpc.ErrClosed) {
			return nil, errNotSent
		}
		return nil, err // says what was being done
	}
	return c.result(ctx, i, req.GetInvocationId(), abandoned)
}

func (c *Channel) result(ctx context.Context, i *invocation, id string, abandoned <-chan struct{}) (*rpcpb.InvocationResponse, error) {
	for {
		select {
		case o := <-i.done:
			return o.response, o.err
		case <-abandoned:
			abandoned = nil
			c.cancel(ctx, id)
		case <-ctx.Done():
			c.forget(id)
			return nil, fmt.Errorf("invocation %s: %w", id, context.Cause(ctx))
		}
	}
}

// register notes an invocation; false when the language worker is dead.
func (c *Channel) register(id string, i *invocation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inflight == nil || c.killed != "" {
		return false
	}
	c.inflight[id] = i
	return true
}

func (c *Channel) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.inflight, id)
}

func (c *Channel) cancel(ctx context.Context, id string) {
	if !c.Capabilities.Cancel {
		return
	}
	_ = c.send(ctx, &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_InvocationCancel{
		InvocationCancel: &rpcpb.InvocationCancel{InvocationId: id}}})
}

// LoadError says that a function did not load: its invocations fail, the others run.
type LoadError struct {
	Function string
	Reason   string
}

// Error returns the reason with the function's name.
func (e *LoadError) Error() string {
	return fmt.Sprintf("function %q did not load: %s", e.Function, e.Reason)
}
