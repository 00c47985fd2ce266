//go:build unix

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nightshift-functions/nightshift/manager/gateway"
)

// backendVariable makes the test binary the trivial backend, so that its CPU is not counted as the proxy's.
const (
	backendVariable = "GATEWAY_BENCH_BACKEND"
	callersVariable = "GATEWAY_BENCH_CALLERS" // "<url> <requests>": 32 callers send them
)

func TestMain(m *testing.M) {
	var err error
	backend, callers := os.Getenv(backendVariable), os.Getenv(callersVariable)
	switch {
	case backend != "":
		err = backendMain()
	case callers != "":
		err = callersMain(callers)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func callersMain(work string) error {
	var to string
	var n int64
	if _, err := fmt.Sscan(work, &to, &n); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var left atomic.Int64
	left.Store(n)
	var g errgroup.Group
	for range 32 {
		g.Go(func() error {
			for left.Add(-1) >= 0 {
				if err := call(client, to); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

func call(client *http.Client, to string) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, to, nil)
	if err != nil {
		return err
	}
	req.Host = "hello.functions.localhost"
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello world" {
		return fmt.Errorf("got %d %q, %w", resp.StatusCode, body, err)
	}
	return nil
}

// backendMain serves until its standard input closes; its first line of output is its address.
func backendMain() error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, l.Addr())
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); l.Close() }()
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello world")
	})}
	if err := s.Serve(l); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func backendProcess(b *testing.B) string {
	b.Helper()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe)
	cmd.Env = append(os.Environ(), backendVariable+"=1")
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(string(line[:n]))
}

// nullWriter is a ResponseWriter that costs nothing, so that what is measured is the proxy and its client side.
type nullWriter struct{ h http.Header }

func (w nullWriter) Header() http.Header         { return w.h }
func (w nullWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w nullWriter) WriteHeader(int)             {}
func (w nullWriter) Flush()                      {}

func plainProxy(address string) http.Handler {
	u := &url.URL{Scheme: "http", Host: address}
	return &httputil.ReverseProxy{
		Rewrite:    func(p *httputil.ProxyRequest) { p.SetURL(u); p.SetXForwarded() },
		Transport:  &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
		BufferPool: &bufferPool{sync.Pool{New: func() any { return new(buffer) }}},
	}
}

type buffer [32 << 10]byte

type bufferPool struct{ p sync.Pool }

func (b *bufferPool) Get() []byte  { return b.p.Get().(*buffer)[:] }
func (b *bufferPool) Put(p []byte) { b.p.Put((*buffer)(p)) }

// BenchmarkHandler compares the handlers alone: no listening socket, a backend in another process.
func BenchmarkHandler(b *testing.B) {
	address := backendProcess(b)
	rig := newRig(b, gateway.Config{}, app("hello", address))
	for name, h := range map[string]http.Handler{"ReverseProxy": plainProxy(address), "gateway": rig.gateway} {
		b.Run(name, func(b *testing.B) { benchHandler(b, h) })
	}
}

func benchHandler(b *testing.B, h http.Handler) {
	b.Helper()
	b.ReportAllocs()
	before := cpu(b)
	for b.Loop() {
		h.ServeHTTP(nullWriter{http.Header{}}, benchRequest(b))
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

func benchRequest(b *testing.B) *http.Request {
	b.Helper()
	return (&http.Request{
		Method: http.MethodGet, Host: "hello.functions.localhost", RequestURI: "/api/hello?name=x", RemoteAddr: "10.0.0.9:50000",
		URL: &url.URL{Path: "/api/hello", RawQuery: "name=x"}, ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody,
		Header: http.Header{"Accept": {"*/*"}, "User-Agent": {"bench"}, "X-Functions-Key": {"k"}, "Traceparent": {"00-1-2-00"}},
	}).WithContext(b.Context())
}

// BenchmarkHop is the whole hop with 32 callers: proxy in this process, backend in another, callers in a third, so
// that the CPU of this process is the proxy's alone.
func BenchmarkHop(b *testing.B) {
	address := backendProcess(b)
	rig := newRig(b, gateway.Config{}, app("hello", address))
	for name, h := range map[string]http.Handler{"ReverseProxy": plainProxy(address), "gateway": rig.gateway} {
		b.Run(name, func(b *testing.B) { benchHop(b, h) })
	}
}

func benchHop(b *testing.B, h http.Handler) {
	b.Helper()
	s := httptest.NewServer(h)
	defer s.Close()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s/api/hello?name=x %d", callersVariable, s.URL, b.N))
	before := cpu(b)
	b.ResetTimer()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v", out, err)
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
