package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const (
	// maxIdle keeps enough connections for as many requests as one instance serves at a time.
	maxIdle    = 256
	copyBuffer = 32 << 10
	// A program may say where it listens a moment before it does.
	dialAttempts = 10
	firstRedial  = 50 * time.Millisecond
	lastRedial   = 250 * time.Millisecond
)

// Target is where one request goes and what is added to it.
type Target struct {
	Host   string            // host:port
	Header map[string]string // canonical names; they replace the caller's
	// Hide is a header of the answer that the caller does not get.
	Hide string
}

// Proxy forwards requests. It is safe for concurrent use.
type Proxy struct {
	transport *http.Transport
	proxy     *httputil.ReverseProxy
}

// New makes a Proxy. With redial it tries again for about two seconds when nobody listens yet.
func New(redial bool) *Proxy {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	dial := dialer.DialContext
	if redial {
		dial = retrying(dial)
	}
	p := &Proxy{transport: &http.Transport{
		DialContext: dial, MaxIdleConns: maxIdle, MaxIdleConnsPerHost: maxIdle, IdleConnTimeout: time.Minute,
		DisableCompression: true, // the caller's Accept-Encoding is the program's business
	}}
	p.proxy = &httputil.ReverseProxy{
		Transport: p.transport, BufferPool: &bufferPool{}, // answers of unknown length are flushed as they come
		Rewrite: rewrite, ModifyResponse: noteResponse,
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) { stateOf(r).err = err },
	}
	return p
}

// Transport returns the connections of the proxy, for calls to the same programs.
func (p *Proxy) Transport() http.RoundTripper { return p.transport }

// Close ends idle connections.
func (p *Proxy) Close() { p.transport.CloseIdleConnections() }

// state is what the proxy's hooks know about one request.
type state struct {
	target Target
	status int
	err    error
}

type stateKey struct{}

func stateOf(r *http.Request) *state {
	if s, ok := r.Context().Value(stateKey{}).(*state); ok {
		return s
	}
	return &state{}
}

// Serve forwards a request and streams the answer. It returns the status that was sent, or an error when the program
// did not answer; the caller has got nothing then. The error is Unavailable when the program could not be reached, so
// that nothing has run. Like every ReverseProxy it panics with http.ErrAbortHandler when an answer breaks off.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request, t Target) (int, error) {
	if r.ContentLength != 0 { // else an answer would wait until the whole request has come
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	s := &state{target: t}
	p.proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), stateKey{}, s)))
	if s.err == nil {
		return s.status, nil
	}
	if op, ok := errors.AsType[*net.OpError](s.err); ok && op.Op == "dial" {
		return 0, azfunc.Errorf(azfunc.Unavailable, "connect to %s: %w", t.Host, s.err)
	}
	return 0, fmt.Errorf("forward to %s: %w", t.Host, s.err)
}

func rewrite(p *httputil.ProxyRequest) {
	t := stateOf(p.In).target
	p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = "http", t.Host, p.In.Host
	// The gateway set these: it is the only one that can reach us.
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := p.In.Header[name]; len(values) > 0 {
			p.Out.Header[name] = values
		}
	}
	for name, value := range t.Header {
		p.Out.Header[name] = []string{value}
	}
}

func noteResponse(res *http.Response) error {
	s := stateOf(res.Request)
	s.status = res.StatusCode
	if s.target.Hide != "" {
		delete(res.Header, s.target.Hide)
	}
	return nil
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func retrying(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		delay := firstRedial
		for attempt := 1; ; attempt++ {
			conn, err := dial(ctx, network, address)
			if err == nil || attempt == dialAttempts {
				return conn, err
			}
			timer := time.NewTimer(delay)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return nil, err
			}
			delay = min(2*delay, lastRedial)
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
