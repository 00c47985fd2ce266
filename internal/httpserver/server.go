package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// The time limits of a face. There is no limit on reading a body or writing an answer, because both may stream for
// hours; a client that opens a connection and says nothing is what these two end.
const (
	DefaultReadHeaderTimeout = 10 * time.Second
	// DefaultIdleTimeout is longer than the time a gateway keeps an idle connection to an instance, so that it is the
	// client that closes: a server that closes first races with the client's next request.
	DefaultIdleTimeout = 180 * time.Second

	maxHeaderBytes = 64 << 10
)

// Config describes one face. Name, Addr and Handler are required.
type Config struct {
	Name     string // of the face, in logs and errors: "gateway"
	Addr     string // host:port; port 0 takes a free one
	AddrFlag string // the flag that changes Addr, for the error of a taken port: "--gateway-addr"
	TLS      *tls.Config
	Handler  http.Handler
	Logger   zerolog.Logger

	ReadHeaderTimeout time.Duration // 0 means DefaultReadHeaderTimeout
	IdleTimeout       time.Duration // 0 means DefaultIdleTimeout
}

// Server is one listening face. Its methods are safe for concurrent use.
type Server struct {
	cfg    Config
	http   *http.Server
	failed chan error
	done   chan struct{} // closed when serving has ended

	mu       sync.Mutex
	listener net.Listener       // nil before Start
	cancel   context.CancelFunc // ends the requests' contexts; nil before Start
}

// New makes a Server that does not listen yet.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, failed: make(chan error, 1), done: make(chan struct{})}
	s.http = &http.Server{
		Handler:           cfg.Handler,
		TLSConfig:         cfg.TLS,
		ReadHeaderTimeout: orDefault(cfg.ReadHeaderTimeout, DefaultReadHeaderTimeout),
		IdleTimeout:       orDefault(cfg.IdleTimeout, DefaultIdleTimeout),
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          stdLogger(cfg.Logger.With().Str("face", cfg.Name).Logger()),
	}
	return s
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Start listens and serves in the background until Shutdown, also when ctx ends before. The error of a taken port
// names the address and the way out.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return fmt.Errorf("start face %q: it listens on %s already", s.cfg.Name, s.listener.Addr())
	}
	l, err := listen(ctx, s.cfg)
	if err != nil {
		return err
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.http.BaseContext = func(net.Listener) context.Context { return base }
	s.listener, s.cancel = l, cancel
	go s.serve(l)
	return nil
}

func (s *Server) serve(l net.Listener) {
	defer close(s.done)
	serve := s.http.Serve
	if s.cfg.TLS != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.failed <- fmt.Errorf("serve face %q on %s: %w", s.cfg.Name, l.Addr(), err)
	}
}

// Failed yields the error that ended serving, if anything but Shutdown did.
func (s *Server) Failed() <-chan error { return s.failed }

// Addr is the address it listens on, with the real port; the configured one before Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return s.cfg.Addr
	}
	return s.listener.Addr().String()
}

// Shutdown stops accepting, waits for requests under way until ctx ends, then cuts what is left and ends the
// contexts of upgraded connections (WebSockets), which the wait does not cover.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	cancel := s.cancel
	s.mu.Unlock()
	err := s.http.Shutdown(ctx)
	if cancel == nil {
		return err
	}
	defer cancel()
	if err != nil {
		// The contexts end first: a handler that waits for its upstream returns and its caller sees a closed connection.
		cancel()
		_ = s.http.Close() // the listener's second close is an error that says nothing
		err = fmt.Errorf("shut down face %q with requests under way: %w", s.cfg.Name, err)
	}
	<-s.done
	return err
}
