package invoke

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/binding"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// Call is one invocation to run.
type Call struct {
	ID       string
	Function *channel.Function
	HTTP     *binding.HTTP    // an HTTP trigger's request
	Data     *rpcpb.TypedData // any other trigger's value
	Metadata map[string]*rpcpb.TypedData
	// TraceParent and TraceState are the caller's W3C trace context.
	TraceParent string
	TraceState  string
	// Abandoned closes when nobody waits for the result any more; nil when somebody always does.
	Abandoned <-chan struct{}
	// Release is what Hold returned, if the request was held while it came in; HTTP calls it.
	Release func()
}

// Runner runs calls.
type Runner interface {
	// Run returns the function's answer, which may be a failure. An error means that there is no answer; it is
	// Unavailable when trying again later may help.
	Run(ctx context.Context, call *Call) (*rpcpb.InvocationResponse, error)
}

// FunctionError says that a function ran and failed.
type FunctionError struct {
	Function string
	Reason   string // its exception with the stack
}

// Error returns the reason.
func (e *FunctionError) Error() string { return e.Reason }

// Options is what a Dispatcher needs. Record and Emit must not block.
type Options struct {
	Runner  Runner
	Timeout time.Duration // functionTimeout; azfunc.Unbounded for none
	Record  func(hostapi.Invocation)
	Emit    func(hostapi.LogLine)
}

// Dispatcher runs calls. It is safe for concurrent use.
type Dispatcher struct {
	o        Options
	inflight atomic.Int64
}

// New makes a Dispatcher.
func New(o Options) *Dispatcher { return &Dispatcher{o: o} }

// InFlight returns how many invocations are running.
func (d *Dispatcher) InFlight() int { return int(d.inflight.Load()) }

// Hold counts a request that is still coming in as in flight until release, so that draining waits for it.
func (d *Dispatcher) Hold() (release func()) {
	d.inflight.Add(1)
	return func() { d.inflight.Add(-1) }
}

// HTTP runs an HTTP-triggered call and returns the answer for the caller. Errors: *FunctionError when the function
// failed, Unavailable when nothing could run it, others when it was lost on the way.
func (d *Dispatcher) HTTP(ctx context.Context, call *Call) (binding.Answer, error) {
	i := d.Begin(call.Function, call.ID)
	if call.Release != nil {
		call.Release() // after Begin, so that it is counted all the time
	}
	i.TraceParent = call.TraceParent
	var answer binding.Answer
	response, err := d.run(ctx, call)
	if err == nil {
		answer, err = binding.Output(httpOutput(call.Function, response))
	}
	i.End(statusOf(answer, err), err)
	return answer, err
}

// StatusOf returns the status that a caller gets for an error: Azure's host answers 500 whatever a function threw.
func StatusOf(err error) int {
	if azfunc.CodeOf(err) == azfunc.Unavailable {
		return 503
	}
	return 500
}

func statusOf(a binding.Answer, err error) int {
	if err != nil {
		return StatusOf(err)
	}
	return a.Status
}

// Run runs a call of any other trigger.
func (d *Dispatcher) Run(ctx context.Context, call *Call) error {
	i := d.Begin(call.Function, call.ID)
	_, err := d.run(ctx, call)
	i.End(0, err)
	return err
}

// run bounds the call by the functionTimeout and judges the function's answer.
func (d *Dispatcher) run(ctx context.Context, call *Call) (*rpcpb.InvocationResponse, error) {
	ctx, cancel := d.bounded(ctx, call)
	defer cancel()
	r, err := d.o.Runner.Run(ctx, call)
	return r, verdict(ctx, call, r, err)
}

// bounded makes the context of a call. It does not end with the caller: in Azure too a function runs on when its
// caller has gone.
func (d *Dispatcher) bounded(ctx context.Context, call *Call) (context.Context, context.CancelFunc) {
	ctx = context.WithoutCancel(ctx)
	if d.o.Timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, d.o.Timeout,
		&FunctionError{call.Function.Name, "it ran longer than functionTimeout, which is " + d.o.Timeout.String()})
}

func verdict(ctx context.Context, call *Call, r *rpcpb.InvocationResponse, err error) error {
	if err != nil {
		if timeout, ok := errors.AsType[*FunctionError](context.Cause(ctx)); ok {
			return timeout
		}
		return err
	}
	if r.GetResult().GetStatus() != rpcpb.StatusResult_SUCCESS {
		return &FunctionError{call.Function.Name, binding.Failure(r.GetResult())}
	}
	return nil
}

// httpOutput picks what the function gave to its http output; nil when it has none or gave nothing.
func httpOutput(f *channel.Function, r *rpcpb.InvocationResponse) *rpcpb.TypedData {
	name := ""
	for i := range f.Bindings {
		if b := &f.Bindings[i]; b.Direction != azfunc.In && b.Is("http") {
			name = b.Name
		}
	}
	if name == azfunc.ReturnBinding {
		return r.GetReturnValue()
	}
	for _, out := range r.GetOutputData() {
		if out.GetName() == name && name != "" {
			return out.GetData()
		}
	}
	return nil
}

// Invocation is one that is running.
type Invocation struct {
	TraceParent string

	d       *Dispatcher
	f       *channel.Function
	id      string
	started time.Time
}

// Begin counts an invocation as in flight until End. HTTP and Run do it themselves; it is for calls that bypass the
// dispatcher, such as those streamed to a custom handler.
func (d *Dispatcher) Begin(f *channel.Function, id string) *Invocation {
	d.inflight.Add(1)
	return &Invocation{d: d, f: f, id: id, started: time.Now()}
}

// ID returns the invocation's id.
func (i *Invocation) ID() string { return i.id }

// End records how the invocation went; status is 0 when it was not HTTP.
func (i *Invocation) End(status int, err error) {
	i.d.inflight.Add(-1)
	record := hostapi.Invocation{
		ID: i.id, Function: i.f.Name, Started: i.started.UTC(), DurationMicros: time.Since(i.started).Microseconds(),
		Success: err == nil, StatusCode: status, TraceParent: i.TraceParent,
	}
	if t, ok := i.f.Trigger(); ok {
		record.Trigger = t.Type
	}
	if err != nil {
		record.Error = err.Error()
		i.d.o.Emit(hostapi.LogLine{
			Level: "error", Category: "Function." + i.f.Name, Function: i.f.Name, InvocationID: i.id,
			Message: "Executed 'Functions." + i.f.Name + "' (Failed): " + err.Error(),
		})
	}
	i.d.o.Record(record)
}

// NewID makes an invocation's id.
func NewID() string { return uuid.NewString() }
