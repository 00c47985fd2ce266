package management

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// access is who may come to a route.
type access int

const (
	scoped   access = iota // who has a role for the action on the path's scope
	listed                 // who has one there or on something in it; the handler leaves the rest out
	signedIn               // every user
	public                 // everybody
)

// route is one line of the table. Patterns are in Azure's spelling and match without case.
type route struct {
	method  string
	pattern string
	action  string
	access  access
	handle  func(*API, context.Context, *call) (reply, error)
}

// call is one request on its way through a route.
type call struct {
	w         http.ResponseWriter // for the body's limit only; replies are returned
	r         *http.Request
	params    map[string]string // by the pattern's names, in the caller's case
	principal identity.Principal
	rights    identity.Rights
	detail    string // for the audit: names, never values
}

// reply is a handler's answer.
type reply struct {
	status int    // 0 = 200
	body   any    // nil = empty
	etag   string // with quotes; "" = made from the body of a GET
	media  string // of a body that is []byte
	header map[string]string
}

// lowerPattern lower-cases a pattern except for the names in braces.
func lowerPattern(pattern string) string {
	segments := strings.Split(pattern, "/")
	for i, s := range segments {
		if !strings.HasPrefix(s, "{") {
			segments[i] = strings.ToLower(s)
		}
	}
	return strings.Join(segments, "/")
}

// paramsOf takes the named segments out of an escaped path that the pattern matched without case. A segment that is
// empty, a dot or holds a slash once it is unescaped is refused: it would make the scope say something else than the
// name that is looked up.
func paramsOf(pattern, path string) (map[string]string, error) {
	names, values := strings.Split(pattern, "/"), strings.Split(path, "/")
	params := map[string]string{}
	for i, name := range names {
		if !strings.HasPrefix(name, "{") || i >= len(values) {
			continue
		}
		value, err := url.PathUnescape(values[i])
		if err != nil || value == "" || value == "." || value == ".." || strings.ContainsAny(value, "/\\\x00") {
			return nil, azfunc.Errorf(azfunc.Invalid, "%q is not a name in a path", values[i])
		}
		params[strings.Trim(name, "{}")] = value
	}
	return params, nil
}

// scopeOf returns the scope that a path names: the widest of app, resource group and subscription that it has.
func scopeOf(params map[string]string) string {
	sub, group, site := params["sub"], params["group"], params["site"]
	switch {
	case site != "":
		return identity.SiteScope(sub, group, site)
	case group != "":
		return identity.GroupScope(sub, group)
	case sub != "":
		return identity.SubscriptionScope(sub)
	}
	return identity.Root
}

// apiVersion returns the api-version of a query, whatever the case of its name.
func apiVersion(query url.Values) string {
	for name, values := range query {
		if strings.EqualFold(name, "api-version") && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
