package rpc

import (
	"context"
	"fmt"
	"math"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// MaxMessageBytes is the message limit of both directions: none, as language workers are told by their arguments.
const MaxMessageBytes = math.MaxInt32

// firstMessageTimeout is how long a connection may stay silent before it says who it is.
const firstMessageTimeout = 10 * time.Second

// Server accepts language workers' streams. It is safe for concurrent use.
type Server struct {
	rpcpb.UnimplementedFunctionRpcServer

	grpc     *grpc.Server
	listener net.Listener
	done     chan struct{}

	mu       sync.Mutex
	expected map[string]*expectation
}

// expectation is one language worker that was started and has not connected, or has.
type expectation struct {
	deliver func(*rpcpb.StreamingMessage)
	stream  chan *Stream // holds the stream once it is open
	taken   bool
}

// Listen starts a server on a free loopback port. Stop ends it.
func Listen(ctx context.Context) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for language workers: %w", err)
	}
	s := &Server{
		listener: listener,
		done:     make(chan struct{}),
		expected: map[string]*expectation{},
		grpc: grpc.NewServer(grpc.MaxRecvMsgSize(MaxMessageBytes), grpc.MaxSendMsgSize(MaxMessageBytes),
			// A body of some megabytes is one message; with the 64 KB default window it would crawl.
			grpc.InitialWindowSize(1<<20), grpc.InitialConnWindowSize(4<<20)),
	}
	rpcpb.RegisterFunctionRpcServer(s.grpc, s)
	go func() {
		defer close(s.done)
		_ = s.grpc.Serve(listener) // Stop ends it; there is nobody to hand the error to before
	}()
	return s, nil
}

// Port returns the TCP port on 127.0.0.1.
func (s *Server) Port() int {
	addr, _ := s.listener.Addr().(*net.TCPAddr)
	return addr.Port
}

// Stop closes every stream and the listener.
func (s *Server) Stop() {
	s.grpc.Stop()
	<-s.done
}

// Expect announces a language worker. The channel yields its stream once it connected; deliver then gets every later
// message, one at a time. Forget withdraws the announcement.
func (s *Server) Expect(workerID string, deliver func(*rpcpb.StreamingMessage)) <-chan *Stream {
	e := &expectation{deliver: deliver, stream: make(chan *Stream, 1)}
	s.mu.Lock()
	s.expected[workerID] = e
	s.mu.Unlock()
	return e.stream
}

// Forget withdraws an announcement; the stream, when there is one, stays.
func (s *Server) Forget(workerID string) {
	s.mu.Lock()
	delete(s.expected, workerID)
	s.mu.Unlock()
}

// EventStream serves one language worker; gRPC calls it.
func (s *Server) EventStream(conn grpc.BidiStreamingServer[rpcpb.StreamingMessage, rpcpb.StreamingMessage]) error {
	start, err := firstMessage(conn)
	if err != nil {
		return err
	}
	e, err := s.take(start.GetWorkerId())
	if err != nil {
		return err
	}
	stream := newStream(conn)
	e.stream <- stream
	return stream.run(e.deliver)
}

// firstMessage waits for StartStream. The receiving goroutine ends at the latest when EventStream has returned,
// because gRPC then ends the stream.
func firstMessage(conn grpc.BidiStreamingServer[rpcpb.StreamingMessage, rpcpb.StreamingMessage]) (*rpcpb.StartStream, error) {
	type received struct {
		msg *rpcpb.StreamingMessage
		err error
	}
	got := make(chan received, 1)
	go func() {
		msg, err := conn.Recv()
		got <- received{msg, err}
	}()
	timer := time.NewTimer(firstMessageTimeout)
	defer timer.Stop()
	select {
	case first := <-got:
		if first.err != nil {
			return nil, status.Error(codes.Aborted, "the stream ended before StartStream")
		}
		if start := first.msg.GetStartStream(); start != nil {
			return start, nil
		}
		return nil, status.Error(codes.FailedPrecondition, "the first message must be StartStream")
	case <-timer.C:
		return nil, status.Error(codes.DeadlineExceeded, "no StartStream came")
	}
}

func (s *Server) take(workerID string) (*expectation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.expected[workerID]
	if !ok {
		return nil, status.Error(codes.PermissionDenied, "no language worker of this id is expected")
	}
	if e.taken {
		return nil, status.Error(codes.AlreadyExists, "a language worker of this id is connected already")
	}
	e.taken = true
	return e, nil
}
