package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/discovery"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

// HeaderError is on every answer that the platform gives instead of a function; its value is one of the codes below.
// An app cannot send it.
const HeaderError = "X-Nightshift-Error"

// The codes of HeaderError.
const (
	CodeBadRequest       = "BadRequest"
	CodeAppNotFound      = "AppNotFound"
	CodeNotServedOutside = "NotServedOutside" // an /admin path that is not for callers
	CodeAppStopped       = "AppStopped"
	CodeNotReady         = "GatewayNotReady"
	CodeNoRevision       = "NoRevision"  // nothing has gone live yet
	CodeNoInstance       = "NoInstance"  // waiting for one was in vain
	CodeOverloaded       = "Overloaded"  // the app's queue is full, or the wait in it too long
	CodeUnreachable      = "Unreachable" // every instance refused to connect
	CodeBrokeOff         = "BrokeOff"    // the instance closed the connection before it answered
	CodeTimeout          = "Timeout"
	CodeInternal         = "Internal"
	codeClientGone       = "ClientGone" // never sent
)

// statusClientGone is nginx's word for "nobody is there to answer"; it appears in counters and logs only.
const statusClientGone = 499

const maxNameInAnswer = 100

// failure is an answer of the platform's own.
type failure struct {
	status     int
	code       string
	app        string
	message    string
	retryAfter int // seconds; 0 = not said
}

func fail(status int, code, app, format string, args ...any) *failure {
	return &failure{status: status, code: code, app: app, message: fmt.Sprintf(format, args...)}
}

func (f *failure) after(seconds int) *failure {
	f.retryAfter = seconds
	return f
}

func failBadRequest() *failure {
	return fail(http.StatusBadRequest, CodeBadRequest, "", "the request has no path of an app")
}

func failNoApp() *failure {
	return fail(http.StatusNotFound, CodeAppNotFound, "", "no function app is named by this address")
}

func failUnknownApp(name string) *failure {
	name = name[:min(len(name), maxNameInAnswer)]
	return fail(http.StatusNotFound, CodeAppNotFound, name, "there is no function app %q here", name)
}

func failNotReady() *failure {
	return fail(http.StatusServiceUnavailable, CodeNotReady, "", "the gateway is starting and does not know the apps yet").after(1)
}

func failNotOutside(app string) *failure {
	return fail(http.StatusNotFound, CodeNotServedOutside, app, "this path of function app %q is not served to callers", app)
}

// failStopped uses Azure's own sentence, which people search for.
func failStopped(app string) *failure {
	return fail(http.StatusForbidden, CodeAppStopped, app, "Error 403 - This web app is stopped. (function app %q)", app)
}

func failNoRevision(app *discovery.App) *failure {
	why := app.Waiting
	if why == "" {
		why = "nothing has been published to it" // rollout looks after apps that have a revision
	}
	return fail(http.StatusServiceUnavailable, CodeNoRevision, app.Name, "nothing of function app %q is live yet%s", app.Name, because(why)).after(10)
}

func failNoInstance(app *discovery.App, word *string) *failure {
	why := app.Waiting
	if word != nil {
		why = *word
	}
	return fail(http.StatusServiceUnavailable, CodeNoInstance, app.Name, "function app %q has no instance to answer%s", app.Name, because(why)).after(5)
}

func failTooManyWait(app string) *failure {
	return fail(http.StatusServiceUnavailable, CodeNoInstance, app, "function app %q has no instance yet and too many requests wait for one", app).after(5)
}

func failQueueFull(app string, status int) *failure {
	return fail(status, CodeOverloaded, app, "function app %q has too many requests under way and waiting", app).after(1)
}

func failQueueTimeout(app string) *failure {
	return fail(http.StatusServiceUnavailable, CodeOverloaded, app, "function app %q is busy; the request waited too long for its turn", app).after(1)
}

func failUnreachable(app string) *failure {
	return fail(http.StatusBadGateway, CodeUnreachable, app, "no instance of function app %q could be connected to; the request was not sent", app).after(5)
}

func failBrokeOff(app string) *failure {
	return fail(http.StatusBadGateway, CodeBrokeOff, app, "the instance of function app %q broke off before it answered; the request may have been executed", app)
}

func failTimeout(app string, after time.Duration) *failure {
	return fail(http.StatusGatewayTimeout, CodeTimeout, app, "function app %q did not begin to answer within %s; the request may still be executing", app, after)
}

func failBrokenBody(app string) *failure {
	return fail(http.StatusBadRequest, CodeBadRequest, app, "the request's body broke off on its way to function app %q", app)
}

func failInternal(app string) *failure {
	return fail(http.StatusInternalServerError, CodeInternal, app, "internal error; the log of the gateway has the cause under this request id")
}

func failClientGone() *failure { return &failure{status: statusClientGone, code: codeClientGone} }

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + withoutAddresses(why)
}

// withoutAddresses keeps where things run from callers: a reason may quote an error with an address in it.
func withoutAddresses(s string) string {
	ipv4 := regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b`)
	ipv6 := regexp.MustCompile(`\[[0-9a-fA-F:.]+(%\w+)?\](:\d+)?|\b[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){3,7}\b`)
	host := regexp.MustCompile(`\b[A-Za-z0-9.-]*[A-Za-z][A-Za-z0-9.-]*:\d{2,5}\b`) // not 18:00
	for _, r := range []*regexp.Regexp{ipv6, ipv4, host} {
		s = r.ReplaceAllString(s, "(address)")
	}
	return s
}

// answer sends a failure: to a browser as text, to anything else as JSON.
func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, f *failure) {
	g.metrics.failures.WithLabelValues(f.code).Inc()
	if f.code == codeClientGone {
		panic(http.ErrAbortHandler) // else the server would answer 200
	}
	id := requestID(r)
	h := w.Header()
	h.Set(HeaderError, f.code)
	h.Set(httpserver.HeaderRequestID, id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if f.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(f.retryAfter))
	}
	contentType, body := f.body(id, strings.Contains(r.Header.Get("Accept"), "text/html"))
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.status)
	_, _ = w.Write(body)
}

func (f *failure) body(id string, text bool) (contentType string, body []byte) {
	if text {
		return "text/plain; charset=utf-8", fmt.Appendf(nil, "%s\n\nrequest id: %s\n", f.message, id)
	}
	body, err := json.Marshal(map[string]string{"code": f.code, "message": f.message, "app": f.app, "requestId": id})
	if err != nil {
		return "text/plain; charset=utf-8", []byte(f.message)
	}
	return "application/json; charset=utf-8", append(body, '\n')
}
