package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// A request is sent again only when no byte of it can have reached an instance, whatever its method: a function with
// a GET trigger may charge a card too. Two failures qualify, and both also require that the body is unread:
//
//   - neverConnected: there was no connection to write to (refused, no route, timed out, handshake failed);
//   - nothingWritten: the connection was an idle one that the instance had closed, and the kernel took no byte.
//
// A connection that breaks after the first byte qualifies never. http.Transport has another opinion for GET, HEAD,
// OPTIONS, TRACE and whatever carries an Idempotency-Key: it repeats those on a connection that broke before the
// answer. unrepeatable takes this away from it.

// connectError marks that there was no connection.
type connectError struct{ cause error }

func (e *connectError) Error() string { return "connect: " + e.cause.Error() }
func (e *connectError) Unwrap() error { return e.cause }

func neverConnected(err error) bool {
	_, ok := errors.AsType[*connectError](err)
	return ok
}

// timedOut is the end of waiting for the answer's header, once it is known that the caller still waits.
func timedOut(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// countedConn counts the bytes that the kernel took.
type countedConn struct {
	net.Conn
	written atomic.Int64
	buffers *sync.Pool // of *[]byte
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.written.Add(int64(n))
	return n, err
}

// ReadFrom sends a request's body; without it each body would cost a new buffer.
func (c *countedConn) ReadFrom(r io.Reader) (int64, error) {
	buffer, _ := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{c}, r, *buffer)
}

// CloseWrite says to the instance that no more will come, on connections that can.
func (c *countedConn) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

// attempt is what is known of one try: which connection, and how much had been written to it before.
type attempt struct {
	conn   *countedConn
	before int64
}

func (a *attempt) got(conn net.Conn) {
	if c, ok := conn.(*countedConn); ok {
		a.conn, a.before = c, c.written.Load()
	}
}

// nothingWritten is false when it is not known.
func (a *attempt) nothingWritten() bool {
	return a.conn != nil && a.conn.written.Load() == a.before
}

// emptyBody stands for "no body" in a request that http.Transport would repeat on its own: it repeats only what has
// no body at all. With the transfer encoding "identity" nothing of it is seen on the wire.
type emptyBody struct{}

func (emptyBody) Read([]byte) (int, error) { return 0, io.EOF }
func (emptyBody) Close() error             { return nil }

// WriteTo spares the transport a copy buffer.
func (emptyBody) WriteTo(io.Writer) (int64, error) { return 0, nil }

// unrepeatable makes http.Transport send out once. out has no body.
func unrepeatable(out *http.Request) {
	if !transportRepeats(out) {
		out.Body = http.NoBody
		return
	}
	out.Body, out.TransferEncoding = emptyBody{}, identity()
}

func identity() []string { return []string{"identity"} }

// transportRepeats is the rule by which http.Transport takes a request without a body for idempotent.
func transportRepeats(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	return r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil
}
