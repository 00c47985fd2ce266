package httpserver_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

func router(log *bytes.Buffer, reg prometheus.Registerer) chi.Router {
	r := httpserver.NewRouter(httpserver.RouterConfig{
		Face: "test", Logger: zerolog.New(log), Registerer: reg,
		KeepSlash: func(p string) bool { return strings.HasPrefix(p, "/api/vfs/") },
	})
	r.Get("/apps/{app}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "app ", chi.URLParam(r, "app")) })
	r.Post("/apps/{app}/start", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "started") })
	r.Get("/api/vfs/*", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "vfs ", chi.URLParam(r, "*")) })
	r.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("oh no") })
	r.Get("/secret", func(w http.ResponseWriter, r *http.Request) {
		httpserver.WriteError(w, r, errors.New("dial db.internal:1433 as sa/hunter2"))
	})
	r.Get("/conflict", func(w http.ResponseWriter, r *http.Request) {
		httpserver.WriteError(w, r, azfunc.Errorf(azfunc.Conflict, "app %q is being published", "hello"))
	})
	r.Get("/healthz", func(http.ResponseWriter, *http.Request) {})
	return r
}

func TestRouter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, path, log string
		status            int
		body              string
	}{
		"plain":               {"GET", "/apps/hello", `"level":"info"`, 200, "app hello"},
		"slash at the end":    {"GET", "/apps/hello/", "", 200, "app hello"},
		"double slash":        {"POST", "//apps///hello//start/", "", 200, "started"},
		"folder":              {"GET", "/api/vfs/site//wwwroot/", "", 200, "vfs site/wwwroot/"},
		"encoded":             {"GET", "/apps/a%2Fb/", "", 200, "app a%2Fb"},
		"unknown":             {"GET", "/nope", "", 404, "/nope"},
		"method":              {"DELETE", "/apps/hello", "", 405, "does not take DELETE"},
		"panic":               {"GET", "/panic", "oh no", 500, "request id"},
		"unclassified error":  {"GET", "/secret", "hunter2", 500, "request id"},
		"classified error":    {"GET", "/conflict", "being published", 409, `app \"hello\" is being published`},
		"health":              {"GET", "/healthz", `"level":"debug"`, 200, ""},
		"no key in the log":   {"GET", "/apps/hello?code=s3cret", `"path":"/apps/hello"`, 200, "app hello"},
		"error level is ours": {"GET", "/secret", `"level":"error"`, 500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			w := httptest.NewRecorder()
			router(&log, prometheus.NewRegistry()).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if !strings.Contains(log.String(), c.log) || strings.Contains(log.String(), "s3cret") {
				t.Errorf("log %s", log.String())
			}
			if strings.Contains(w.Body.String(), "hunter2") || strings.Contains(w.Body.String(), "oh no") {
				t.Errorf("the answer tells the cause: %s", w.Body)
			}
		})
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client, correlation      string
		wantClient, wantSameCorr bool
	}{
		"none":         {wantSameCorr: true},
		"both":         {client: "abc", correlation: "def", wantClient: true},
		"line break":   {client: "a\x01b", wantSameCorr: true},
		"a whole book": {client: strings.Repeat("x", 200), wantSameCorr: true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("x-ms-client-request-id", c.client)
		r.Header.Set("x-ms-correlation-request-id", c.correlation)
		r.Header.Set("x-ms-request-id", "forged")
		var inside string
		w := httptest.NewRecorder()
		httpserver.RequestID(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = httpserver.RequestIDFrom(r.Context()) })).ServeHTTP(w, r)
		got := w.Header().Get("x-ms-request-id")
		if len(got) != 36 || got != inside {
			t.Errorf("%s: id %q, inside %q", name, got, inside)
		}
		if (w.Header().Get("x-ms-client-request-id") == c.client && c.client != "") != c.wantClient {
			t.Errorf("%s: client id %q", name, w.Header().Get("x-ms-client-request-id"))
		}
		if (w.Header().Get("x-ms-correlation-request-id") == got) != c.wantSameCorr {
			t.Errorf("%s: correlation id %q", name, w.Header().Get("x-ms-correlation-request-id"))
		}
	}
}

func TestMetricsAreSharedByFaces(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	var log bytes.Buffer
	for range 2 {
		r := router(&log, reg)
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/apps/a", nil))
		r.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "BREW", "/apps/b", nil))
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(reg, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	for _, want := range []string{
		`nightshift_http_requests_total{class="2xx",face="test",method="GET",route="/apps/{app}"} 2`,
		`nightshift_http_requests_total{class="4xx",face="test",method="other",route=""} 2`,
		`nightshift_http_requests_in_flight{face="test"} 0`,
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s in\n%s", want, w.Body)
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	got := map[azfunc.Code]int{}
	for _, c := range []azfunc.Code{
		"", azfunc.Invalid, azfunc.Unauthenticated, azfunc.Forbidden, azfunc.NotFound, azfunc.Conflict, azfunc.TooLarge,
		azfunc.Unsupported, azfunc.Unavailable, azfunc.Fenced, azfunc.Internal, "Unheard",
	} {
		got[c] = httpserver.Status(c)
	}
	want := map[azfunc.Code]int{
		"": 200, azfunc.Invalid: 400, azfunc.Unauthenticated: 401, azfunc.Forbidden: 403, azfunc.NotFound: 404, azfunc.Conflict: 409,
		azfunc.TooLarge: 413, azfunc.Unsupported: 501, azfunc.Unavailable: 503, azfunc.Fenced: 409, azfunc.Internal: 500, "Unheard": 500,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	type doc struct {
		Name  string   `json:"name"`
		Count int      `json:"count"`
		Tags  []string `json:"tags"`
	}
	for name, c := range map[string]struct {
		contentType, body string
		code              azfunc.Code
		says              string
	}{
		"good":            {"application/json; charset=utf-8", `{"name":"a","unknown":1}`, "", ""},
		"vendor type":     {"application/merge-patch+json", `{}`, "", ""},
		"no type":         {"", `{}`, "", ""},
		"byte order mark": {"application/json", "\ufeff{}", "", ""},
		"form":            {"application/x-www-form-urlencoded", `a=b`, azfunc.Invalid, "application/x-www-form-urlencoded"},
		"empty":           {"application/json", " \n", azfunc.Invalid, "empty"},
		"syntax":          {"application/json", "{\n  \"name\": oops}", azfunc.Invalid, "line 2, column 11"},
		"cut":             {"application/json", `{"name":"a"`, azfunc.Invalid, "cut off"},
		"two documents":   {"application/json", `{} {}`, azfunc.Invalid, "goes on after"},
		"rubbish after":   {"application/json", `{}]`, azfunc.Invalid, "goes on after"},
		"wrong type":      {"application/json", `{"count":"three"}`, azfunc.Invalid, "a string in count, where a number is"},
		"wrong list":      {"application/json", `{"tags":"a"}`, azfunc.Invalid, "list"},
		"not an object":   {"application/json", `[]`, azfunc.Invalid, "the document, where an object"},
		"large":           {"application/json", `{"name":"` + strings.Repeat("x", 100) + `"}`, azfunc.TooLarge, "100 bytes"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.contentType)
		var d doc
		err := httpserver.ReadJSON(httptest.NewRecorder(), r, 100, &d)
		if azfunc.CodeOf(err) != c.code || (err != nil && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"a":1}`))
	f.Add([]byte("{\n\"a\":tru}"))
	f.Add([]byte("\ufeff[1,2]]"))
	f.Fuzz(func(t *testing.T, body []byte) {
		var v any
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(body))
		err := httpserver.ReadJSON(httptest.NewRecorder(), r, 1000, &v)
		trimmed := bytes.TrimPrefix(body, []byte("\ufeff"))
		if (err == nil) != (json.Valid(trimmed) && len(body) <= 1000) {
			t.Errorf("%q: %v", body, err)
		}
	})
}
