package binding

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// The content types Azure's host sends when the function set none: text and objects are plain text, the rest is bytes.
const (
	typeText  = "text/plain; charset=utf-8"
	typeBytes = "application/octet-stream"
)

// Answer is an HTTP answer.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Output makes the answer of what a function gave to its http output; nil is an empty 200. The error is Invalid and
// says what is wrong with the function's response object.
func Output(v *rpcpb.TypedData) (Answer, error) {
	switch d := v.GetData().(type) {
	case nil:
		return Answer{Status: http.StatusOK, Header: http.Header{}}, nil
	case *rpcpb.TypedData_Http:
		return fromHTTP(d.Http)
	case *rpcpb.TypedData_Json:
		return fromJSON(d.Json)
	case *rpcpb.TypedData_String_:
		if strings.HasPrefix(strings.TrimSpace(d.String_), "{") {
			return fromJSON(d.String_)
		}
	}
	a := Answer{Status: http.StatusOK, Header: http.Header{}}
	a.setBody(v)
	return a, nil
}

func fromHTTP(r *rpcpb.RpcHttp) (Answer, error) {
	status, err := parseStatus(r.GetStatusCode())
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: status, Header: make(http.Header, len(r.GetHeaders())+2)}
	for name, value := range r.GetHeaders() {
		a.setHeader(name, value)
	}
	for name, value := range r.GetNullableHeaders() {
		a.setHeader(name, value.GetValue())
	}
	for _, c := range r.GetCookies() {
		a.Header["Set-Cookie"] = append(a.Header["Set-Cookie"], Cookie(c))
	}
	a.setBody(r.GetBody())
	return a, nil
}

// parseStatus reads a status code, which is text on the wire; absent means 200. The connection's own codes (1xx)
// cannot be an answer.
func parseStatus(s string) (int, error) {
	if s == "" {
		return http.StatusOK, nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 200 || n > 999 {
		return 0, azfunc.Errorf(azfunc.Invalid, "the function's response has status %q: it must be a number from 200 to 599", s)
	}
	return n, nil
}

// setHeader takes a header of the function. What the connection itself decides is passed over.
func (a *Answer) setHeader(name, value string) {
	switch key := http.CanonicalHeaderKey(name); key {
	case "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Trailer":
	default:
		a.Header[key] = append(a.Header[key], value)
	}
}

func (a *Answer) setBody(v *rpcpb.TypedData) {
	var contentType string
	a.Body, contentType = content(v)
	if a.Body != nil && len(a.Header["Content-Type"]) == 0 {
		a.Header["Content-Type"] = []string{contentType}
	}
}

// content returns a value as a body and the content type it has by default.
func content(v *rpcpb.TypedData) ([]byte, string) {
	switch d := v.GetData().(type) {
	case nil:
		return nil, ""
	case *rpcpb.TypedData_Bytes:
		return d.Bytes, typeBytes
	case *rpcpb.TypedData_Stream:
		return d.Stream, typeBytes
	case *rpcpb.TypedData_String_:
		return []byte(d.String_), typeText
	case *rpcpb.TypedData_Json:
		return []byte(d.Json), typeText
	}
	raw, err := ToJSON(v)
	if err != nil {
		return nil, ""
	}
	return raw, typeText
}

// responseObject is what JavaScript and PowerShell functions may return instead of an RpcHttp.
type responseObject struct {
	Status     json.RawMessage            `json:"status"`
	StatusCode json.RawMessage            `json:"statusCode"`
	Headers    map[string]json.RawMessage `json:"headers"`
	Body       json.RawMessage            `json:"body"`
}

// fromJSON unwraps JSON that holds a "body" as a response object; other JSON is the body itself.
func fromJSON(text string) (Answer, error) {
	if o, ok := responseOf(text); ok {
		return o.answer()
	}
	a := Answer{Status: http.StatusOK, Header: http.Header{}}
	a.setBody(JSON(text))
	return a, nil
}

func responseOf(text string) (o responseObject, ok bool) {
	var keys map[string]json.RawMessage
	ok = json.Unmarshal([]byte(text), &keys) == nil && keys["body"] != nil && json.Unmarshal([]byte(text), &o) == nil
	return o, ok
}

func (o responseObject) answer() (Answer, error) {
	code := o.StatusCode
	if code == nil {
		code = o.Status
	}
	status, err := parseStatus(unquote(code))
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Status: status, Header: http.Header{}}
	for name, raw := range o.Headers {
		a.setHeader(name, unquote(raw))
	}
	var s string
	if json.Unmarshal(o.Body, &s) == nil {
		a.setBody(text(s))
	} else {
		a.setBody(JSON(string(o.Body)))
	}
	return a, nil
}

// unquote returns a JSON scalar as text.
func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// Failure says what a function's exception was, for the log.
func Failure(r *rpcpb.StatusResult) string {
	e := r.GetException()
	switch {
	case e.GetMessage() != "" && e.GetStackTrace() != "":
		return fmt.Sprintf("%s\n%s", e.GetMessage(), e.GetStackTrace())
	case e.GetMessage() != "":
		return e.GetMessage()
	case r.GetResult() != "":
		return r.GetResult()
	case r.GetStatus() == rpcpb.StatusResult_CANCELLED:
		return "the invocation was cancelled"
	}
	return "the language worker reported a failure without a reason"
}
