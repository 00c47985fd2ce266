package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
)

func TestNothingWritten(t *testing.T) {
	t.Parallel()
	caller, peer := net.Pipe()
	conn := &countedConn{Conn: caller}
	go func() { _, _ = io.CopyN(io.Discard, peer, 5); peer.Close() }()
	if _, err := conn.Write([]byte("first")); err != nil {
		t.Fatal(err)
	}
	var second, unknown attempt
	second.got(conn)
	if _, err := conn.Write([]byte("second")); err == nil {
		t.Fatal("the peer has closed")
	}
	if !second.nothingWritten() {
		t.Error("bytes of an earlier request count for this one")
	}
	conn.written.Add(1)
	if second.nothingWritten() {
		t.Error("one byte may have arrived")
	}
	if unknown.got(caller); unknown.nothingWritten() {
		t.Error("what is not known counts as safe")
	}
}

func TestPredicates(t *testing.T) {
	t.Parallel()
	refused := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for name, c := range map[string]struct {
		err                error
		neverConnected, to bool
	}{
		"refused":          {fmt.Errorf("round trip: %w", &connectError{refused}), true, false},
		"connect timeout":  {&connectError{os.ErrDeadlineExceeded}, true, true}, // judged by neverConnected first
		"reset":            {&net.OpError{Op: "read", Err: errors.New("connection reset")}, false, false},
		"looks like dial":  {refused, false, false},
		"header timeout":   {os.ErrDeadlineExceeded, false, true},
		"end of the world": {io.ErrUnexpectedEOF, false, false},
	} {
		if got := neverConnected(c.err); got != c.neverConnected {
			t.Errorf("%s: never connected %v", name, got)
		}
		if got := timedOut(c.err); got != c.to {
			t.Errorf("%s: timed out %v", name, got)
		}
	}
}

func TestTransportIsKeptFromRepeating(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, key string
		want        bool
	}{
		"get": {"GET", "", true}, "head": {"HEAD", "", true}, "trace": {"TRACE", "", true}, "options": {"OPTIONS", "", true},
		"post": {"POST", "", false}, "post with a key": {"POST", "Idempotency-Key", true}, "put with the other": {"PUT", "X-Idempotency-Key", true},
	} {
		r := &http.Request{Method: c.method, Header: http.Header{}}
		if c.key != "" {
			r.Header.Set(c.key, "1")
		}
		unrepeatable(r)
		if _, marked := r.Body.(emptyBody); marked != c.want {
			t.Errorf("%s: %T", name, r.Body)
		}
	}
}

func TestWithoutAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"asleep until 18:00:30":                "asleep until 18:00:30",
		"dial 10.0.0.1:8080 refused":           "dial (address) refused",
		"at 10.0.0.1":                          "at (address)",
		"[fe80::1%eth0]:80 and fe80::1:2:3:4":  "(address) and (address)",
		"node-7.corp:20123 is full":            "(address) is full",
		"waiting for capacity: 3 of 5 (60 %).": "waiting for capacity: 3 of 5 (60 %).",
	} {
		if got := withoutAddresses(in); got != want {
			t.Errorf("%q: got %q", in, got)
		}
	}
}
