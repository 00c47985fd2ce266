package invoke

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/binding"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/forward"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

const (
	// headerInvocation is how a language worker's HTTP server finds the invocation that a request belongs to.
	headerInvocation = "X-Ms-Invocation-Id"
	// lastAnswer is how long a forwarded answer may still come once the function has failed: Node's library may leave
	// it open for ever.
	lastAnswer = time.Second
)

// Streams reports whether a function's requests go to its language worker's own HTTP server.
func (l *LanguageWorkers) Streams(f *channel.Function) bool {
	return l.caps.HTTPURI != "" && f.IsHTTP()
}

// Stream runs an HTTP-triggered call whose request and answer are streamed. It returns the status that the caller got;
// 0 with an error means that the caller has got nothing yet. Begin and End are the caller's.
func (d *Dispatcher) Stream(w http.ResponseWriter, r *http.Request, call *Call, l *LanguageWorkers) (int, error) {
	ctx, cancel := d.bounded(r.Context(), call)
	defer cancel()
	status := 0
	var forwarded error
	response, err := l.pool.InvokeWith(ctx, call.Function, l.streamRequest(call), call.Abandoned,
		func(uri string, answered <-chan *rpcpb.InvocationResponse) {
			status, forwarded = l.forward(w, r, call, uri, answered)
		})
	if err = verdict(ctx, call, response, err); err != nil {
		return status, err
	}
	return status, forwarded
}

// streamRequest is an invocation without the request: the language worker takes it from its HTTP server. Node reads
// headers and route values from the trigger metadata all the same, Python wants route values in the input.
func (l *LanguageWorkers) streamRequest(call *Call) *rpcpb.InvocationRequest {
	in := &binding.HTTP{}
	if l.caps.RouteParameters {
		in.Params = call.HTTP.Params
	}
	return request(call, binding.Input(in, l.shape), binding.Metadata(call.HTTP))
}

// forward streams the exchange. When the function has failed, what has not come soon after is given up.
func (l *LanguageWorkers) forward(w http.ResponseWriter, r *http.Request, call *Call, uri string, answered <-chan *rpcpb.InvocationResponse) (int, error) {
	target, err := url.Parse(uri)
	if err != nil || target.Host == "" {
		return 0, azfunc.Errorf(azfunc.Invalid, "the language worker gave %q as the address of its HTTP server", uri)
	}
	ctx, cancel := context.WithCancel(r.Context())
	finished := make(chan struct{})
	defer func() { cancel(); <-finished }()
	go func() {
		defer close(finished)
		select {
		case a := <-answered:
			if a.GetResult().GetStatus() != rpcpb.StatusResult_SUCCESS {
				giveUp(ctx, cancel)
			}
		case <-ctx.Done():
		}
	}()
	return l.proxy.Serve(w, r.WithContext(ctx), forward.Target{ // says what was tried
		Host: target.Host, Hide: headerInvocation, Header: map[string]string{
			headerInvocation: call.ID, "X-Forwarded-Host": call.HTTP.Host, "X-Forwarded-Proto": scheme(call.HTTP.URL),
		},
	})
}

func giveUp(ctx context.Context, cancel context.CancelFunc) {
	timer := time.NewTimer(lastAnswer)
	defer timer.Stop()
	select {
	case <-timer.C:
		cancel()
	case <-ctx.Done():
	}
}

func scheme(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return "http"
	}
	return u.Scheme
}
