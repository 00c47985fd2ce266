package invoke

import (
	"context"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/binding"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/forward"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// LanguageWorkers runs calls in an app's language workers.
type LanguageWorkers struct {
	pool  *channel.Pool
	caps  channel.Capabilities
	shape binding.Shape
	proxy *forward.Proxy
}

// NewLanguageWorkers makes the runner of a pool whose first language worker is initialised.
func NewLanguageWorkers(pool *channel.Pool) *LanguageWorkers {
	c := pool.Capabilities()
	return &LanguageWorkers{pool: pool, caps: c, proxy: forward.New(true), shape: binding.Shape{
		BodyOnly: c.BodyOnly, BodyBytes: c.BodyBytes, NullableMaps: c.NullableMaps, IgnoreEmptyHeader: c.IgnoreEmptyHeader,
	}}
}

// Run makes the invocation request and sends it to the next language worker.
func (l *LanguageWorkers) Run(ctx context.Context, call *Call) (*rpcpb.InvocationResponse, error) {
	if call.Function.Problem != "" {
		return nil, &FunctionError{call.Function.Name, call.Function.Problem}
	}
	data, metadata := call.Data, call.Metadata
	if call.HTTP != nil {
		data, metadata = binding.Input(call.HTTP, l.shape), binding.Metadata(call.HTTP)
	}
	return l.pool.Invoke(ctx, call.Function, request(call, data, metadata), call.Abandoned) // errors are for people already
}

// Close ends idle connections to language workers.
func (l *LanguageWorkers) Close() { l.proxy.Close() }

func request(call *Call, data *rpcpb.TypedData, metadata map[string]*rpcpb.TypedData) *rpcpb.InvocationRequest {
	req := &rpcpb.InvocationRequest{
		InvocationId: call.ID, FunctionId: call.Function.ID, TriggerMetadata: metadata,
		InputData: []*rpcpb.ParameterBinding{{Name: triggerName(call.Function), RpcData: &rpcpb.ParameterBinding_Data{Data: data}}},
	}
	if call.TraceParent != "" {
		req.TraceContext = &rpcpb.RpcTraceContext{TraceParent: call.TraceParent, TraceState: call.TraceState}
	}
	return req
}

func triggerName(f *channel.Function) string {
	for i := range f.Bindings {
		if f.Bindings[i].IsTrigger() {
			return f.Bindings[i].Name
		}
	}
	return azfunc.ReturnBinding
}
