package rpc

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// sendQueue is how many messages may wait for the writer; a sender waits when a language worker does not keep up.
const sendQueue = 256

// ErrClosed says that the language worker's stream has ended.
var ErrClosed = errors.New("the language worker's stream has ended")

// Stream is one connected language worker. It is safe for concurrent use.
type Stream struct {
	conn  grpc.BidiStreamingServer[rpcpb.StreamingMessage, rpcpb.StreamingMessage]
	queue chan *rpcpb.StreamingMessage
	done  chan struct{}   // closed when the stream has ended
	ended <-chan struct{} // closed when either side wants the end; done follows
	quit  context.CancelCauseFunc
}

func newStream(conn grpc.BidiStreamingServer[rpcpb.StreamingMessage, rpcpb.StreamingMessage]) *Stream {
	ctx, quit := context.WithCancelCause(conn.Context())
	return &Stream{conn: conn, queue: make(chan *rpcpb.StreamingMessage, sendQueue), done: make(chan struct{}), quit: quit, ended: ctx.Done()}
}

// Send queues a message; messages leave in the order of Send. It waits while the queue is full and returns ErrClosed
// after the stream's end. The message must not be changed afterwards.
func (s *Stream) Send(ctx context.Context, msg *rpcpb.StreamingMessage) error {
	select {
	case s.queue <- msg:
		return nil
	case <-s.done:
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("send to the language worker: %w", context.Cause(ctx))
	}
}

// Done is closed when the stream has ended, from either side.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Close ends the stream.
func (s *Stream) Close() { s.quit(ErrClosed) }

// run reads in this goroutine's child and writes in this goroutine, because gRPC ends a stream when its handler
// returns: the reader then gets an error and ends too.
func (s *Stream) run(deliver func(*rpcpb.StreamingMessage)) error {
	go func() {
		for {
			msg, err := s.conn.Recv()
			if err != nil {
				s.quit(err)
				return
			}
			deliver(msg)
		}
	}()
	s.write()
	s.quit(ErrClosed)
	close(s.done)
	return nil
}

func (s *Stream) write() {
	for {
		select {
		case msg := <-s.queue:
			if s.conn.Send(msg) != nil {
				return
			}
		case <-s.ended:
			return
		}
	}
}
