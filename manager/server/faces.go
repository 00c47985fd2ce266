package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

// face is a listener whose handler comes later: the addresses must be known before the roles that print them can be
// made, and a taken port must be told before anything else is started.
type face struct {
	*httpserver.Server
	handler *atomic.Value // of http.Handler
}

type faceConfig struct {
	name, addr, flag string
	tls              *tls.Config
}

func newFace(c faceConfig, log zerolog.Logger) face {
	f := face{handler: &atomic.Value{}}
	f.serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the manager is starting", http.StatusServiceUnavailable)
	}))
	f.Server = httpserver.New(httpserver.Config{Name: c.name, Addr: c.addr, AddrFlag: c.flag, TLS: c.tls, Logger: log,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.current().ServeHTTP(w, r) })})
	return f
}

func (f face) serve(h http.Handler) { f.handler.Store(&h) }

func (f face) current() http.Handler {
	h, _ := f.handler.Load().(*http.Handler)
	return *h
}

// faces are all listeners of one manager.
type faces struct {
	http, https, appHTTP, appHTTPS, link face
}

func newFaces(cfg Config, tlsConfig *tls.Config, log zerolog.Logger) faces {
	return faces{
		http:     newFace(faceConfig{"management", cfg.HTTPAddr, "--http-addr", nil}, log),
		https:    newFace(faceConfig{"management-tls", cfg.HTTPSAddr, "--https-addr", tlsConfig}, log),
		appHTTP:  newFace(faceConfig{"apps", cfg.AppHTTPAddr, "--app-http-addr", nil}, log),
		appHTTPS: newFace(faceConfig{"apps-tls", cfg.AppHTTPSAddr, "--app-https-addr", tlsConfig}, log),
		link:     newFace(faceConfig{"link", cfg.LinkAddr, "--link-addr", nil}, log),
	}
}

func (f faces) all() []face { return []face{f.http, f.https, f.appHTTP, f.appHTTPS, f.link} }

func (f faces) start(ctx context.Context) error {
	for _, one := range f.all() {
		if err := one.Start(ctx); err != nil {
			return errors.Join(err, f.shutdown(ctx))
		}
	}
	return nil
}

func (f faces) shutdown(ctx context.Context) error {
	var errs []error
	for _, one := range f.all() {
		errs = append(errs, one.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// failed yields the first error of any face.
func (f faces) failed(ctx context.Context) <-chan error {
	out := make(chan error, 1)
	for _, one := range f.all() {
		go func() {
			select {
			case err := <-one.Failed():
				select {
				case out <- err:
				default:
				}
			case <-ctx.Done():
			}
		}()
	}
	return out
}

// addresses prints loopback as localhost, which is the name that the certificate and people use.
func (f faces) addresses(dataDir, passwordFile string) Addresses {
	return Addresses{
		HTTP: "http://" + named(f.http.Addr()), HTTPS: "https://" + named(f.https.Addr()),
		AppHTTP: "http://" + named(f.appHTTP.Addr()), AppHTTPS: "https://" + named(f.appHTTPS.Addr()),
		Link: "http://" + f.link.Addr(), DataDir: dataDir, PasswordFile: passwordFile,
	}
}

func named(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return strings.ToLower(addr)
}
