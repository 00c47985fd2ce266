package gateway

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/discovery"
)

type picture struct{ snap *discovery.Snapshot }

func (p picture) Current() *discovery.Snapshot { return p.snap }
func (p picture) Changed() <-chan struct{}     { return nil }

func router(pathForm bool) *Gateway {
	apps := []discovery.App{{Name: "Hello"}, {Name: "shop-2"}, {Name: "off", Stopped: true}, {Name: "admin"}}
	return &Gateway{cfg: Config{PathForm: pathForm}.withDefaults(), snapshots: picture{discovery.NewSnapshot(apps)}}
}

// got says where a request went in one line: app, door, path, and the raw path and prefix where there are any.
func got(g *Gateway, method, host, uri string) string {
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return "unparsable"
	}
	t, fail := g.route(&http.Request{Method: method, Host: host, URL: u})
	if fail != nil {
		return fail.code
	}
	s := t.app.Name + " " + []string{"instance", "manager", "closed"}[t.door] + " " + t.path
	if t.raw != "" {
		s += " raw " + t.raw
	}
	if t.prefix != "" {
		s += " prefix " + t.prefix
	}
	return s
}

func TestRoute(t *testing.T) {
	t.Parallel()
	const domain = "hello.functions.localhost"
	for name, c := range map[string]struct{ host, uri, want string }{
		"host":                      {domain, "/api/x", "Hello instance /api/x"},
		"port":                      {domain + ":7081", "/api/x", "Hello instance /api/x"},
		"case":                      {"HELLO.Functions.LocalHost:1", "/", "Hello instance /"},
		"dot at the end":            {domain + ".", "/", "Hello instance /"},
		"unknown app":               {"nope.functions.localhost", "/hello/api", "AppNotFound"},
		"the domain itself":         {"functions.localhost", "/hello/api", "AppNotFound"},
		"scm host":                  {"hello.scm.functions.localhost", "/hello/api", "AppNotFound"},
		"another domain":            {"hello.functions.localhost.evil", "/x", "AppNotFound"},
		"not under the domain":      {"hellofunctions.localhost", "/hello/x", "Hello instance /x prefix /hello"},
		"stopped":                   {"off.functions.localhost", "/", "AppStopped"},
		"path form":                 {"localhost:7081", "/hello/api/x", "Hello instance /api/x prefix /hello"},
		"path form, v6":             {"[::1]:7081", "/hello/api/x", "Hello instance /api/x prefix /hello"},
		"path form, bare v6":        {"[::1]", "/hello/api/x", "Hello instance /api/x prefix /hello"},
		"path form, case":           {"localhost", "/HELLO/api/x", "Hello instance /api/x prefix /HELLO"},
		"path form, app only":       {"localhost", "/hello", "Hello instance / prefix /hello"},
		"path form, slash":          {"localhost", "/hello/", "Hello instance / prefix /hello"},
		"path form, slashes":        {"localhost", "//hello//api", "Hello instance //api prefix /hello"},
		"path form, none":           {"localhost", "/", "AppNotFound"},
		"path form, unknown":        {"localhost", "/nope/api", "AppNotFound"},
		"path form, encoded":        {"localhost", "/hell%6F/a%2Fb", "Hello instance /a/b raw /a%2Fb prefix /hell%6F"},
		"path form, encoded slash":  {"localhost", "/hello%2Fapi/x", "AppNotFound"},
		"path form, dots":           {"localhost", "/../hello/x", "AppNotFound"},
		"path form, out of the app": {"localhost", "/hello/../shop-2/x", "Hello instance /../shop-2/x prefix /hello"},
		"raw is kept":               {domain, "/api/a%2Fb%20c", "Hello instance /api/a/b c raw /api/a%2Fb%20c"},
		"an app called admin":       {"localhost", "/admin/api/x", "admin instance /api/x prefix /admin"},
	} {
		if diff := cmp.Diff(c.want, got(router(true), http.MethodGet, c.host, c.uri)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if s := got(router(false), http.MethodGet, "localhost", "/hello/api"); s != CodeAppNotFound {
		t.Errorf("path form although it is off: %s", s)
	}
	for _, r := range []*http.Request{
		httptest.NewRequestWithContext(t.Context(), http.MethodConnect, "hello.functions.localhost:443", nil),
		{Method: http.MethodOptions, Host: domain, URL: &url.URL{Path: "*"}},
	} {
		if _, fail := router(true).route(r); fail == nil || fail.code != CodeBadRequest {
			t.Errorf("%s %s: %+v", r.Method, r.URL, fail)
		}
	}
}

func TestAdminDoors(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]string{
		"GET /admin/host/keys":                  "manager /admin/host/keys",
		"PUT /admin/host/functionkeys/default":  "manager /admin/host/functionkeys/default",
		"DELETE /admin/host/systemkeys/a":       "manager /admin/host/systemkeys/a",
		"POST /admin/host/keys/_master":         "manager /admin/host/keys/_master",
		"GET /admin/functions/Fn/keys":          "manager /admin/functions/Fn/keys",
		"PUT /admin/functions/Fn/keys/k":        "manager /admin/functions/Fn/keys/k",
		"GET /admin/vfs/site/wwwroot/":          "manager /admin/vfs/site/wwwroot/",
		"PUT /admin/vfs/site/wwwroot/host.json": "manager /admin/vfs/site/wwwroot/host.json",
		"GET /admin/vfs/../host/config":         "closed /admin/host/config",
		"PUT /admin/functions/Fn":               "manager /admin/functions/Fn",
		"DELETE /admin/functions/Fn":            "manager /admin/functions/Fn",
		"GET /admin/functions":                  "instance /admin/functions",
		"GET /admin/functions/Fn":               "instance /admin/functions/Fn",
		"POST /admin/functions/Fn":              "instance /admin/functions/Fn",
		"GET /admin/functions/Fn/status":        "instance /admin/functions/Fn/status",
		"PATCH /admin/functions/Fn":             "closed /admin/functions/Fn",
		"POST /admin/functions":                 "closed /admin/functions",
		"GET /admin/functions/Fn/secrets":       "closed /admin/functions/Fn/secrets",
		"GET /admin/host/status":                "instance /admin/host/status",
		"POST /admin/host/ping":                 "instance /admin/host/ping",
		"DELETE /admin/host/status":             "closed /admin/host/status",
		"GET /admin/host/status/x":              "closed /admin/host/status/x",
		"POST /admin/host/synctriggers":         "instance /admin/host/synctriggers",
		"GET /admin/host/ready":                 "closed /admin/host/ready",
		"POST /admin/host/drain":                "closed /admin/host/drain",
		"POST /admin/host/restart":              "closed /admin/host/restart",
		"POST /admin/instance/assign":           "closed /admin/instance/assign",
		"GET /admin":                            "closed /admin",
		"GET /admin/":                           "closed /admin",
		"GET /admin/host":                       "closed /admin/host",
		"POST /runtime/webhooks/durabletask/x":  "instance /runtime/webhooks/durabletask/x",
		"GET /api/admin/host/config":            "instance /api/admin/host/config",
		"GET /administrator":                    "instance /administrator",
		// ways round
		"GET //admin/host/config":               "closed /admin/host/config",
		"GET /ADMIN/Host/CONFIG":                "closed /admin/host/config",
		"GET /%61dmin/host/config":              "closed /admin/host/config",
		"GET /./admin/host/config":              "closed /admin/host/config",
		"GET /api/../admin/host/config":         "closed /admin/host/config",
		"GET /api/%2e%2e/admin/host/config":     "closed /admin/host/config",
		"GET /api/..%2fadmin/host/config":       "closed /admin/host/config",
		"GET /admin%2fhost%2fconfig":            "closed /admin/host/config",
		"GET /%2fadmin/host/config":             "closed /admin/host/config",
		"GET /%5cadmin%5chost/config":           "closed /admin/host/config",
		"GET /admin/host/status/../config":      "closed /admin/host/config",
		"GET /admin/host/status%2f..%2fconfig":  "closed /admin/host/config",
		"GET /admin/functions/..%2fhost/config": "closed /admin/host/config",
		"GET /admin/./host//Status":             "instance /admin/host/status",
		"POST /admin/x/../host//ready":          "closed /admin/host/ready",
	} {
		method, uri, _ := strings.Cut(request, " ")
		if diff := cmp.Diff("Hello "+want, got(router(true), method, "hello.functions.localhost", uri)); diff != "" {
			t.Errorf("%s: %s", request, diff)
		}
		if diff := cmp.Diff("Hello "+want+" prefix /hello", got(router(true), method, "localhost", "/hello"+uri)); diff != "" {
			t.Errorf("path form, %s: %s", request, diff)
		}
	}
}

// FuzzRoute looks for a path that an instance would read as a closed one, and for a path form that means another
// thing than the host form.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/api/x", "//admin/host/config", "/%61dmin/host/keys", "/./admin", "/a/..%2fadmin/x", "/%5cadmin", "/admin/vfs/", "/a%2Fb/", "/admin/functions/f"} {
		f.Add("hello.functions.localhost:7081", s)
	}
	f.Add("localhost", "/hello/api/x")
	f.Add("[::1]:80", "//hello")
	f.Fuzz(func(t *testing.T, host, uri string) {
		u, err := url.ParseRequestURI(uri)
		if err != nil {
			return
		}
		g := router(true)
		target, fail := g.route(&http.Request{Method: http.MethodGet, Host: host, URL: u})
		if fail != nil {
			return
		}
		if !strings.HasPrefix(target.path, "/") {
			t.Fatalf("path %q", target.path)
		}
		if decoded, err := url.PathUnescape(target.raw); target.raw != "" && (err != nil || decoded != target.path) {
			t.Errorf("raw %q is not %q", target.raw, target.path)
		}
		checkNoWayRound(t, target)
	})
}

// checkNoWayRound reads the path that an instance gets in several ways and finds none that is closed.
func checkNoWayRound(t *testing.T, target target) {
	t.Helper()
	if target.door != doorInstance {
		return
	}
	slashed := strings.ReplaceAll(target.path, `\`, "/")
	for _, reading := range []string{target.path, slashed, path.Clean(target.path), path.Clean(slashed)} {
		reading = strings.ToLower("/" + strings.TrimLeft(reading, "/"))
		if !strings.HasPrefix(reading+"/", "/admin/") {
			continue
		}
		if d, _ := doorOf(http.MethodGet, strings.Split(reading, "/")[1:], false); d != doorInstance {
			t.Errorf("an instance may read %q as %q, which is closed", target.path, reading)
		}
	}
}
