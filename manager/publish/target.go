package publish

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// target is the app that a request is about and the form in which the client addresses it.
type target struct {
	name   string // as in the request
	prefix string // path in front of the SCM routes: "/scm/<app>" or nothing
	who    identity.Principal
	app    store.App // set once the caller is known
}

type targetKey struct{}

func targetOf(r *http.Request) target {
	t, _ := r.Context().Value(targetKey{}).(target)
	return t
}

func withTarget(r *http.Request, t target) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), targetKey{}, t))
}

// ServeHTTP serves the path form, /scm/<app>/...; mount it on /scm without cutting the path.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, rest, ok := splitPathForm(r.URL.Path)
	if !ok {
		secure(w)
		writeMessage(w, http.StatusNotFound, "the address of an app's SCM site is /scm/<app>/")
		return
	}
	s.serve(w, r, target{name: name, prefix: "/scm/" + url.PathEscape(name)}, rest)
}

// HostForm serves an app whose SCM site has a host name of its own, such as <app>.scm.<domain>.
func (s *Service) HostForm(app string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, target{name: app}, r.URL.Path)
	})
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, t target, rest string) {
	// The routing state of the router that this service is mounted on must not steer ours.
	inner := r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, (*chi.Context)(nil)))
	inner = withTarget(inner, t)
	inner.URL = &url.URL{Path: routePath(rest), RawQuery: r.URL.RawQuery}
	s.routes.ServeHTTP(w, inner)
}

// splitPathForm cuts "/scm/<app>/<rest>"; clients double slashes when they join addresses.
func splitPathForm(p string) (name, rest string, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(path.Clean("/"+p), "/"), "/", 3)
	if len(parts) < 2 || parts[0] != "scm" || parts[1] == "" {
		return "", "", false
	}
	if len(parts) == 2 {
		return parts[1], "/", true
	}
	return parts[1], "/" + parts[2], true
}

// routePath brings a client's spelling to the one that the routes have: no doubled or trailing slash, no /api in
// front (Kudu has every route with and without), the first word in lower case.
func routePath(p string) string {
	p = path.Clean("/" + p)
	if head, rest, found := strings.Cut(p[1:], "/"); strings.EqualFold(head, "api") {
		p = "/"
		if found {
			p += rest
		}
	}
	head, rest, found := strings.Cut(p[1:], "/")
	if !found {
		return "/" + strings.ToLower(head)
	}
	return "/" + strings.ToLower(head) + "/" + rest
}

// baseURL is the SCM site's address in the form that the client used. Forwarded headers are not believed: whoever
// puts a proxy in front hands the host name through.
func (t target) baseURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + t.prefix
}

// scope is the ARM id that rights on an app are given on.
func scope(a store.App) string {
	return "/subscriptions/" + a.SubscriptionID + "/resourceGroups/" + a.ResourceGroup + "/providers/Microsoft.Web/sites/" + a.Name
}
