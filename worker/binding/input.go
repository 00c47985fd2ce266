package binding

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// maxPromotedBody is the largest JSON body whose top-level properties become trigger metadata.
const maxPromotedBody = 64 << 10

// HTTP is a caller's request, read to its end.
type HTTP struct {
	Method string
	URL    string // absolute, as the caller sees it
	Host   string
	Header http.Header
	Query  url.Values
	Params map[string]string // route values
	Body   []byte
}

// Shape is how a language worker wants its requests, by its capabilities.
type Shape struct {
	BodyOnly          bool // the body once, in body
	BodyBytes         bool // the body as bytes, whatever its type
	NullableMaps      bool // nullable maps, which keep empty values
	IgnoreEmptyHeader bool
}

// Input makes the value of an HTTP trigger. The body's bytes are not copied.
func Input(h *HTTP, s Shape) *rpcpb.TypedData {
	r := &rpcpb.RpcHttp{Method: h.Method, Url: h.URL}
	if s.NullableMaps {
		r.NullableHeaders = nullable(len(h.Header)+1, headers(h, false))
		r.NullableQuery = nullable(len(h.Query), query(h))
		r.NullableParams = nullable(len(h.Params), params(h))
	} else {
		r.Headers = plain(len(h.Header)+1, headers(h, s.IgnoreEmptyHeader))
		r.Query = plain(len(h.Query), query(h))
		r.Params = plain(len(h.Params), params(h))
	}
	if len(h.Body) > 0 {
		setBody(r, h, s)
	}
	return &rpcpb.TypedData{Data: &rpcpb.TypedData_Http{Http: r}}
}

// setBody places the body: bytes for language workers that ask for bytes, else text unless its type says that it is
// none. Language workers from before RpcHttpBodyOnly get JSON parsed, and the text once more in rawBody.
func setBody(r *rpcpb.RpcHttp, h *HTTP, s Shape) {
	contentType := h.Header.Get("Content-Type")
	if s.BodyBytes || isBinary(contentType) {
		r.Body = &rpcpb.TypedData{Data: &rpcpb.TypedData_Bytes{Bytes: h.Body}}
	} else {
		r.Body = &rpcpb.TypedData{Data: &rpcpb.TypedData_String_{String_: validText(h.Body)}}
	}
	if s.BodyOnly {
		return
	}
	r.RawBody = r.Body
	if isJSON(contentType) && json.Valid(h.Body) {
		r.Body = &rpcpb.TypedData{Data: &rpcpb.TypedData_Json{Json: string(h.Body)}}
	}
}

func isBinary(contentType string) bool {
	return hasPrefixFold(contentType, "application/octet-stream") || hasPrefixFold(contentType, "multipart/")
}

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	return strings.EqualFold(media, "application/json") || strings.HasSuffix(strings.ToLower(media), "+json")
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// validText makes text of bytes: protobuf refuses strings that are not UTF-8, and the stream with them.
func validText(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// pairs yields names and values of one of the request's maps.
type pairs func(yield func(name, value string) bool)

// headers yields lower-case names; repeated values are joined by commas, as Azure's host does.
func headers(h *HTTP, ignoreEmpty bool) pairs {
	return func(yield func(string, string) bool) {
		if h.Host != "" && !yield("host", h.Host) {
			return
		}
		for name, values := range h.Header {
			value := join(values)
			if value == "" && ignoreEmpty {
				continue
			}
			if !yield(lower(name), strings.ToValidUTF8(value, "\uFFFD")) {
				return
			}
		}
	}
}

func query(h *HTTP) pairs {
	return func(yield func(string, string) bool) {
		for name, values := range h.Query {
			if !yield(strings.ToValidUTF8(name, "\uFFFD"), strings.ToValidUTF8(join(values), "\uFFFD")) {
				return
			}
		}
	}
}

func params(h *HTTP) pairs {
	return func(yield func(string, string) bool) {
		for name, value := range h.Params {
			if !yield(name, strings.ToValidUTF8(value, "\uFFFD")) {
				return
			}
		}
	}
}

func join(values []string) string {
	if len(values) == 1 {
		return values[0]
	}
	return strings.Join(values, ",")
}

func plain(size int, from pairs) map[string]string {
	if size == 0 {
		return nil
	}
	m := make(map[string]string, size)
	for name, value := range from {
		m[name] = value
	}
	return m
}

func nullable(size int, from pairs) map[string]*rpcpb.NullableString {
	if size == 0 {
		return nil
	}
	m := make(map[string]*rpcpb.NullableString, size)
	values := make([]rpcpb.NullableString, size) // one allocation for all
	wrapped := make([]rpcpb.NullableString_Value, size)
	i := 0
	for name, value := range from {
		wrapped[i].Value = value
		values[i].String_ = &wrapped[i]
		m[name] = &values[i]
		i++
	}
	return m
}

// lower returns a header's name in lower case, without an allocation for the common ones.
func lower(name string) string {
	switch name {
	case "Accept":
		return "accept"
	case "Accept-Encoding":
		return "accept-encoding"
	case "Accept-Language":
		return "accept-language"
	case "Authorization":
		return "authorization"
	case "Connection":
		return "connection"
	case "Content-Length":
		return "content-length"
	case "Content-Type":
		return "content-type"
	case "Cookie":
		return "cookie"
	case "Origin":
		return "origin"
	case "Referer":
		return "referer"
	case "Traceparent":
		return "traceparent"
	case "User-Agent":
		return "user-agent"
	case "X-Forwarded-For":
		return "x-forwarded-for"
	case "X-Forwarded-Host":
		return "x-forwarded-host"
	case "X-Forwarded-Proto":
		return "x-forwarded-proto"
	case "X-Functions-Key":
		return "x-functions-key"
	}
	return strings.ToLower(name)
}
