package httpserver

import (
	"net/http"
	"strings"
)

// NormalizePath collapses "//" and drops a trailing "/" before routing, without a redirect: Azure's SDKs build paths
// with both, and a redirect would turn their POST into a GET. keepSlash names the paths whose trailing "/" means
// something (a folder of vfs); nil means none.
func NormalizePath(keepSlash func(path string) bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path := normalPath(r.URL.Path, keepSlash)
			raw := ""
			if r.URL.RawPath != "" {
				raw = normalPath(r.URL.RawPath, keepSlash)
			}
			if path == r.URL.Path && raw == r.URL.RawPath {
				next.ServeHTTP(w, r)
				return
			}
			u, r2 := *r.URL, *r // a shallow copy: others may hold the request
			u.Path, u.RawPath, r2.URL = path, raw, &u
			next.ServeHTTP(w, &r2)
		})
	}
}

func normalPath(p string, keepSlash func(string) bool) string {
	if strings.Contains(p, "//") {
		p = collapse(p)
	}
	if len(p) > 1 && strings.HasSuffix(p, "/") && (keepSlash == nil || !keepSlash(p)) {
		return p[:len(p)-1]
	}
	return p
}

func collapse(p string) string {
	out := make([]byte, 0, len(p))
	for i := range len(p) {
		if p[i] != '/' || i == 0 || p[i-1] != '/' {
			out = append(out, p[i])
		}
	}
	return string(out)
}
