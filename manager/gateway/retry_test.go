package gateway_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/manager/gateway"
)

// scripted is an instance that speaks raw TCP: it counts the requests that it has read whole and does to each what
// the test says.
type scripted struct {
	address  string
	executed atomic.Int64
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// script starts an instance. act gets each request's number on its connection, from 1, and returns whether to read
// another; after false the connection is closed, with a reset if reset is set.
func script(t *testing.T, reset bool, act func(n int, conn net.Conn) bool) *scripted {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{address: l.Addr().String()}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { l.Close() })
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			wg.Go(func() { s.serve(conn, reset, act) })
		}
	})
	return s
}

func (s *scripted) serve(conn net.Conn, reset bool, act func(int, net.Conn) bool) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	for n := 1; ; n++ {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		s.executed.Add(1)
		if !act(n, conn) {
			if tcp, ok := conn.(*net.TCPConn); ok && reset {
				_ = tcp.SetLinger(0)
			}
			return
		}
	}
}

// TestNeverExecutedTwice has instances that read a whole request and break off before they answer, on a fresh
// connection or on one that has served before. Whatever the method, no instance may see the request again.
func TestNeverExecutedTwice(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"} {
		for _, kept := range []bool{false, true} {
			for _, reset := range []bool{false, true} {
				for _, body := range []string{"", "a body"} {
					name := method + map[bool]string{true: " kept", false: " fresh"}[kept] + map[bool]string{true: " reset", false: " closed"}[reset] + " " + body
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						neverTwice(t, method, body, kept, reset)
					})
				}
			}
		}
	}
}

func neverTwice(t *testing.T, method, body string, kept, reset bool) {
	t.Helper()
	act := func(n int, conn net.Conn) bool {
		if kept && n == 1 {
			_, _ = io.WriteString(conn, okAnswer)
			return true
		}
		return false
	}
	a, b := script(t, reset, act), script(t, reset, act)
	r := newRig(t, gateway.Config{}, app("hello", a.address, b.address))
	if kept { // a connection to each that has served
		eventually(t, "both have served", func() bool {
			if a.executed.Load() > 0 && b.executed.Load() > 0 {
				return true
			}
			r.publish(app("hello", map[bool]string{true: a.address, false: b.address}[a.executed.Load() == 0]))
			r.get(t, "/hello/api/warm")
			return false
		})
		r.publish(app("hello", a.address, b.address))
	}
	before := a.executed.Load() + b.executed.Load()
	resp := r.send(t, method, "/hello/api/charge", strings.NewReader(body), func(req *http.Request) {
		req.Header.Set("Idempotency-Key", "for which the transport would try again")
	})
	if resp.StatusCode != http.StatusBadGateway || resp.Header.Get(gateway.HeaderError) != gateway.CodeBrokeOff {
		t.Errorf("got %d %s", resp.StatusCode, resp.Header.Get(gateway.HeaderError))
	}
	if n := a.executed.Load() + b.executed.Load() - before; n != 1 {
		t.Errorf("executed %d times", n)
	}
}

func TestRefusedConnectionGoesToAnother(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		r := newRig(t, gateway.Config{}, app("hello", deadAddress(t), says(t, "alive"), deadAddress(t)))
		for range 20 {
			resp := r.send(t, method, "/hello/api/x", strings.NewReader("unread body"), nil)
			if got := text(t, resp); got != "alive" {
				t.Fatalf("got %d %s", resp.StatusCode, got)
			}
		}
		if got := r.scrape(t, "connect_failures_total"); got == "nightshift_gateway_connect_failures_total 0" {
			t.Error("no connect failed: the test shows nothing")
		}
	}
}

func TestBodyReachesTheSecondInstanceWhole(t *testing.T) {
	t.Parallel()
	echo := instance(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	dead := deadAddress(t)
	r := newRig(t, gateway.Config{}, app("hello", dead))
	body := strings.Repeat("0123456789", 100_000)
	done := make(chan string, 1)
	go func() {
		resp := r.send(t, http.MethodPost, "/hello/api/echo", strings.NewReader(body), nil)
		done <- text(t, resp)
	}()
	eventually(t, "the first connect fails", func() bool {
		return r.scrape(t, "connect_failures_total") != "nightshift_gateway_connect_failures_total 0"
	})
	r.publish(app("hello", echo))
	if got := <-done; got != body {
		t.Errorf("got %d bytes of %d", len(got), len(body))
	}
}

func TestAllRefuse(t *testing.T) {
	t.Parallel()
	dead := deadAddress(t)
	r := newRig(t, gateway.Config{ReconnectWait: 250 * time.Millisecond}, app("hello", dead, deadAddress(t)))
	start := time.Now()
	status, body, h := r.get(t, "/hello/api/x")
	if status != http.StatusBadGateway || h.Get(gateway.HeaderError) != gateway.CodeUnreachable || !strings.Contains(body, `\"hello\"`) {
		t.Errorf("got %d %s", status, body)
	}
	if took := time.Since(start); took < 200*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if strings.Contains(body, dead) || strings.Contains(body, "127.0.0.1") {
		t.Errorf("the answer tells an address: %s", body)
	}
}

// TestInstanceThatComesBack refuses at first and is up again at the same address before the wait is over.
func TestInstanceThatComesBack(t *testing.T) {
	t.Parallel()
	address := deadAddress(t)
	r := newRig(t, gateway.Config{}, app("hello", address))
	done := make(chan int, 1)
	go func() {
		resp := r.send(t, http.MethodPost, "/hello/api/x", strings.NewReader("body"), nil)
		done <- resp.StatusCode
	}()
	eventually(t, "a connect fails", func() bool {
		return r.scrape(t, "connect_failures_total") != "nightshift_gateway_connect_failures_total 0"
	})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Skip("somebody took the port meanwhile")
	}
	s := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	t.Cleanup(func() { s.Close() })
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	if got := <-done; got != http.StatusOK {
		t.Errorf("got %d", got)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var executed atomic.Int64
	slow := instance(t, func(http.ResponseWriter, *http.Request) { executed.Add(1); <-release })
	r := newRig(t, gateway.Config{ResponseTimeout: 60 * time.Millisecond}, app("hello", slow))
	t.Cleanup(func() { close(release) })
	status, body, h := r.get(t, "/hello/api/x")
	if status != http.StatusGatewayTimeout || h.Get(gateway.HeaderError) != gateway.CodeTimeout || executed.Load() != 1 {
		t.Errorf("got %d %s, executed %d", status, body, executed.Load())
	}
}

// TestBrokenOffAnswerDoesNotLookWhole: the caller must see an error, not a short answer.
func TestBrokenOffAnswerDoesNotLookWhole(t *testing.T) {
	t.Parallel()
	for name, head := range map[string]string{
		"length":  "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		s := script(t, false, func(_ int, conn net.Conn) bool { _, _ = io.WriteString(conn, head); return false })
		r := newRig(t, gateway.Config{}, app("hello", s.address))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL+"/hello/api/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := r.server.Client().Do(req)
		if err != nil {
			continue // cut before the header left: also an error
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: took %q for the whole answer", name, b)
		}
	}
}
