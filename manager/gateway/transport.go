package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	copyBufferBytes = 32 << 10

	// idleTimeout of connections to instances is shorter than the worker's own, so that it is never the worker that
	// closes a connection on which a request may be under way.
	idleTimeout = 60 * time.Second

	maxIdlePerInstance   = 1024
	maxAnswerHeaderBytes = 256 << 10
)

// newTransport makes the one transport to all instances.
func newTransport(cfg Config, buffers *sync.Pool) *http.Transport {
	dialer := &net.Dialer{Timeout: cfg.DialTimeout}
	return &http.Transport{
		Proxy: nil, // instances are never behind the proxy of the manager's environment
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, &connectError{err}
			}
			return &countedConn{Conn: conn, buffers: buffers}, nil
		},
		MaxIdleConnsPerHost:    maxIdlePerInstance,
		IdleConnTimeout:        idleTimeout,
		ResponseHeaderTimeout:  cfg.ResponseTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxAnswerHeaderBytes,
		DisableCompression:     true, // what the function sends is what the caller gets
	}
}

// requestBody is the caller's body on its way to an instance. It remembers whether any of it was read, because what
// was read cannot be sent to another instance, and it is not closed by a transport whose try has failed.
type requestBody struct {
	src    io.Reader
	read   atomic.Bool
	ended  atomic.Bool
	broken atomic.Bool // it ended before its end
}

func (b *requestBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	n, err := b.src.Read(p)
	if err != nil {
		b.broken.Store(!errors.Is(err, io.EOF))
		b.ended.Store(true)
	}
	return n, err
}

func (b *requestBody) Close() error { return nil }
