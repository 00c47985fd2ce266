package gateway_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/nightshift-functions/nightshift/manager/gateway"
)

// TestEventsArriveBeforeTheEnd: each event is seen while the function still runs.
func TestEventsArriveBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]string{"chunked": "", "known length": "16"} {
		next := make(chan struct{})
		address := instance(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			for n := range 2 {
				fmt.Fprintf(w, "data: %d\n", n)
				_ = http.NewResponseController(w).Flush()
				<-next
			}
		})
		r := newRig(t, gateway.Config{}, app("hello", address))
		resp := r.send(t, http.MethodGet, "/hello/api/events", nil, nil)
		lines := bufio.NewReader(resp.Body)
		for n := range 2 {
			line, err := lines.ReadString('\n')
			if want := fmt.Sprintf("data: %d\n", n); err != nil || line != want {
				t.Fatalf("%s: got %q, %v", name, line, err)
			}
			next <- struct{}{}
		}
	}
}

// TestHeaderArrivesBeforeTheBody: a function may answer 200 and think.
func TestHeaderArrivesBeforeTheBody(t *testing.T) {
	t.Parallel()
	think := make(chan struct{})
	address := instance(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		<-think
		_, _ = io.WriteString(w, "thought")
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	resp := r.send(t, http.MethodGet, "/hello/api/x", nil, nil) // returns with the header
	close(think)
	if got := text(t, resp); got != "thought" {
		t.Errorf("got %q", got)
	}
}

// TestBothWaysAtOnce: the function answers the first piece before the second is sent.
func TestBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	address := instance(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := rc.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		for lines := bufio.NewReader(r.Body); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				return
			}
			_, _ = io.WriteString(w, "heard "+line)
			_ = rc.Flush()
		}
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	body, say := io.Pipe()
	go func() { _, _ = io.WriteString(say, "one\n") }()
	resp := r.send(t, http.MethodPost, "/hello/api/chat", body, nil)
	lines := bufio.NewReader(resp.Body)
	for _, word := range []string{"one", "two", "three"} {
		if line, err := lines.ReadString('\n'); err != nil || line != "heard "+word+"\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		if next := map[string]string{"one": "two\n", "two": "three\n"}[word]; next != "" {
			_, _ = io.WriteString(say, next)
		}
	}
	say.Close()
	if rest := text(t, resp); rest != "" {
		t.Errorf("rest %q", rest)
	}
}

func TestLargeBodiesAreNotKept(t *testing.T) {
	t.Parallel()
	const size = 256 << 20
	address := instance(t, func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Sum", hex.EncodeToString(h.Sum(nil)))
		_, _ = io.CopyN(w, zeros{}, n)
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	resp := r.send(t, http.MethodPost, "/hello/api/large", io.LimitReader(zeros{}, size), nil)
	got := sha256.New()
	n, err := io.Copy(got, resp.Body)
	runtime.ReadMemStats(&after)
	if err != nil || n != size || hex.EncodeToString(got.Sum(nil)) != resp.Header.Get("X-Sum") {
		t.Errorf("%d bytes, %v, sum %s", n, err, resp.Header.Get("X-Sum"))
	}
	// All of caller, gateway, instance and the tests beside: far less than either body.
	if grown := after.TotalAlloc - before.TotalAlloc; grown > size/2 {
		t.Errorf("%d MB were allocated for bodies of %d MB", grown>>20, size>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestCallerGoesAndTheFunctionHearsOfIt(t *testing.T) {
	t.Parallel()
	entered, cancelled := make(chan struct{}), make(chan struct{})
	address := instance(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(cancelled)
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL+"/hello/api/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-entered; cancel() }()
	if resp, err := r.server.Client().Do(req); err == nil {
		resp.Body.Close()
		t.Error("want an error")
	}
	select {
	case <-cancelled:
	case <-time.After(10 * time.Second):
		t.Error("the function was not told")
	}
	eventually(t, "its slot is free again", func() bool {
		return r.scrape(t, "requests_in_flight") == `nightshift_gateway_requests_in_flight{app="hello"} 0`
	})
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	address := instance(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{"chat"}})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		for {
			kind, data, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if string(data) == "bye" {
				_ = c.Close(websocket.StatusGoingAway, "the function's last word")
				return
			}
			if err := c.Write(r.Context(), kind, append([]byte("echo "), data...)); err != nil {
				return
			}
		}
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	c, resp, err := websocket.Dial(t.Context(), r.server.URL+"/hello/api/ws", &websocket.DialOptions{Subprotocols: []string{"chat"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if got := resp.Header.Get("Sec-Websocket-Protocol"); got != "chat" {
		t.Errorf("protocol %q", got)
	}
	for _, word := range []string{"one", strings.Repeat("x", 20_000)} {
		if err := c.Write(t.Context(), websocket.MessageText, []byte(word)); err != nil {
			t.Fatal(err)
		}
		if _, data, err := c.Read(t.Context()); err != nil || string(data) != "echo "+word {
			t.Fatalf("got %.40q, %v", data, err)
		}
	}
	_ = c.Write(t.Context(), websocket.MessageText, []byte("bye"))
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Errorf("closed with %v", err)
	}
	eventually(t, "its slot is free again", func() bool {
		return r.scrape(t, "requests_in_flight") == `nightshift_gateway_requests_in_flight{app="hello"} 0`
	})
}

func TestUnaskedSwitchOfProtocolIsRefused(t *testing.T) {
	t.Parallel()
	s := script(t, false, func(_ int, conn net.Conn) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\n")
		return true
	})
	r := newRig(t, gateway.Config{}, app("hello", s.address))
	if status, _, h := r.get(t, "/hello/api/x"); status != http.StatusBadGateway || h.Get(gateway.HeaderError) != gateway.CodeBrokeOff {
		t.Errorf("got %d", status)
	}
}

func TestTrailersAndEarlyHints(t *testing.T) {
	t.Parallel()
	address := instance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s, trailer %s", body, r.Trailer.Get("X-Request-Sum"))
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Unannounced", "43")
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	var hints atomic.Value
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints.Store(fmt.Sprint(code, h["Link"]))
		return nil
	}}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, r.server.URL+"/hello/api/x", io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	req.Trailer = http.Header{"X-Request-Sum": {"41"}}
	resp, err := r.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := text(t, resp); got != "body, trailer 41" {
		t.Errorf("got %q", got)
	}
	if resp.Trailer.Get("X-Sum") != "42" || resp.Trailer.Get("X-Unannounced") != "43" {
		t.Errorf("trailers %v", resp.Trailer)
	}
	if got := hints.Load(); got != "103 [</style.css>; rel=preload]" || resp.Header["Link"] != nil {
		t.Errorf("hints %v, link in the answer %v", got, resp.Header["Link"])
	}
}

// TestExpectContinue: the caller is told to go on when the function begins to read, and not before.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	address := instance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	for path, want := range map[string]string{"/hello/take": "200 the body, continued true", "/hello/refuse": "403 , continued false"} {
		var continued atomic.Bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { continued.Store(true) }})
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL+path, strings.NewReader("the body"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Expect", "100-continue")
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: 30 * time.Second}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d %s, continued %v", resp.StatusCode, text(t, resp), continued.Load()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		resp.Body.Close()
		client.CloseIdleConnections()
	}
}

// TestAmbiguousLength: with both lengths the chunks count, and what follows them must not become a second request
// at the instance.
func TestAmbiguousLength(t *testing.T) {
	t.Parallel()
	var seen atomic.Int64
	var body atomic.Value
	address := instance(t, func(_ http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		b, _ := io.ReadAll(r.Body)
		body.Store(r.URL.Path + " " + string(b) + " " + strings.Join(r.TransferEncoding, ","))
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	for name, c := range map[string]struct {
		request string
		allowed []string // status lines; the first answer
	}{
		"both lengths":         {"POST /hello/api/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", []string{"200", "400"}},
		"two lengths":          {"POST /hello/api/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 30\r\n\r\nabc", []string{"400"}},
		"odd encoding":         {"POST /hello/api/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", []string{"400", "501"}},
		"space before colon":   {"POST /hello/api/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", []string{"400"}},
		"line folding":         {"GET /hello/api/a HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\tTransfer-Encoding: chunked\r\n\r\n", []string{"200", "400"}},
		"length with a sign":   {"POST /hello/api/a HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", []string{"400"}},
		"two hosts":            {"GET /hello/api/a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", []string{"400"}},
		"absolute form":        {"GET http://evil.example/hello/api/a HTTP/1.1\r\nHost: x\r\n\r\n", []string{"200"}},
		"tunnel":               {"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n", []string{"400"}},
		"connection names all": {"GET /hello/api/a HTTP/1.1\r\nHost: x\r\nConnection: X-Nightshift-Token, Host, Content-Length\r\n\r\n", []string{"200"}},
	} {
		before := seen.Load()
		status := rawExchange(t, r.server, c.request)
		ok := false
		for _, a := range c.allowed {
			ok = ok || strings.HasPrefix(status, "HTTP/1.1 "+a)
		}
		if n := seen.Load() - before; !ok || n > 1 || (n == 1) != strings.Contains(status, " 200 ") {
			t.Errorf("%s: %q, %d requests at the instance", name, status, n)
		}
		if name == "both lengths" && strings.Contains(status, " 200 ") && body.Load() != "/api/a abc chunked" {
			t.Errorf("%s: the instance got %q", name, body.Load())
		}
	}
}

func rawExchange(t *testing.T, s *httptest.Server, request string) (statusLine string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, request)
	statusLine, err = bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return statusLine
}

// TestEarlyAnswerToAStalledUpload: the function refuses a body that the caller does not go on sending. Neither the
// answer nor the app's slot may wait for the caller.
func TestEarlyAnswerToAStalledUpload(t *testing.T) {
	t.Parallel()
	s := script413(t)
	r := newRig(t, gateway.Config{}, app("hello", s))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, "POST /hello/api/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfirst words")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestEntityTooLarge || !bytes.Equal(body, []byte("no")) {
		t.Errorf("got %d %q", resp.StatusCode, body)
	}
	eventually(t, "its slot is free again", func() bool {
		return r.scrape(t, "requests_in_flight") == `nightshift_gateway_requests_in_flight{app="hello"} 0`
	})
}

// script413 answers as soon as it has a request's header and leaves the body unread.
func script413(t *testing.T) string {
	t.Helper()
	return instance(t, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "no")
	})
}
