package gateway_test

import (
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/requesttoken"
	"github.com/nightshift-functions/nightshift/manager/gateway"
)

// seen runs one request through a gateway and returns it as the instance got it.
func seen(t *testing.T, cfg gateway.Config, path string, edit func(*http.Request)) (*http.Request, *rig) {
	t.Helper()
	got := make(chan *http.Request, 1)
	r := newRig(t, cfg, app("Hello", instance(t, func(_ http.ResponseWriter, r *http.Request) { got <- r })))
	r.send(t, http.MethodGet, path, nil, edit)
	return <-got, r
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	for header, c := range map[string]struct{ sent, want string }{
		"X-Functions-Key":                {"key", "key"},
		"Authorization":                  {"Bearer x", "Bearer x"},
		"Traceparent":                    {"00-1-2-01", "00-1-2-01"},
		"X-Custom":                       {"mine", "mine"},
		"X-Ms-Client-Request-Id":         {"id", "id"},
		"X-Ms-Client-Principal":          {"forged", ""},
		"X-Ms-Client-Principal-Name":     {"forged", ""},
		"X_ms_client_principal":          {"forged", ""},
		"X-Ms_Client-Principal-Id":       {"forged", ""},
		"X-Ms-Token-Aad-Id-Token":        {"forged", ""},
		"X-Ms-Site-Token":                {"forged", ""},
		"X-Ms-Site-Restricted-Token":     {"forged", ""},
		"X-Ms-Invocation-Id":             {"forged", ""},
		"X-Nightshift-Error":             {"forged", ""},
		"X-Nightshift-Anything":          {"forged", ""},
		"Forwarded":                      {"for=1.2.3.4", ""},
		"X-Forwarded-Port":               {"443", ""},
		"X-Forwarded-Prefix":             {"/evil", "/hello"},
		"X-Forwarded-For":                {"1.2.3.4", "127.0.0.1"},
		"X-Forwarded-Host":               {"evil", "public.example:7081"},
		"X-Forwarded-Proto":              {"https", "http"},
		"X-Original-Url":                 {"/evil", "/hello/api/a%2Fb?x=1&y=;z"},
		"Disguised-Host":                 {"evil", ""},
		"Client-Ip":                      {"1.2.3.4", ""},
		"Keep-Alive":                     {"timeout=5", ""},
		"Proxy-Authorization":            {"Basic x", ""},
		"Proxy-Connection":               {"keep-alive", ""},
		"Upgrade":                        {"h2c", ""}, // not named by Connection
		"User-Agent":                     {"curl/8", "curl/8"},
		"Accept-Encoding":                {"br", "br"},
		"Te":                             {"trailers, deflate", "trailers"},
		"X-Named-By-Connection":          {"private", ""},
		"Cookie":                         {"a=1; __Host-nightshift=secret; b=nightshift; nightshift_refresh=secret; __Secure-Nightshift=s; =nightshift=s", "a=1; b=nightshift"},
		"X-Ms-Correlation-Request-Id":    {"c", "c"},
		"X-Waws-Unencoded-Url":           {"/evil", ""},
		"X-Appservice-Proto":             {"https", ""},
		"X-Ms-Client-Principal-Anything": {"forged", ""},
	} {
		got, _ := seen(t, gateway.Config{}, "/hello/api/a%2Fb?x=1&y=;z", func(r *http.Request) {
			r.Host = "public.example:7081"
			r.Header[header] = []string{c.sent}
			if header == "X-Named-By-Connection" {
				r.Header.Set("Connection", "close, "+header)
			}
		})
		if diff := cmp.Diff(c.want, got.Header.Get(header)); diff != "" || c.want == "" && got.Header[header] != nil {
			t.Errorf("%s: %s", header, diff)
		}
		if got.Host != "public.example:7081" || got.RequestURI != "/api/a%2Fb?x=1&y=;z" {
			t.Fatalf("host %q, uri %q", got.Host, got.RequestURI)
		}
	}
}

func TestRequestToken(t *testing.T) {
	t.Parallel()
	got, r := seen(t, gateway.Config{}, "/hello/api/x", func(r *http.Request) { r.Header.Set(hostapi.HeaderRequestToken, "forged") })
	v := requesttoken.NewVerifier("Hello", time.Now)
	v.SetKeys([]string{r.signer.PublicKey()})
	if tokens := got.Header[hostapi.HeaderRequestToken]; len(tokens) != 1 || v.Check(tokens[0]) != nil {
		t.Errorf("tokens %q", tokens)
	}
	if id := got.Header.Get("X-Arr-Log-Id"); !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("id %q", id)
	}
}

func TestNothingIsMadeUp(t *testing.T) {
	t.Parallel()
	got, _ := seen(t, gateway.Config{}, "/hello/api/x", func(r *http.Request) {
		r.Header["User-Agent"] = []string{""}
		r.Header["Accept-Encoding"] = []string{"identity"}
	})
	for _, name := range []string{"User-Agent", "Content-Length", "Content-Type", "Transfer-Encoding"} {
		if v := got.Header[name]; v != nil {
			t.Errorf("%s: %q was not sent", name, v)
		}
	}
	if len(got.TransferEncoding) > 0 || got.ContentLength != 0 || got.Header.Get("Accept-Encoding") != "identity" {
		t.Errorf("got %v %d %v", got.TransferEncoding, got.ContentLength, got.Header)
	}
}

func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ prefix, wantFor, wantProto, wantHost string }{
		"trusted": {"127.0.0.0/8", "203.0.113.7, 127.0.0.1", "https", "hello.example"},
		"not":     {"10.0.0.0/8", "127.0.0.1", "http", "public.example"},
	} {
		cfg := gateway.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix(c.prefix)}}
		got, _ := seen(t, cfg, "/hello/api/x", func(r *http.Request) {
			r.Host = "public.example"
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("X-Forwarded-Host", "hello.example")
		})
		want := []string{c.wantFor, c.wantProto, c.wantHost}
		if diff := cmp.Diff(want, []string{got.Header.Get("X-Forwarded-For"), got.Header.Get("X-Forwarded-Proto"), got.Header.Get("X-Forwarded-Host")}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestResponseHeaders(t *testing.T) {
	t.Parallel()
	address := instance(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"a=1; Path=/", "__Host-nightshift=evil; Secure", " nightshift_x=1", "=nightshift=1", "b=nightshift"}
		h.Set("X-Nightshift-Error", "AppStopped")
		h.Set("X-Nightshift-Other", "x")
		h.Set("X-Mine", "mine")
		h.Set("Connection", "X-Private")
		h.Set("X-Private", "x")
		h.Set("Keep-Alive", "timeout=1")
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "not really gzip")
	})
	r := newRig(t, gateway.Config{}, app("hello", address))
	resp := r.send(t, http.MethodGet, "/hello/api/x", nil, func(req *http.Request) { req.Header.Set("Accept-Encoding", "gzip") })
	resp.Header.Del("Date")
	want := http.Header{
		"Set-Cookie": {"a=1; Path=/", "b=nightshift"}, "X-Mine": {"mine"}, "Content-Encoding": {"gzip"},
		"Content-Length": {"15"}, "Content-Type": {"text/plain; charset=utf-8"},
	}
	resp.Header.Del("Content-Type")
	delete(want, "Content-Type")
	if diff := cmp.Diff(want, resp.Header); diff != "" || resp.StatusCode != http.StatusTeapot || text(t, resp) != "not really gzip" {
		t.Error(resp.StatusCode, diff)
	}
}
