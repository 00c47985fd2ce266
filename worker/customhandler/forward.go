package customhandler

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/channel"
)

const (
	// maxIdle keeps enough connections for as many requests as one instance serves at a time.
	maxIdle    = 256
	copyBuffer = 32 << 10
)

func newTransport() *http.Transport {
	return &http.Transport{
		MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: time.Minute,
		DisableCompression: true, // the caller's Accept-Encoding is the program's business
	}
}

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

// forwarding is what Forward tells the proxy about one request.
type forwarding struct {
	host  string
	id    string
	fail  error
	reply int
}

type forwardingKey struct{}

// Forward streams the caller's request to the program and its answer back; upgrades (WebSocket) pass too. It returns
// the status sent and, when the program did not answer, why; the caller has then got nothing yet.
func (h *Handler) Forward(w http.ResponseWriter, r *http.Request, invocationID string) (int, error) {
	host, err := h.acquire(r.Context())
	if err != nil {
		return 0, err
	}
	f := &forwarding{host: host, id: invocationID}
	h.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), forwardingKey{}, f)))
	return f.reply, f.fail
}

func forwardingOf(r *http.Request) *forwarding {
	f, ok := r.Context().Value(forwardingKey{}).(*forwarding)
	if !ok {
		return &forwarding{}
	}
	return f
}

func (h *Handler) newProxy(transport http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:  transport,
		BufferPool: &bufferPool{},
		// Without a FlushInterval the proxy flushes answers of unknown length at once, so that what streams is seen as
		// it comes, and writes those of known length in as few pieces as they need.
		Rewrite: func(p *httputil.ProxyRequest) {
			f := forwardingOf(p.In)
			p.Out.URL.Scheme, p.Out.URL.Host = "http", f.host
			p.Out.Host = p.In.Host
			keepForwarded(p)
			p.Out.Header.Set(headerInvocationID, f.id)
			p.Out.Header.Set(headerHostVersion, channel.HostVersion)
		},
		ModifyResponse: func(res *http.Response) error {
			forwardingOf(res.Request).reply = res.StatusCode
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			forwardingOf(r).fail = azfunc.Errorf(codeOf(err), "the custom handler did not answer: %w", h.whyLost(err))
		},
	}
}

// codeOf tells a program that is not there from one that broke off.
func codeOf(err error) azfunc.Code {
	var failed *url.Error
	if errors.As(err, &failed) || strings.Contains(err.Error(), "connection refused") {
		return azfunc.Unavailable
	}
	return azfunc.Internal
}

// keepForwarded keeps the forwarding headers that the gateway set: it is the only one that can reach us.
func keepForwarded(p *httputil.ProxyRequest) {
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := p.In.Header[name]; len(values) > 0 {
			p.Out.Header[name] = values
		}
	}
}

// bufferPool lends out copy buffers.
type bufferPool struct{ pool sync.Pool }

// Get lends a buffer.
func (b *bufferPool) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, copyBuffer)
}

// Put takes a buffer back.
func (b *bufferPool) Put(buffer []byte) { b.pool.Put(&buffer) }
