package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// result is one slice of load on one target.
type result struct {
	requests  int
	seconds   float64
	latencies []time.Duration
	cpu       map[string]float64 // ms per request, by hop
}

func (r result) perSecond() float64 { return float64(r.requests) / r.seconds }

func (r result) percentile(p float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(len(r.latencies)-1, int(float64(len(r.latencies))*p))]
}

// load keeps the given number of connections busy, one request at a time on each. The client is bare on purpose: it
// shares the cores with what it measures.
func load(ctx context.Context, t target, connections int, length time.Duration) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	before, err := t.cpu()
	if err != nil {
		return result{}, err
	}
	started := time.Now()
	all, err := connect(ctx, t, connections)
	elapsed := time.Since(started).Seconds()
	if err != nil {
		return result{}, err
	}
	after, err := t.cpu()
	if err != nil {
		return result{}, err
	}
	r := result{seconds: elapsed, latencies: all, requests: len(all), cpu: map[string]float64{}}
	slices.Sort(r.latencies)
	for hop, ms := range after {
		r.cpu[hop] = (ms - before[hop]) / float64(max(1, r.requests))
	}
	return r, nil
}

func connect(ctx context.Context, t target, connections int) ([]time.Duration, error) {
	var (
		mu   sync.Mutex
		all  []time.Duration
		errs []error
		wg   sync.WaitGroup
	)
	for range connections {
		wg.Go(func() {
			latencies, err := client(ctx, t)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, latencies...)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return all, errors.Join(errs...)
}

func client(ctx context.Context, t target) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", t.path, t.address)
	reader := bufio.NewReader(conn)
	var latencies []time.Duration
	for ctx.Err() == nil {
		began := time.Now()
		if err := exchange(conn, reader, request, t.answer); err != nil {
			return latencies, fmt.Errorf("%s: %w", t.name, err)
		}
		latencies = append(latencies, time.Since(began))
	}
	return latencies, nil
}

func exchange(conn net.Conn, reader *bufio.Reader, request []byte, want string) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(want)) {
		return fmt.Errorf("answered %d %q", res.StatusCode, body)
	}
	return nil
}
