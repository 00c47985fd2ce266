package gateway_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/manager/gateway"
)

// TestSwapUnderLoad rolls an app from instance to instance while callers call: the old one leaves the picture, ends
// what is under way and closes. No caller may see it, and none may get another app's answer.
func TestSwapUnderLoad(t *testing.T) {
	t.Parallel()
	r := newRig(t, gateway.Config{})
	fresh := func(name string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			b, _ := io.ReadAll(req.Body)
			fmt.Fprintf(w, "%s %s", name, b)
		}))
	}
	other, current := fresh("other"), fresh("app")
	defer other.Close()
	r.publish(app("app", current.Listener.Addr().String()), app("other", other.Listener.Addr().String()))

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	served := make([]atomic.Int64, 8)
	for n := range served {
		name := []string{"app", "other"}[n%2]
		wg.Go(func() { callUntil(ctx, t, r, name, &served[n]) })
	}
	const swaps = 25
	for range swaps {
		old, next := current, fresh("app")
		r.publish(app("app", old.Listener.Addr().String(), next.Listener.Addr().String()), app("other", other.Listener.Addr().String()))
		allServed(t, served)
		r.publish(app("app", next.Listener.Addr().String()), app("other", other.Listener.Addr().String()))
		// Two requests of each caller later, none is under way that was routed by the old picture: it is what a
		// worker's shutdown delay is for. Now it ends what is under way and closes its idle connections.
		allServed(t, served)
		if err := old.Config.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		current = next
	}
	cancel()
	wg.Wait()
	current.Close()
}

// allServed waits until each caller has had two more answers.
func allServed(t *testing.T, served []atomic.Int64) {
	t.Helper()
	for n := range served {
		want := served[n].Load() + 2
		eventually(t, "a caller gets two answers", func() bool { return served[n].Load() >= want || t.Failed() })
	}
}

func callUntil(ctx context.Context, t *testing.T, r *rig, name string, served *atomic.Int64) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for n := 0; ctx.Err() == nil; n++ {
		body := fmt.Sprint("body ", n)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/"+name+"/api/x", strings.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := name + " " + body; err != nil || string(got) != want {
			t.Errorf("got %d %q, %v; want %q", resp.StatusCode, got, err, want)
			return
		}
		served.Add(1)
	}
}

// face serves the gateway as the manager does.
func face(t *testing.T, cfg httpserver.Config) *httpserver.Server {
	t.Helper()
	cfg.Name, cfg.Addr, cfg.Logger = "gateway", "127.0.0.1:0", zerolog.New(io.Discard)
	s := httpserver.New(cfg)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return s
}

func TestHTTP2AndTLS(t *testing.T) {
	t.Parallel()
	address := instance(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		fmt.Fprintf(w, "%s %s %s", r.Proto, r.Header.Get("X-Forwarded-Proto"), b)
		w.Header().Set("X-Sum", "42")
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	donor := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(donor.Close)
	s := face(t, httpserver.Config{Handler: r.gateway, TLS: &tls.Config{Certificates: donor.TLS.Certificates}})
	roots := donor.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Addr()+"/hello/api/x", io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := text(t, resp); resp.Proto != "HTTP/2.0" || got != "HTTP/1.1 https body" || resp.Trailer.Get("X-Sum") != "42" {
		t.Errorf("got %s %q %v", resp.Proto, got, resp.Trailer)
	}
}

// TestSlowHeaders: callers that never finish their header cost the app nothing and are cut.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, gateway.Config{}, app("hello", says(t, "hi")))
	s := face(t, httpserver.Config{Handler: r.gateway, ReadHeaderTimeout: 50 * time.Millisecond})
	var conns []net.Conn
	for range 20 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "GET /hello/api/x HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("not cut: %v", err)
		}
	}
	if load := r.gateway.Load(); len(load) != 0 {
		t.Errorf("they reached the app: %+v", load)
	}
}

// TestShutdownEndsWebSockets: an upgraded connection must not outlive the server.
func TestShutdownEndsUpgrades(t *testing.T) {
	t.Parallel()
	up := make(chan struct{})
	s := script(t, false, func(_ int, conn net.Conn) bool {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\n\r\nhello")
		close(up)
		_, _ = io.Copy(io.Discard, conn)
		return false
	})
	r := newRig(t, gateway.Config{}, app("hello", s.address))
	f := face(t, httpserver.Config{Handler: r.gateway})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", f.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /hello/api/x HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: raw\r\n\r\n")
	<-up
	if err := f.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(conn)
	if err != nil || !strings.HasSuffix(string(got), "\r\n\r\nhello") {
		t.Errorf("got %q, %v", got, err)
	}
}
