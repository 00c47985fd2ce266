package schedulertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// ProgramArg is the first argument by which a test binary knows that it is to be the program; the second is a mode.
const ProgramArg = "schedulertest-program"

// The program's modes.
const (
	ModeServe    = "serve"    // until the stop signal
	ModeStubborn = "stubborn" // serves and takes no notice of the stop signal
	ModeFail     = "fail"     // ends at once with exit code 3
	ModeIdle     = "idle"     // listens on a port of the system's, prints it, and waits to be killed
)

// exitFail is the code with which the program ends when it is told to fail.
const exitFail = 3

// Program runs the program when the arguments (those of os.Args) ask for it, and returns its exit code.
func Program(args []string, stdout, stderr io.Writer, environment []string) (code int, asked bool) {
	if len(args) < 3 || args[1] != ProgramArg {
		return 0, false
	}
	p := &program{stdout: stdout, stderr: stderr, environment: environment, mode: args[2], exit: make(chan int, 1)}
	p.ready.Store(true)
	if err := p.run(args); err != nil {
		_, _ = fmt.Fprintln(stderr, err) // the exit code tells it too
		return 1, true
	}
	return <-p.exit, true
}

type program struct {
	stdout, stderr io.Writer
	environment    []string
	mode           string
	ready          atomic.Bool
	exit           chan int
}

func (p *program) run(args []string) error {
	address := "127.0.0.1:0"
	switch {
	case p.mode == ModeFail:
		_, _ = fmt.Fprintln(p.stderr, "told to fail")
		p.exit <- exitFail
		return nil
	case p.mode != ModeIdle && len(args) > 3:
		address = args[3]
	}
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", address, err)
	}
	_, _ = fmt.Fprintf(p.stdout, "listening on %s\n", listener.Addr())
	go p.awaitSignal()
	server := &http.Server{Handler: p.handler(args[0]), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }() // ends with the process
	return nil
}

// awaitSignal ends the program as a worker would: it says so and leaves.
func (p *program) awaitSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	for range signals {
		_, _ = fmt.Fprintln(p.stdout, "told to stop")
		if p.mode == ModeServe {
			p.exit <- 0
		}
	}
}

func (p *program) handler(self string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+hostapi.PathReady, func(w http.ResponseWriter, _ *http.Request) {
		if !p.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /ready", func(_ http.ResponseWriter, r *http.Request) { p.ready.Store(r.FormValue("is") == "true") })
	mux.HandleFunc("POST /fail", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "0")
		_ = http.NewResponseController(w).Flush() // the whole answer is out before the end
		_, _ = fmt.Fprintln(p.stderr, "told to fail")
		p.exit <- exitFail
	})
	mux.HandleFunc("POST /print", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(p.stdout, r.FormValue("text"))
	})
	mux.HandleFunc("GET /environment", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, strings.Join(p.environment, "\n"))
	})
	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, _ *http.Request) {
		groups, _ := os.Getgroups()
		_, _ = fmt.Fprintf(w, "uid %d gid %d groups %v pid %d", os.Getuid(), os.Getgid(), groups, os.Getpid())
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		content, err := os.ReadFile(r.FormValue("path"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		_, _ = w.Write(content)
	})
	mux.HandleFunc("POST /child", func(w http.ResponseWriter, r *http.Request) {
		address, err := startChild(self, r.FormValue("session") == "own") //nolint:contextcheck // the child outlives the request
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = fmt.Fprint(w, address)
	})
	return mux
}

// startChild starts the program as an idle child and returns the address on which it listens.
func startChild(self string, ownSession bool) (string, error) {
	cmd := exec.CommandContext(context.Background(), self, ProgramArg, ModeIdle)
	if ownSession {
		leaveSession(cmd)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("make a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start a child: %w", err)
	}
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		return "", fmt.Errorf("read the child's address: %w", errors.Join(err, cmd.Wait()))
	}
	address, ok := strings.CutPrefix(strings.TrimSpace(string(line[:n])), "listening on ")
	if !ok {
		return "", azfunc.Errorf(azfunc.Internal, "the child said %s", strconv.Quote(string(line[:n])))
	}
	return address, nil
}
