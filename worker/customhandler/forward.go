package customhandler

import (
	"net/http"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/forward"
	"github.com/nightshift-functions/nightshift/worker/process"
)

// Forwards reports whether calls of a function are forwarded: host.json asks for it and the function has an HTTP
// trigger and at most an http output besides.
func (h *Handler) Forwards(f *channel.Function) bool {
	if !h.o.Config.EnableForwardingHTTPRequest && !h.o.Config.EnableProxyingHTTPRequest {
		return false
	}
	for _, b := range f.Bindings {
		if !b.Is("httpTrigger") && (!b.Is("http") || b.Direction == azfunc.In) {
			return false
		}
	}
	return f.IsHTTP()
}

// Forward streams the caller's request to the program and its answer back; upgrades (WebSocket) pass too. It returns
// the status sent and, when the program did not answer, why; the caller has then got nothing yet.
func (h *Handler) Forward(w http.ResponseWriter, r *http.Request, invocationID string) (int, error) {
	host, err := h.acquire(r.Context())
	if err != nil {
		return 0, err
	}
	status, err := h.proxy.Serve(w, r, forward.Target{
		Host: host, Header: map[string]string{headerInvocationID: invocationID, headerHostVersion: channel.HostVersion},
	})
	if err != nil {
		return 0, azfunc.Errorf(azfunc.CodeOf(err), "the custom handler did not answer: %s", process.Public(h.whyLost(err)))
	}
	return status, nil
}
