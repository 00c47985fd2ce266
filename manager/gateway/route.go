package gateway

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/discovery"
)

// address is what host and path say before anybody is asked whether there is such an app.
type address struct {
	app    string // as the caller wrote it
	path   string // decoded, without the prefix
	raw    string // as sent, where that differs from path's default encoding; else ""
	prefix string // "/<app>" in path form
}

// target is a request's app and what of it is asked for.
type target struct {
	app    *discovery.App
	path   string
	raw    string
	prefix string
	door   door
}

// route finds the app and the door. Hosts under the domain are an app's alone: the path form is not tried there.
func (g *Gateway) route(r *http.Request) (target, *failure) {
	if r.Method == http.MethodConnect || !strings.HasPrefix(r.URL.Path, "/") {
		return target{}, failBadRequest()
	}
	a, ok := g.addressOf(r.Host, r.URL)
	if !ok {
		return target{}, failNoApp()
	}
	snap := g.snapshots.Current()
	if snap == nil {
		return target{}, failNotReady()
	}
	app := snap.App(a.app)
	if app == nil {
		return target{}, failUnknownApp(a.app)
	}
	t := target{app: app, path: a.path, raw: a.raw, prefix: a.prefix}
	if app.Stopped {
		return t, failStopped(app.Name)
	}
	if segments, reserved := adminSegments(a.path); reserved {
		t.door, t.path = doorOf(r.Method, segments, strings.HasSuffix(a.path, "/"))
		t.raw = ""
	}
	return t, nil
}

func (g *Gateway) addressOf(host string, u *url.URL) (address, bool) {
	if label, under := appLabel(host, g.cfg.Domain); under {
		return address{app: label, path: u.Path, raw: u.RawPath}, label != ""
	}
	if !g.cfg.PathForm {
		return address{}, false
	}
	return pathForm(u.Path, u.RawPath)
}

// appLabel cuts the app out of <app>.<domain>[:port]. under is true for every host of the domain, also for those
// that name no app (the domain itself, <app>.scm.<domain>); their label is "".
func appLabel(host, domain string) (label string, under bool) {
	host = strings.TrimSuffix(withoutPort(host), ".")
	if len(host) < len(domain) || !strings.EqualFold(host[len(host)-len(domain):], domain) {
		return "", false
	}
	rest := host[:len(host)-len(domain)]
	if rest == "" {
		return "", true
	}
	label, dotted := strings.CutSuffix(rest, ".")
	if !dotted {
		return "", false // notthedomain
	}
	if strings.Contains(label, ".") {
		return "", true
	}
	return label, true
}

func withoutPort(host string) string {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.HasSuffix(host, "]") { // a bare [::1]
		return host
	}
	return host[:i]
}

// pathForm cuts the first segment off. The segment is found in what was sent, so that an encoded slash in it makes
// another name and not another path.
func pathForm(path, raw string) (address, bool) {
	sent := path
	if raw != "" {
		sent = raw
	}
	sent = strings.TrimLeft(sent, "/")
	segment, rest := sent, "/"
	if i := strings.IndexByte(sent, '/'); i >= 0 {
		segment, rest = sent[:i], sent[i:]
	}
	if raw == "" {
		return address{app: segment, path: rest, prefix: "/" + segment}, segment != ""
	}
	app, err1 := url.PathUnescape(segment)
	decoded, err2 := url.PathUnescape(rest)
	if err1 != nil || err2 != nil {
		return address{}, false
	}
	return address{app: app, path: decoded, raw: rest, prefix: "/" + segment}, app != ""
}
