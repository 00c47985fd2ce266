package httpserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"strings"
	"syscall"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// errWSAAddrInUse is what Windows answers for a taken port; syscall.EADDRINUSE is an invented number there.
const errWSAAddrInUse = syscall.Errno(10048)

func listen(ctx context.Context, cfg Config) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, explainListen(cfg, err)
	}
	return l, nil
}

func explainListen(cfg Config, err error) error {
	_, port, _ := net.SplitHostPort(cfg.Addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, errWSAAddrInUse):
		return azfunc.Errorf(azfunc.Conflict, "the %s cannot listen on %s: another process has this port, perhaps a manager that is still running "+
			"(to see which: \"ss -ltnp sport = :%s\" on Linux, \"netstat -ano\" on Windows); stop it, or choose another address%s: %w",
			cfg.Name, cfg.Addr, port, byFlag(cfg), err)
	case errors.Is(err, fs.ErrPermission):
		return azfunc.Errorf(azfunc.Forbidden, "the %s may not listen on %s: ports below 1024 need the right to bind them (root, or CAP_NET_BIND_SERVICE); "+
			"grant it, or choose another address%s: %w", cfg.Name, cfg.Addr, byFlag(cfg), err)
	}
	return azfunc.Errorf(azfunc.Invalid, "the %s cannot listen on %q; give host:port of this machine%s: %w", cfg.Name, cfg.Addr, byFlag(cfg), err)
}

func byFlag(cfg Config) string {
	if cfg.AddrFlag == "" {
		return ""
	}
	return fmt.Sprintf(" with %s", cfg.AddrFlag)
}

// stdLogger carries what net/http says of broken connections and handshakes into the structured log. They are
// mostly made by strangers, so they stay at debug.
func stdLogger(l zerolog.Logger) *log.Logger { return log.New(lineWriter{l}, "", 0) }

type lineWriter struct{ log zerolog.Logger }

func (w lineWriter) Write(p []byte) (int, error) {
	w.log.Debug().Str("text", strings.TrimSpace(string(p))).Msg("http server")
	return len(p), nil
}
