package httpserver

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// AccessLog writes one line per request: info, debug for health checks and metrics, error when the cause is ours.
// Query strings are left out, because callers put keys there (?code=).
func AccessLog(logger zerolog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			start := time.Now()
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			path := r.URL.Path // routing may rewrite it
			defer func() { logRequest(logger, r, ww, path, time.Since(start)) }()
			next.ServeHTTP(ww, r)
		})
	}
}

func logRequest(logger zerolog.Logger, r *http.Request, w middleware.WrapResponseWriter, path string, took time.Duration) {
	e := entryFrom(r.Context())
	logger.WithLevel(accessLevel(path, e)).Func(e.fields).Str("method", r.Method).Str("host", r.Host).Str("path", path).Str("route", routeOf(r)).
		Int("status", statusOf(w)).Int("bytes", w.BytesWritten()).Dur("took", took).Str("remote", r.RemoteAddr).Msg("request")
}

// fields adds what the request's entry knows; there is none where no request id was given.
func (e *entry) fields(event *zerolog.Event) {
	if e == nil {
		return
	}
	event.Str("request_id", e.id).Err(e.err)
	if e.clientID != "" {
		event.Str("client_request_id", e.clientID)
	}
}

func accessLevel(path string, e *entry) zerolog.Level {
	switch {
	case e != nil && e.err != nil && azfunc.CodeOf(e.err) == azfunc.Internal && !errors.Is(e.err, context.Canceled):
		return zerolog.ErrorLevel
	case path == "/healthz" || path == "/readyz" || path == "/metrics":
		return zerolog.DebugLevel
	}
	return zerolog.InfoLevel
}

// statusOf is what the caller saw: a handler that writes nothing answers 200.
func statusOf(w middleware.WrapResponseWriter) int {
	if s := w.Status(); s != 0 {
		return s
	}
	return http.StatusOK
}

// routeOf is the pattern that matched: bounded in number, unlike paths.
func routeOf(r *http.Request) string {
	if c := chi.RouteContext(r.Context()); c != nil {
		return c.RoutePattern()
	}
	return ""
}

// Recover turns a panic into a logged 500, or cuts the connection when the answer has begun. http.ErrAbortHandler
// passes: it is how a handler says that its answer must not look complete.
func Recover(logger zerolog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			defer func() {
				if v := recover(); v != nil {
					recovered(logger, ww, r, v)
				}
			}()
			next.ServeHTTP(ww, r)
		})
	}
}

func recovered(logger zerolog.Logger, w middleware.WrapResponseWriter, r *http.Request, v any) {
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	logger.Error().Str("request_id", RequestIDFrom(r.Context())).Interface("panic", v).
		Bytes("stack", debug.Stack()).Str("path", r.URL.Path).Msg("panic in a handler")
	if w.Status() != 0 {
		panic(http.ErrAbortHandler)
	}
	WriteError(w, r, azfunc.Errorf(azfunc.Internal, "internal error; the log of the manager has the cause under this request id"))
}
