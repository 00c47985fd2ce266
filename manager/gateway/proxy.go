package gateway

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"sync"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// bodyGrace is how long a caller that has its answer may take to finish the request that it still sends.
const bodyGrace = 5 * time.Second

// exchange is one request on its way through the gateway. Its goroutine is the handler's; what the transport's
// goroutines touch is said at the field.
type exchange struct {
	g      *Gateway
	w      http.ResponseWriter
	in     *http.Request
	target target
	state  *appState

	trace    httptrace.ClientTrace
	attempt  attempt
	body     *requestBody // nil: the request has none
	endpoint *endpoint    // while a request to it is under way
	sentAt   time.Time
	status   int // of the answer

	wakeBy    time.Time // when waiting for a first instance ends; zero until it begins
	connectBy time.Time // when outlasting refused connections ends; zero until one was refused

	interim  sync.Mutex // guards answered and, until it is set, the answer's headers: 1xx answers come on the transport's goroutine
	answered bool
}

// run sends the request on and the answer back. A failure means that nothing has been answered yet. It panics with
// http.ErrAbortHandler when the answer broke off, so that the caller cannot take it for a whole one.
func (x *exchange) run() *failure {
	out, fail := x.request()
	if fail != nil {
		return fail
	}
	resp, fail := x.send(out)
	if fail != nil {
		x.noMoreInterim()
		return fail
	}
	defer resp.Body.Close()
	x.g.metrics.latency.Observe(time.Since(x.sentAt).Seconds())
	x.noMoreInterim()
	return x.reply(resp)
}

// end settles the counters. It also bounds how long the server waits for a request body that nobody reads any more.
func (x *exchange) end() {
	if x.endpoint != nil {
		x.endpoint.outstanding.Add(-1)
	}
	x.state.count(x.status)
	if x.body != nil && !x.body.ended.Load() {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(bodyGrace)) // not every writer can
	}
	if e := x.g.logger.Debug(); e.Enabled() {
		e.Str("app", x.state.name).Str("method", x.in.Method).Str("path", x.in.URL.Path).Int("status", x.status).
			Dur("took", time.Since(x.sentAt)).Msg("proxied")
	}
}

// request makes the outgoing request, without the instance's address.
func (x *exchange) request() (*http.Request, *failure) {
	token, err := x.g.signer.Token(x.target.app.Name)
	if err != nil {
		x.g.logger.Error().Str("app", x.state.name).Err(err).Msg("request token")
		return nil, failInternal(x.state.name)
	}
	x.trace.GotConn = func(i httptrace.GotConnInfo) { x.attempt.got(i.Conn) }
	x.trace.Got1xxResponse = x.forwardInterim
	out := x.in.WithContext(httptrace.WithClientTrace(x.in.Context(), &x.trace))
	in := x.in.URL
	out.URL = &url.URL{Scheme: "http", Path: x.target.path, RawPath: x.target.raw, RawQuery: in.RawQuery, ForceQuery: in.ForceQuery}
	if out.Host == "" { // HTTP/1.0: without it the function would be told the instance's address
		out.Host = x.state.name + "." + x.g.cfg.Domain
	}
	out.RequestURI, out.Close, out.TransferEncoding = "", false, nil
	out.Header = make(http.Header, len(x.in.Header)+extraHeaders)
	x.g.requestHeaders(out.Header, x.in, x.target.prefix)
	out.Header[hostapi.HeaderRequestToken] = []string{token}
	x.setBody(out)
	return out, nil
}

func (x *exchange) setBody(out *http.Request) {
	if x.in.Body == nil || x.in.Body == http.NoBody || x.in.ContentLength == 0 {
		out.ContentLength = 0
		unrepeatable(out)
		return
	}
	x.body = &requestBody{src: x.in.Body}
	out.Body = x.body
	// A function may answer while it is still being sent to; without this the server would read the request to its
	// end before it lets the answer begin. HTTP/2 needs it not.
	_ = http.NewResponseController(x.w).EnableFullDuplex()
}

// send picks instances until one answers. It ends: an instance that refuses is out for a while, and outlasting that
// has a deadline.
func (x *exchange) send(out *http.Request) (*http.Response, *failure) {
	c := x.state.compile(x.target.app, x.g.snapshots)
	for {
		ready, fail := x.ready(c)
		if fail != nil {
			return nil, fail
		}
		c = ready
		e := c.pick(time.Now().UnixNano())
		if e == nil {
			if c, fail = x.outlast(); fail != nil {
				return nil, fail
			}
			continue
		}
		resp, err := x.try(out, e)
		if err == nil {
			return resp, nil
		}
		if fail := x.judge(err, e); fail != nil {
			return nil, fail
		}
		out = again(out)
	}
}

// ready waits for a first instance if there is none.
func (x *exchange) ready(c *compiledApp) (*compiledApp, *failure) {
	if len(c.targets) > 0 {
		return c, nil
	}
	if len(c.app.Targets) == 0 {
		return nil, failNoRevision(c.app)
	}
	if x.wakeBy.IsZero() {
		x.wakeBy = time.Now().Add(x.g.cfg.WakeTimeout)
	}
	return x.g.wake(x.in.Context(), x.state, x.wakeBy)
}

// outlast waits until an instance that is out may be tried again or the picture changes.
func (x *exchange) outlast() (*compiledApp, *failure) {
	if x.connectBy.IsZero() {
		x.connectBy = time.Now().Add(x.g.cfg.ReconnectWait)
	}
	changed := x.g.snapshots.Changed()
	app, fail := x.g.find(x.state.name)
	if fail != nil {
		return nil, fail
	}
	c := x.state.compile(app, x.g.snapshots)
	now := time.Now()
	wait := min(time.Until(time.Unix(0, c.backAt())), x.connectBy.Sub(now))
	switch {
	case len(c.targets) == 0 || wait <= 0 && now.Before(x.connectBy):
		return c, nil
	case wait <= 0:
		return nil, failUnreachable(x.state.name)
	case !await(x.in.Context(), changed, wait):
		return nil, failClientGone()
	}
	if app, fail = x.g.find(x.state.name); fail != nil {
		return nil, fail
	}
	return x.state.compile(app, x.g.snapshots), nil
}

func (x *exchange) try(out *http.Request, e *endpoint) (*http.Response, error) {
	x.attempt, x.endpoint, x.sentAt = attempt{}, e, time.Now()
	e.outstanding.Add(1)
	out.URL.Host = e.Address
	resp, err := x.g.transport.RoundTrip(out)
	if err != nil {
		e.outstanding.Add(-1)
		x.endpoint = nil
		return nil, err // judged by the caller, never shown
	}
	e.connected()
	return resp, nil
}

// again copies a request that failed, because the transport may still hold it.
func again(out *http.Request) *http.Request {
	next, u := *out, *out.URL
	next.URL = &u
	return &next
}

// judge returns nil when another try is safe, by the rule of retry.go.
func (x *exchange) judge(err error, e *endpoint) *failure {
	if x.in.Context().Err() != nil {
		return failClientGone()
	}
	log := x.g.logger.With().Str("app", x.state.name).Str("instance", e.InstanceID).Str("address", e.Address).Err(err).Logger()
	refused := neverConnected(err)
	if refused {
		x.g.metrics.connectFailures.Inc()
		if e.connectFailed(time.Now().UnixNano()) {
			log.Warn().Msg("instance cannot be connected to; leaving it alone for a while")
		}
	}
	if unread := x.body == nil || !x.body.read.Load(); unread && (refused || x.attempt.nothingWritten()) {
		return x.mayTryAgain()
	}
	switch {
	case x.body != nil && x.body.broken.Load():
		return failBrokenBody(x.state.name)
	case timedOut(err):
		log.Warn().Msg("instance did not answer in time")
		return failTimeout(x.state.name, x.g.cfg.ResponseTimeout)
	}
	log.Warn().Msg("instance broke off before it answered")
	return failBrokeOff(x.state.name)
}

func (x *exchange) mayTryAgain() *failure {
	now := time.Now()
	if x.connectBy.IsZero() {
		x.connectBy = now.Add(x.g.cfg.ReconnectWait)
	}
	if now.After(x.connectBy) {
		return failUnreachable(x.state.name)
	}
	x.g.metrics.retries.Inc()
	return nil
}

// reply sends the answer back.
func (x *exchange) reply(resp *http.Response) *failure {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return x.upgrade(resp)
	}
	h := x.w.Header()
	responseHeaders(h, resp.Header)
	announced := announceTrailers(h, resp.Trailer)
	x.status = resp.StatusCode
	x.w.WriteHeader(resp.StatusCode)
	x.copyBody(resp)
	sendTrailers(h, resp.Trailer, announced)
	return nil
}

// copyBody sends on what comes as it comes. The last piece of an answer of known length is left to the server,
// which sends it together with the header if both are short.
func (x *exchange) copyBody(resp *http.Response) {
	flush := http.NewResponseController(x.w)
	if resp.ContentLength < 0 && x.in.Method != http.MethodHead {
		_ = flush.Flush() // the header must not wait for the first piece
	}
	buffer, _ := x.g.buffers.Get().(*[]byte)
	defer x.g.buffers.Put(buffer)
	for left := resp.ContentLength; ; {
		n, err := resp.Body.Read(*buffer)
		if n > 0 {
			if _, werr := x.w.Write((*buffer)[:n]); werr != nil {
				return // the caller has gone
			}
			if left -= int64(n); left != 0 && err == nil {
				_ = flush.Flush()
			}
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			x.abort(err)
		}
	}
}

// abort cuts the caller's connection in the middle of an answer.
func (x *exchange) abort(err error) {
	if x.in.Context().Err() == nil {
		x.g.metrics.aborted.Inc()
		x.g.logger.Warn().Str("app", x.state.name).Str("instance", x.endpoint.InstanceID).Err(err).Msg("instance broke off its answer")
	}
	panic(http.ErrAbortHandler)
}

// forwardInterim sends an informational answer (103 Early Hints) on. 100 is not sent on: the server sends its own
// when the body is first read.
func (x *exchange) forwardInterim(code int, header textproto.MIMEHeader) error {
	x.interim.Lock()
	defer x.interim.Unlock()
	if x.answered || code == http.StatusContinue {
		return nil
	}
	h := x.w.Header()
	responseHeaders(h, http.Header(header))
	x.w.WriteHeader(code)
	for name := range header {
		delete(h, name)
	}
	return nil
}

func (x *exchange) noMoreInterim() {
	x.interim.Lock()
	x.answered = true
	x.interim.Unlock()
}
