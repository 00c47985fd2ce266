package binding_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/binding"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

func str(s string) *rpcpb.TypedData {
	return &rpcpb.TypedData{Data: &rpcpb.TypedData_String_{String_: s}}
}

func raw(s string) *rpcpb.TypedData {
	return &rpcpb.TypedData{Data: &rpcpb.TypedData_Bytes{Bytes: []byte(s)}}
}

func request(contentType, body string) *binding.HTTP {
	h := &binding.HTTP{
		Method: "POST", URL: "http://h/api/x?a=1&a=2", Host: "h", Header: http.Header{"X-Many": {"1", "2"}, "X-Empty": {""}},
		Query: url.Values{"a": {"1", "2"}}, Params: map[string]string{"id": "7"}, Body: []byte(body),
	}
	if contentType != "" {
		h.Header.Set("Content-Type", contentType)
	}
	return h
}

func TestInputBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, contentType, body string
		shape                   binding.Shape
		want, rawBody           *rpcpb.TypedData
	}{
		{"bytes", "application/json", `{"x":1}`, binding.Shape{BodyOnly: true, BodyBytes: true}, raw(`{"x":1}`), nil},
		{"text", "application/json", `{"x":1}`, binding.Shape{BodyOnly: true}, str(`{"x":1}`), nil},
		{"octets without the capability", "application/octet-stream", "\x00\xff", binding.Shape{BodyOnly: true}, raw("\x00\xff"), nil},
		{"a form with files", "multipart/form-data; boundary=x", "--x", binding.Shape{BodyOnly: true}, raw("--x"), nil},
		{"old style JSON", "application/json; charset=utf-8", `{"x":1}`, binding.Shape{}, binding.JSON(`{"x":1}`), str(`{"x":1}`)},
		{"old style bad JSON", "application/json", `{"x"`, binding.Shape{}, str(`{"x"`), str(`{"x"`)},
		{"text that is not UTF-8", "text/plain", "\xff", binding.Shape{BodyOnly: true}, str("\uFFFD"), nil},
		{"none", "text/plain", "", binding.Shape{BodyOnly: true}, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := binding.Input(request(c.contentType, c.body), c.shape).GetHttp()
			if diff := cmp.Diff(c.want, got.GetBody(), protocmp.Transform()); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.rawBody, got.GetRawBody(), protocmp.Transform()); diff != "" {
				t.Errorf("rawBody (-want +got):\n%s", diff)
			}
		})
	}
}

func TestInputMaps(t *testing.T) {
	t.Parallel()
	plain := binding.Input(request("", ""), binding.Shape{IgnoreEmptyHeader: true}).GetHttp()
	if diff := cmp.Diff(map[string]string{"host": "h", "x-many": "1,2"}, plain.GetHeaders()); diff != "" {
		t.Error(diff)
	}
	if plain.GetQuery()["a"] != "1,2" || plain.GetParams()["id"] != "7" || plain.GetNullableHeaders() != nil {
		t.Errorf("got %v", plain)
	}
	nullable := binding.Input(request("", ""), binding.Shape{NullableMaps: true}).GetHttp()
	empty, ok := nullable.GetNullableHeaders()["x-empty"]
	if !ok || empty.GetValue() != "" || empty.GetString_() == nil || nullable.GetNullableHeaders()["x-many"].GetValue() != "1,2" ||
		nullable.GetNullableParams()["id"].GetValue() != "7" || nullable.GetNullableQuery()["a"].GetValue() != "1,2" || nullable.GetHeaders() != nil {
		t.Errorf("got %v", nullable)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	h := request("application/json", `{"id":"of the body","n":3,"o":{"p":[1]},"nothing":null,"s":"text"}`)
	h.Query.Set("code", "secret")
	h.Query.Set("n", "of the query")
	got := binding.Metadata(h)
	want := map[string]*rpcpb.TypedData{
		"id": str("7"), "n": str("of the query"), "a": str("1,2"), "o": binding.JSON(`{"p":[1]}`), "s": str("text"),
		"Query":   binding.JSON(`{"a":"1,2","code":"secret","n":"of the query"}`),
		"Headers": binding.JSON(`{"Content-Type":"application/json","Host":"h","X-Empty":"","X-Many":"1,2"}`),
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if list := binding.Metadata(request("application/json", `[1]`)); len(list) != 4 {
		t.Errorf("a list: %v", list)
	}
}

func TestOutput(t *testing.T) {
	t.Parallel()
	reply := func(status string, body *rpcpb.TypedData, headers map[string]string) *rpcpb.TypedData {
		return &rpcpb.TypedData{Data: &rpcpb.TypedData_Http{Http: &rpcpb.RpcHttp{StatusCode: status, Body: body, Headers: headers}}}
	}
	const text = "text/plain; charset=utf-8"
	for _, c := range []struct {
		name              string
		in                *rpcpb.TypedData
		status            int
		contentType, body string
	}{
		{"nothing", nil, 200, "", ""},
		{"an empty response", reply("", nil, nil), 200, "", ""},
		{"status alone", reply("204", nil, nil), 204, "", ""},
		{"text", reply("201", str("hi"), nil), 201, text, "hi"},
		{"JSON without a content type is text", reply("200", binding.JSON(`{"a":1}`), nil), 200, text, `{"a":1}`},
		{"bytes", reply("200", raw("\x00"), nil), 200, "application/octet-stream", "\x00"},
		{"the function's own content type", reply("200", raw("{}"), map[string]string{"content-type": "application/json"}), 200, "application/json", "{}"},
		{"a string", str("hi"), 200, text, "hi"},
		{"JSON", binding.JSON(`[1,2]`), 200, text, "[1,2]"},
		{"an int", &rpcpb.TypedData{Data: &rpcpb.TypedData_Int{Int: 7}}, 200, text, "7"},
		{"an object without a body is the body", binding.JSON(`{"status":404}`), 200, text, `{"status":404}`},
		{"a response object", binding.JSON(`{"status":404,"body":{"a":1},"headers":{"Content-Type":"application/json"}}`), 404, "application/json", `{"a":1}`},
		{"a response object as text", str(`{"statusCode":"202","body":"hi"}`), 202, text, "hi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := binding.Output(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != c.status || got.Header.Get("Content-Type") != c.contentType || string(got.Body) != c.body {
				t.Errorf("got %d %v %q", got.Status, got.Header, got.Body)
			}
		})
	}
	for _, status := range []string{"abc", "99", "100", "101", "1000", "-1"} {
		if _, err := binding.Output(reply(status, nil, nil)); azfunc.CodeOf(err) != azfunc.Invalid {
			t.Errorf("status %q: %v", status, err)
		}
	}
	a, err := binding.Output(reply("200", str("x"), map[string]string{"Content-Length": "99", "transfer-encoding": "chunked", "X-Own": "1"}))
	if err != nil || len(a.Header) != 2 || a.Header.Get("X-Own") != "1" {
		t.Errorf("headers of the connection: %v %v", a.Header, err)
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	text := func(s string) *rpcpb.NullableString {
		return &rpcpb.NullableString{String_: &rpcpb.NullableString_Value{Value: s}}
	}
	yes := &rpcpb.NullableBool{Bool: &rpcpb.NullableBool_Value{Value: true}}
	for want, c := range map[string]*rpcpb.RpcHttpCookie{
		"a=b; path=/":          {Name: "a", Value: "b"},
		"a=b%20%3B%2B; path=/": {Name: "a", Value: "b ;+"},
		"a=b; expires=Thu, 01 Jan 1970 00:00:07 GMT; max-age=60; domain=d; path=/p; secure; samesite=none; httponly": {
			Name: "a", Value: "b", Domain: text("d"), Path: text("/p"), Secure: yes, HttpOnly: yes, SameSite: rpcpb.RpcHttpCookie_EXPLICIT_NONE,
			MaxAge:  &rpcpb.NullableDouble{Double: &rpcpb.NullableDouble_Value{Value: 60}},
			Expires: &rpcpb.NullableTimestamp{Timestamp: &rpcpb.NullableTimestamp_Value{Value: timestamppb.New(time.Unix(7, 0))}},
		},
		"a=b; path=/x httponly; samesite=lax": {Name: "a", Value: "b", Path: text("/x; httponly\r\n"), SameSite: rpcpb.RpcHttpCookie_LAX},
	} {
		if got := binding.Cookie(c); got != want {
			t.Errorf("want %q, got %q", want, got)
		}
	}
}

func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	for _, v := range []*rpcpb.TypedData{nil, str("a\"b"), binding.JSON(`{"a":[1,2]}`), binding.JSON("7"), binding.JSON("true")} {
		js, err := binding.ToJSON(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := binding.FromJSON(js); !proto.Equal(v, got) {
			t.Errorf("%v became %s became %v", v, js, got)
		}
	}
	if js, err := binding.ToJSON(raw("\x00\x01")); err != nil || string(js) != `"AAE="` {
		t.Errorf("bytes: %s %v", js, err)
	}
	if _, err := binding.ToJSON(binding.JSON("{")); err == nil {
		t.Error("bad JSON passed")
	}
}

// FuzzRequest: whatever a caller sends, the message can go out, because protobuf refuses text that is not UTF-8 and ends
// the stream that all other calls share; and Query and Headers are JSON.
func FuzzRequest(f *testing.F) {
	f.Add("application/json", `{"a":"b"}`, "name", "value", "k=v&code=x")
	f.Add("text/plain", "\xff\xfe", "X-Y", "\xff\x01\"\\", "%ff=%00")
	f.Fuzz(func(t *testing.T, contentType, body, name, value, query string) {
		q, _ := url.ParseQuery(query)
		h := &binding.HTTP{Method: "POST", URL: "http://h/", Header: http.Header{}, Query: q, Params: map[string]string{"p": value}, Body: []byte(body)}
		h.Header.Set("Content-Type", contentType)
		h.Header[http.CanonicalHeaderKey(strings.ToValidUTF8(name, ""))] = []string{value}
		for _, s := range []binding.Shape{{}, {BodyOnly: true, NullableMaps: true}, {BodyOnly: true, BodyBytes: true, IgnoreEmptyHeader: true}} {
			if _, err := proto.Marshal(binding.Input(h, s)); err != nil {
				t.Errorf("%+v: %v", s, err)
			}
		}
		for name, v := range binding.Metadata(h) {
			if _, err := proto.Marshal(v); err != nil || !utf8.ValidString(name) {
				t.Errorf("metadata %q: %v", name, err)
			}
			if j, ok := v.GetData().(*rpcpb.TypedData_Json); ok && !json.Valid([]byte(j.Json)) {
				t.Errorf("metadata %q is not JSON: %s", name, j.Json)
			}
		}
	})
}

// FuzzOutput: whatever a function returns is an answer or an error, with a status that net/http takes.
func FuzzOutput(f *testing.F) {
	f.Add(`{"status":404,"body":"x","headers":{"a":1}}`)
	f.Add(`{"body":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range []*rpcpb.TypedData{str(text), binding.JSON(text)} {
			if a, err := binding.Output(v); err == nil && (a.Status < 200 || a.Status > 999) {
				t.Errorf("status %d", a.Status)
			}
		}
	})
}

func BenchmarkInput(b *testing.B) {
	h := request("application/json", `{"x":1}`)
	b.ReportAllocs()
	for b.Loop() {
		binding.Input(h, binding.Shape{BodyOnly: true, BodyBytes: true, NullableMaps: true})
		binding.Metadata(h)
	}
}
