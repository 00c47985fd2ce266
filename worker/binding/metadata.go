package binding

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// Metadata makes the trigger metadata of an HTTP request: route values, query values (not the key in "code"), the
// top-level properties of a JSON body, and Query and Headers as JSON objects. Route values win over query values, these
// over body properties.
func Metadata(h *HTTP) map[string]*rpcpb.TypedData {
	m := make(map[string]*rpcpb.TypedData, len(h.Params)+len(h.Query)+2)
	promoteBody(m, h)
	for name, values := range h.Query {
		if !strings.EqualFold(name, "code") {
			m[strings.ToValidUTF8(name, "\uFFFD")] = text(join(values))
		}
	}
	for name, value := range h.Params {
		m[name] = text(value)
	}
	m["Query"] = JSON(object(len(h.Query), query(h)))
	m["Headers"] = JSON(object(len(h.Header)+1, originalHeaders(h)))
	return m
}

func text(s string) *rpcpb.TypedData {
	return &rpcpb.TypedData{Data: &rpcpb.TypedData_String_{String_: strings.ToValidUTF8(s, "\uFFFD")}}
}

// JSON makes a value of JSON text.
func JSON(s string) *rpcpb.TypedData {
	return &rpcpb.TypedData{Data: &rpcpb.TypedData_Json{Json: s}}
}

func originalHeaders(h *HTTP) pairs {
	return func(yield func(string, string) bool) {
		if h.Host != "" && !yield("Host", h.Host) {
			return
		}
		for name, values := range h.Header {
			if !yield(name, strings.ToValidUTF8(join(values), "\uFFFD")) {
				return
			}
		}
	}
}

func promoteBody(m map[string]*rpcpb.TypedData, h *HTTP) {
	if len(h.Body) == 0 || len(h.Body) > maxPromotedBody || !isJSON(h.Header.Get("Content-Type")) {
		return
	}
	var properties map[string]json.RawMessage
	if json.Unmarshal(h.Body, &properties) != nil {
		return // a list, or no JSON at all: the function sees the body anyway
	}
	for name, raw := range properties {
		var s string
		switch {
		case bytes.Equal(raw, []byte("null")):
		case raw[0] == '"' && json.Unmarshal(raw, &s) == nil:
			m[name] = text(s)
		default:
			m[name] = JSON(string(raw))
		}
	}
}

// object writes a JSON object of texts with its names in order. It is on the path of every request, and encoding/json
// takes several times as long.
func object(size int, from pairs) string {
	m := plain(size, from)
	out := make([]byte, 0, 64*len(m)+2)
	out = append(out, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, name), ':')
		out = appendText(out, m[name])
	}
	return string(append(out, '}'))
}

const hexDigits = "0123456789abcdef"

// appendText appends a JSON string; s is valid UTF-8.
func appendText(out []byte, s string) []byte {
	out = append(out, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ' || c == 0x7f:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
