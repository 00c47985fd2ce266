//go:build !windows

package host_test

import (
	"io"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// cpu returns the processor time that this process has used: the host's and the test client's, not its children's.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// discard answers into memory, so that no client's cost is in the figures.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }

// benchmarkServe calls the host's handler from as many goroutines as there are callers at once.
func benchmarkServe(b *testing.B, i *instance, path string, want int) {
	b.Helper()
	const callers = 16
	token, err := i.signer.Token("hello")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	before := cpu(b)
	work := make(chan struct{}, callers)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range work {
				req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://localhost:7081"+path, http.NoBody)
				req.RequestURI, req.Host = path, "localhost:7081"
				req.Header = http.Header{hostapi.HeaderRequestToken: {token}, "User-Agent": {"bench"}, "Accept": {"*/*"}}
				w := &discard{header: http.Header{}}
				i.host.ServeHTTP(w, req)
				if w.status != want {
					b.Errorf("status %d", w.status)
				}
			}
		})
	}
	n := 0
	for b.Loop() {
		work <- struct{}{}
		n++
	}
	close(work)
	group.Wait()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(n), "cpu-µs/op")
}

func BenchmarkLanguageWorker(b *testing.B) {
	i := launch(b, options{})
	i.up(hostapi.StateStandby)
	benchmarkServe(b, i, "/api/hello?name=Go", 200)
}

func BenchmarkNode(b *testing.B) {
	i := launch(b, options{files: nodeApp(b, nodeCode), languages: languages(b)})
	i.up(hostapi.StateStandby)
	benchmarkServe(b, i, "/api/locked?code=the-host-key", 200)
}

func BenchmarkCustomHandlerForwarding(b *testing.B) {
	i := launch(b, options{files: handlerApp(b, `,"enableForwardingHttpRequest":true`), runtime: "custom"})
	i.up(hostapi.StateStandby)
	benchmarkServe(b, i, "/api/echo/1", http.StatusTeapot)
}

// BenchmarkOverTheWire includes net/http on both sides, this process's client among them.
func BenchmarkOverTheWire(b *testing.B) {
	i := launch(b, options{})
	i.up(hostapi.StateStandby)
	token, err := i.signer.Token("hello")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	before := cpu(b)
	n := 0
	for b.Loop() {
		req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, i.url+"/api/hello", http.NoBody)
		req.Header.Set(hostapi.HeaderRequestToken, token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		n++
	}
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(n), "cpu-µs/op")
}
