package httpserver_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

func start(t *testing.T, cfg httpserver.Config) *httpserver.Server {
	t.Helper()
	cfg.Name, cfg.Addr, cfg.Logger = "test face", "127.0.0.1:0", zerolog.New(io.Discard)
	s := httpserver.New(cfg)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return s
}

func get(t *testing.T, client *http.Client, url string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func TestServesUntilShutdown(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	s := start(t, httpserver.Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-leave
		_, _ = io.WriteString(w, "whole answer")
	})})
	answer := make(chan string, 1)
	go func() {
		_, body, _ := get(t, http.DefaultClient, "http://"+s.Addr())
		answer <- body
	}()
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	select {
	case err := <-ended:
		t.Fatalf("shutdown did not wait for the request under way: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(leave)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "whole answer" {
		t.Errorf("got %q", got)
	}
	if _, err := net.DialTimeout("tcp", s.Addr(), time.Second); err == nil {
		t.Error("it still listens")
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}), make(chan struct{})
	s := start(t, httpserver.Config{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(left)
	})})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("want an error that says a request was cut")
	}
	<-left
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	s := start(t, httpserver.Config{Handler: http.NotFoundHandler()})
	second := httpserver.New(httpserver.Config{Name: "gateway", Addr: s.Addr(), AddrFlag: "--gateway-addr"})
	err := second.Start(t.Context())
	if azfunc.CodeOf(err) != azfunc.Conflict {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"gateway", s.Addr(), "another process", "--gateway-addr"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if err := second.Shutdown(t.Context()); err != nil {
		t.Errorf("shutting down what never started: %v", err)
	}
}

func TestBadAddressNamesTheFlag(t *testing.T) {
	t.Parallel()
	err := httpserver.New(httpserver.Config{Name: "portal", Addr: "nonsense", AddrFlag: "--addr"}).Start(t.Context())
	if azfunc.CodeOf(err) != azfunc.Invalid || !strings.Contains(err.Error(), "--addr") {
		t.Errorf("got %v", err)
	}
}

func TestSlowHeaderIsCut(t *testing.T) {
	t.Parallel()
	s := start(t, httpserver.Config{ReadHeaderTimeout: 50 * time.Millisecond, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a request without a whole header reached the handler")
	})})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow")
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(conn); err != nil {
		t.Errorf("the server did not close the connection: %v", err)
	}
}

func TestTLSSpeaksHTTP2(t *testing.T) {
	t.Parallel()
	donor := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(donor.Close)
	s := start(t, httpserver.Config{
		TLS:     &tls.Config{Certificates: donor.TLS.Certificates},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }),
	})
	roots := donor.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	if _, body, _ := get(t, client, "https://"+s.Addr()); body != "HTTP/2.0" {
		t.Errorf("got %s", body)
	}
}
