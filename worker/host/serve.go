package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/binding"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/invoke"
)

// scaleOut tells Azure's front end, and our gateway, that this instance has more than it can take.
const scaleOut = "X-Function-Scaleout"

// ServeHTTP answers every request to the instance: the readiness check to anybody, the rest only with a request token,
// so that an open port on a node gives nothing away.
func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == hostapi.PathReady {
		h.serveReady(w)
		return
	}
	if err := h.verifier.Check(r.Header.Get(hostapi.HeaderRequestToken)); err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	delete(r.Header, hostapi.HeaderRequestToken) // function code must not see it
	app := h.app.Load()
	switch {
	case isUnder(r.URL.Path, "/admin"):
		h.serveAdmin(w, r, app)
	case app == nil || h.isOver():
		unavailable(w, "Function host is not running.")
	case isUnder(r.URL.Path, "/runtime"):
		w.WriteHeader(http.StatusNotFound)
	default:
		h.serveFunction(w, r, app)
	}
}

func isUnder(path, prefix string) bool {
	return len(path) >= len(prefix) && strings.EqualFold(path[:len(prefix)], prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}

func (h *Host) isOver() bool {
	if h.ready.Load() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.state.Serving()
}

func (h *Host) serveReady(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	if !h.ready.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func unavailable(w http.ResponseWriter, reason string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, reason)
}

// serveFunction finds the function, checks the key, and runs it.
func (h *Host) serveFunction(w http.ResponseWriter, r *http.Request, app *loaded) {
	f, params, ok := app.router.Match(r.Method, r.URL.EscapedPath())
	if !ok {
		serveNoFunction(w, r, app)
		return
	}
	for name, value := range app.host.HTTP.CustomHeaders {
		w.Header().Set(name, value)
	}
	if status := h.admit(r, f, app); status != 0 {
		if status == http.StatusTooManyRequests {
			w.Header().Set(scaleOut, "1")
		}
		w.WriteHeader(status)
		return
	}
	if f.Problem == "" && app.forwards(f.Function) {
		stream(w, r, app, f.Function, params)
		return
	}
	h.invoke(w, r, app, f.Function, params)
}

// admit returns the status that refuses a request, 0 when it may pass. A disabled function is as good as absent, except
// for whoever holds the master key, as in Azure.
func (h *Host) admit(r *http.Request, f *httpFunction, app *loaded) int {
	level := Anonymous
	if f.level > Anonymous || f.Disabled {
		level = h.keyring.Load().Level(r, f.Name)
	}
	limit := app.host.HTTP.MaxOutstandingRequests
	switch {
	case f.Disabled && level < Admin:
		return http.StatusNotFound
	case level < f.level:
		return http.StatusUnauthorized
	case limit > 0 && app.dispatcher.InFlight() >= limit:
		return http.StatusTooManyRequests
	}
	return 0
}

// serveNoFunction answers what no function answers: the home page, or 404.
func serveNoFunction(w http.ResponseWriter, r *http.Request, app *loaded) {
	if r.URL.Path != "/" || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if strings.EqualFold(azfunc.Setting(app.spec.Settings, "AzureWebJobsDisableHomepage"), "true") {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, homePage)
}

const homePage = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Functions</title></head>` +
	`<body><h1>Your function app is up and running</h1><p>It runs on Nightshift.</p></body></html>`

// invoke runs the function through the dispatcher and writes its answer.
func (h *Host) invoke(w http.ResponseWriter, r *http.Request, app *loaded, f *channel.Function, params map[string]string) {
	var release func()
	if r.ContentLength != 0 { // an upload may take minutes
		release = app.dispatcher.Hold()
	}
	body, err := readBody(w, r, app.maxBody)
	if err != nil {
		release() // without a body there is no error
		w.WriteHeader(bodyStatus(err))
		return
	}
	call := &invoke.Call{
		ID: invoke.NewID(), Function: f, TraceParent: traceParent(r), TraceState: r.Header.Get("Tracestate"), Abandoned: r.Context().Done(), Release: release,
		HTTP: &binding.HTTP{
			Method: r.Method, URL: absoluteURL(r), Host: callersHost(r), Header: r.Header, Params: params, Body: body,
		},
	}
	if r.URL.RawQuery != "" {
		call.HTTP.Query = r.URL.Query()
	}
	answer, err := app.dispatcher.HTTP(r.Context(), call)
	if err != nil {
		writeError(w, err)
		return
	}
	write(w, answer)
}

func write(w http.ResponseWriter, a binding.Answer) {
	header := w.Header()
	for name, values := range a.Header {
		header[name] = values
	}
	if len(a.Header["Content-Type"]) == 0 {
		header["Content-Type"] = nil // or net/http guesses one
	}
	if a.Status != http.StatusNoContent && a.Status != http.StatusNotModified {
		header["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	}
	w.WriteHeader(a.Status)
	if a.Status != http.StatusNoContent && a.Status != http.StatusNotModified {
		_, _ = w.Write(a.Body) // an error is the caller's going away
	}
}

// writeError answers for a function that gave no answer: nothing of what it threw leaves the instance.
func writeError(w http.ResponseWriter, err error) {
	status := invoke.StatusOf(err)
	if status == http.StatusServiceUnavailable {
		unavailable(w, azfunc.MessageOf(err))
		return
	}
	w.WriteHeader(status)
}

// forwards reports whether a function's requests are streamed instead of read.
func (app *loaded) forwards(f *channel.Function) bool {
	if app.forwarder != nil {
		return app.forwarder.Forwards(f)
	}
	return app.streamer != nil && app.streamer.Streams(f)
}

// stream streams the request to the program that runs the function, and its answer back.
func stream(w http.ResponseWriter, r *http.Request, app *loaded, f *channel.Function, params map[string]string) {
	call := &invoke.Call{
		ID: invoke.NewID(), Function: f, TraceParent: traceParent(r), TraceState: r.Header.Get("Tracestate"), Abandoned: r.Context().Done(),
	}
	i := app.dispatcher.Begin(f, call.ID)
	i.TraceParent = call.TraceParent
	status, err := http.StatusInternalServerError, errors.New("the answer was cut off")
	defer func() { i.End(status, err) }() // the proxy panics when an answer breaks off half-way
	r.Body = http.MaxBytesReader(w, r.Body, app.maxBody)
	if app.forwarder != nil {
		status, err = app.forwarder.Forward(w, r, call.ID)
	} else {
		call.HTTP = &binding.HTTP{Method: r.Method, URL: absoluteURL(r), Host: callersHost(r), Header: r.Header.Clone(), Query: r.URL.Query(), Params: params}
		status, err = app.dispatcher.Stream(w, r, call, app.streamer)
	}
	if err != nil && status == 0 {
		status = invoke.StatusOf(err)
		writeError(w, err)
	}
}

// readBody reads the whole body; bodies of known length go into memory of just that size.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	const known = 1 << 20 // larger bodies earn their memory as they come
	if r.ContentLength > 0 && r.ContentLength <= known {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err // bodyStatus looks at it
	}
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit)) // bodyStatus looks at it
}

func bodyStatus(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// absoluteURL is the address the caller used; the gateway says which, and nobody else can reach this instance.
func absoluteURL(r *http.Request) string {
	scheme := r.Header.Get("X-Forwarded-Proto")
	if scheme == "" {
		scheme = "http"
	}
	return scheme + "://" + callersHost(r) + r.URL.RequestURI()
}

func callersHost(r *http.Request) string {
	if host := r.Header.Get("X-Forwarded-Host"); host != "" {
		return host
	}
	return r.Host
}

// traceParent is the caller's W3C trace context, or the start of a new trace.
func traceParent(r *http.Request) string {
	if p := r.Header.Get("Traceparent"); p != "" {
		return p
	}
	var id [24]byte
	_, _ = rand.Read(id[:]) // never fails
	text := make([]byte, 0, 55)
	text = append(text, "00-"...)
	text = hex.AppendEncode(text, id[:16])
	text = append(text, '-')
	text = hex.AppendEncode(text, id[16:])
	return string(append(text, "-00"...))
}

// bound keeps a call of ours to the manager from outliving its request.
func bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, defaultDrainTimeout)
}
