package gateway

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

// extraHeaders is how many headers the gateway adds to a request.
const extraHeaders = 8

// The headers that Azure's front end sets and functions read.
const (
	headerForwardedFor    = "X-Forwarded-For"
	headerForwardedHost   = "X-Forwarded-Host"
	headerForwardedProto  = "X-Forwarded-Proto"
	headerForwardedPrefix = "X-Forwarded-Prefix" // path form only
	headerOriginalURL     = "X-Original-Url"     // path and query as the caller sent them
	headerLogID           = "X-Arr-Log-Id"       // the host takes it for the request's id
)

// requestHeaders fills dst with what an instance may see of in's headers, and with what it is told about the caller.
func (g *Gateway) requestHeaders(dst http.Header, in *http.Request, prefix string) {
	named := in.Header["Connection"]
	for name, values := range in.Header {
		if hopByHop(name) || dropFromCaller(name) || (named != nil && hasToken(named, name)) {
			continue
		}
		if name == "Cookie" {
			if values = withoutOurCookies(values); len(values) == 0 {
				continue
			}
		}
		dst[name] = values
	}
	keepUpgrade(dst, in.Header)
	if dst["User-Agent"] == nil {
		dst["User-Agent"] = []string{""} // else the transport puts its own
	}
	g.tellForwarded(dst, in)
	dst[headerOriginalURL] = []string{originalURL(in)}
	dst[headerLogID] = []string{requestID(in)}
	if prefix != "" {
		dst[headerForwardedPrefix] = []string{prefix}
	}
}

// originalURL is the request line's, unless that was in absolute form.
func originalURL(in *http.Request) string {
	if strings.HasPrefix(in.RequestURI, "/") {
		return in.RequestURI
	}
	return in.URL.RequestURI()
}

// keepUpgrade puts back the two hop-by-hop headers that are meant for the instance: the wish to switch protocols
// and, of TE, the word that trailers are understood.
func keepUpgrade(dst, in http.Header) {
	if protocol := upgradeOf(in); protocol != "" {
		dst["Connection"], dst["Upgrade"] = []string{"Upgrade"}, []string{protocol}
	}
	if hasToken(in["Te"], "trailers") {
		dst["Te"] = []string{"trailers"}
	}
}

func (g *Gateway) tellForwarded(dst http.Header, in *http.Request) {
	caller, _, err := net.SplitHostPort(in.RemoteAddr)
	if err != nil {
		caller = in.RemoteAddr
	}
	host, proto := in.Host, "http"
	if in.TLS != nil {
		proto = "https"
	}
	if len(g.cfg.TrustedProxies) > 0 && g.trusted(caller) {
		if chain := strings.Join(in.Header[headerForwardedFor], ", "); chain != "" {
			caller = chain + ", " + caller
		}
		host = orElse(in.Header.Get(headerForwardedHost), host)
		proto = orElse(in.Header.Get(headerForwardedProto), proto)
	}
	dst[headerForwardedFor] = []string{caller}
	dst[headerForwardedHost] = []string{host}
	dst[headerForwardedProto] = []string{proto}
}

func orElse(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

func (g *Gateway) trusted(caller string) bool {
	addr, err := netip.ParseAddr(caller)
	if err != nil {
		return false
	}
	for _, p := range g.cfg.TrustedProxies {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// hopByHop headers concern one connection (RFC 9110, 7.6.1); name is in canonical form.
func hopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// dropFromCaller names what only the platform may say to a function. Frameworks that read headers as CGI variables
// do not tell "-" from "_", so neither does this.
func dropFromCaller(name string) bool {
	if c := name[0] | 0x20; c != 'x' && c != 'f' && c != 'c' && c != 'd' {
		return false // most headers
	}
	n := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	switch n {
	case "forwarded", "client-ip", "disguised-host",
		"x-original-url", "x-original-host", "x-arr-log-id", "x-arr-ssl", "x-appservice-proto", "x-site-deployment-id",
		"x-waws-unencoded-url", "x-ms-invocation-id":
		return true
	}
	if rest, ok := strings.CutPrefix(n, "x-ms-"); ok {
		return strings.HasPrefix(rest, "client-principal") || strings.HasPrefix(rest, "token-") || strings.HasSuffix(rest, "token")
	}
	return strings.HasPrefix(n, "x-forwarded-") || strings.HasPrefix(n, "x-nightshift-")
}

// responseHeaders fills dst with what a caller may see of an app's answer.
func responseHeaders(dst, from http.Header) {
	named := from["Connection"]
	for name, values := range from {
		if hopByHop(name) || isOurs(name) || (named != nil && hasToken(named, name)) {
			continue
		}
		if name == "Set-Cookie" {
			if values = withoutOurSetCookies(values); len(values) == 0 {
				continue
			}
		}
		dst[name] = values
	}
}

// isOurs keeps an app from speaking for the platform.
func isOurs(name string) bool { return strings.HasPrefix(name, "X-Nightshift-") }

// ourCookie is true for the portal's cookies. On one machine portal and apps share a host name, and cookies do not
// know ports. A cookie without a name ("=value") is sent back as its bare value, so that the value may pose as a name.
func ourCookie(pair string) bool {
	name := strings.ToLower(strings.TrimLeft(pair, "= \t"))
	name = strings.TrimPrefix(strings.TrimPrefix(name, "__host-"), "__secure-")
	return strings.HasPrefix(name, "nightshift")
}

// mentionsUs avoids taking most cookies apart.
func mentionsUs(values []string) bool {
	for _, v := range values {
		if strings.Contains(strings.ToLower(v), "nightshift") {
			return true
		}
	}
	return false
}

func withoutOurCookies(values []string) []string {
	if !mentionsUs(values) {
		return values
	}
	var kept []string
	for _, v := range values {
		for pair := range strings.SplitSeq(v, ";") {
			if pair = strings.TrimSpace(pair); pair != "" && !ourCookie(pair) {
				kept = append(kept, pair)
			}
		}
	}
	if kept == nil {
		return nil
	}
	return []string{strings.Join(kept, "; ")}
}

func withoutOurSetCookies(values []string) []string {
	if !mentionsUs(values) {
		return values
	}
	var kept []string
	for _, v := range values {
		if !ourCookie(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// announceTrailers tells the caller which trailers may come; it returns how many.
func announceTrailers(h http.Header, trailer http.Header) int {
	for name := range trailer {
		if !isOurs(name) {
			h.Add("Trailer", name)
		}
	}
	return len(trailer)
}

// sendTrailers passes the trailers on that came with the end of the body, announced or not.
func sendTrailers(h http.Header, trailer http.Header, announced int) {
	prefix := ""
	if len(trailer) != announced {
		prefix = http.TrailerPrefix
	}
	for name, values := range trailer {
		if !isOurs(name) && name != "Set-Cookie" {
			h[prefix+name] = values
		}
	}
}

// requestID returns the id of the face in front, else a new one in the form of a GUID. It names a request in logs
// and proves nothing, so it need not be hard to guess.
func requestID(r *http.Request) string {
	if id := httpserver.RequestIDFrom(r.Context()); id != "" {
		return id
	}
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], rand.Uint64())
	binary.BigEndian.PutUint64(raw[8:], rand.Uint64())
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	var id [36]byte
	hex.Encode(id[:8], raw[:4])
	hex.Encode(id[9:13], raw[4:6])
	hex.Encode(id[14:18], raw[6:8])
	hex.Encode(id[19:23], raw[8:10])
	hex.Encode(id[24:], raw[10:])
	id[8], id[13], id[18], id[23] = '-', '-', '-', '-'
	return string(id[:])
}
