package customhandler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/binding"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/invoke"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// maxAnswer bounds an answer of the default contract, which is held in memory.
const maxAnswer = 100 << 20

// The headers of the contract, in the spelling of net/http.
const (
	headerInvocationID = "X-Azure-Functions-Invocationid"
	headerHostVersion  = "X-Azure-Functions-Hostversion"
)

// request is the body of a call by the default contract.
type request struct {
	Data     map[string]json.RawMessage
	Metadata map[string]json.RawMessage
}

// httpData is the value of an HTTP trigger.
type httpData struct {
	URL        string `json:"Url"`
	Method     string
	Query      map[string]string
	Headers    map[string][]string
	Params     map[string]string
	Identities []struct{}
	Body       *string `json:",omitempty"`
}

// response is the program's answer.
type response struct {
	Outputs     map[string]json.RawMessage
	Logs        []json.RawMessage
	ReturnValue json.RawMessage
}

// Run calls the program by the default contract.
func (h *Handler) Run(ctx context.Context, call *invoke.Call) (*rpcpb.InvocationResponse, error) {
	body, err := requestOf(call)
	if err != nil {
		return nil, err
	}
	host, err := h.acquire(ctx)
	if err != nil {
		return nil, err
	}
	raw, status, err := h.post(ctx, host, call, body)
	if err != nil {
		return nil, err
	}
	return h.readResponse(call, raw, status)
}

func (h *Handler) post(ctx context.Context, host string, call *invoke.Call, body []byte) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/"+call.Function.Name, bytes.NewReader(body))
	if err != nil {
		return nil, 0, fmt.Errorf("make the custom handler's request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set(headerInvocationID, call.ID)
	req.Header.Set(headerHostVersion, channel.HostVersion)
	req.Header.Set("User-Agent", "Azure-Functions-Host/"+channel.HostVersion)
	res, err := h.client.Do(req)
	if err != nil {
		return nil, 0, fmt.Errorf("call the custom handler: %w", h.whyLost(err))
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read the custom handler's answer: %w", h.whyLost(err))
	}
	if len(raw) > maxAnswer {
		return nil, 0, azfunc.Errorf(azfunc.TooLarge, "the custom handler's answer is larger than %d MB", maxAnswer>>20)
	}
	return raw, res.StatusCode, nil
}

// whyLost prefers the program's end to the news that a connection broke, when it is known already.
func (h *Handler) whyLost(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.current == nil && h.lastErr != nil {
		return h.lastErr
	}
	return err
}

func requestOf(call *invoke.Call) ([]byte, error) {
	r := request{Data: map[string]json.RawMessage{}, Metadata: map[string]json.RawMessage{}}
	name, metadata := "", call.Metadata
	if t, ok := call.Function.Trigger(); ok {
		name = t.Name
	}
	var err error
	if call.HTTP != nil {
		r.Data[name], err = json.Marshal(httpValue(call.HTTP))
		metadata = binding.Metadata(call.HTTP)
	} else {
		r.Data[name], err = dataValue(call.Data)
	}
	if err != nil {
		return nil, fmt.Errorf("write the trigger's value: %w", err)
	}
	for key, v := range metadata {
		if strings.HasSuffix(strings.ToLower(key), "trigger") {
			continue // it is the data
		}
		if r.Metadata[key], err = binding.ToJSON(v); err != nil {
			return nil, fmt.Errorf("write the trigger metadata %q: %w", key, err)
		}
	}
	r.Metadata["sys"], err = json.Marshal(map[string]string{"MethodName": call.Function.Name})
	if err != nil {
		return nil, fmt.Errorf("write the trigger metadata: %w", err)
	}
	return json.Marshal(r) // plain maps of JSON cannot fail
}

func httpValue(in *binding.HTTP) httpData {
	d := httpData{
		URL: in.URL, Method: in.Method, Query: map[string]string{}, Headers: map[string][]string{}, Params: in.Params, Identities: []struct{}{},
	}
	for name, values := range in.Query {
		d.Query[name] = strings.Join(values, ",")
	}
	for name, values := range in.Header {
		d.Headers[name] = values
	}
	if in.Host != "" {
		d.Headers["Host"] = []string{in.Host}
	}
	if d.Params == nil {
		d.Params = map[string]string{}
	}
	if len(in.Body) > 0 {
		body := strings.ToValidUTF8(string(in.Body), "\uFFFD")
		d.Body = &body
	}
	return d
}

// dataValue gives text as a JSON-encoded string in a string, as Azure's host does for every trigger but HTTP.
func dataValue(v *rpcpb.TypedData) (json.RawMessage, error) {
	raw, err := binding.ToJSON(v)
	if err != nil || v.GetData() == nil {
		return raw, err // requestOf says what was written
	}
	if _, ok := v.GetData().(*rpcpb.TypedData_String_); ok {
		return json.Marshal(string(raw)) // a string cannot fail
	}
	return raw, nil
}

func (h *Handler) readResponse(call *invoke.Call, raw []byte, status int) (*rpcpb.InvocationResponse, error) {
	if status/100 != 2 {
		return nil, &invoke.FunctionError{Function: call.Function.Name,
			Reason: fmt.Sprintf("the custom handler answered %d: %s", status, excerpt(raw))}
	}
	var r response
	if err := json.Unmarshal(raw, &r); err != nil && len(bytes.TrimSpace(raw)) > 0 {
		return nil, &invoke.FunctionError{Function: call.Function.Name, Reason: fmt.Sprintf(
			"the custom handler's answer is not the JSON object with Outputs, Logs and ReturnValue that a custom handler returns (%v): %s", err, excerpt(raw))}
	}
	for _, l := range r.Logs {
		h.o.Emit(hostapi.LogLine{
			Level: "information", Category: "Function." + call.Function.Name + ".User",
			Function: call.Function.Name, InvocationID: call.ID, Message: textOf(l),
		})
	}
	return r.toRPC(call)
}

func (r response) toRPC(call *invoke.Call) (*rpcpb.InvocationResponse, error) {
	out := &rpcpb.InvocationResponse{
		InvocationId: call.ID, Result: &rpcpb.StatusResult{Status: rpcpb.StatusResult_SUCCESS},
	}
	for _, b := range call.Function.Bindings {
		if b.Direction == azfunc.In {
			continue
		}
		raw := r.Outputs[b.Name]
		if b.Name == azfunc.ReturnBinding && raw == nil {
			raw = r.ReturnValue
		}
		v := binding.FromJSON(raw)
		if b.Is("http") {
			var err error
			if v, err = httpOutput(raw); err != nil {
				return nil, &invoke.FunctionError{Function: call.Function.Name, Reason: err.Error()}
			}
		}
		if b.Name == azfunc.ReturnBinding {
			out.ReturnValue = v
		} else {
			out.OutputData = append(out.OutputData, &rpcpb.ParameterBinding{Name: b.Name, RpcData: &rpcpb.ParameterBinding_Data{Data: v}})
		}
	}
	return out, nil
}

// httpObject is the value of an http output.
type httpObject struct {
	StatusCode json.RawMessage            `json:"statusCode"`
	Status     json.RawMessage            `json:"status"`
	Headers    map[string]json.RawMessage `json:"headers"`
	Body       json.RawMessage            `json:"body"`
}

// httpOutput reads an http output: an object with statusCode (or status), headers and body; text is the body alone.
func httpOutput(raw json.RawMessage) (*rpcpb.TypedData, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		return binding.FromJSON(raw), nil
	}
	var o httpObject
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, errors.New("its http output is not an object with statusCode, headers and body: " + err.Error())
	}
	if o.StatusCode == nil && o.Status == nil && o.Headers == nil && o.Body == nil {
		return binding.JSON(string(raw)), nil // an object of the function's own
	}
	if o.StatusCode == nil {
		o.StatusCode = o.Status
	}
	r := &rpcpb.RpcHttp{StatusCode: textOf(o.StatusCode), Headers: map[string]string{}, Body: binding.FromJSON(o.Body)}
	for name, v := range o.Headers {
		r.Headers[name] = headerText(v)
	}
	return &rpcpb.TypedData{Data: &rpcpb.TypedData_Http{Http: r}}, nil
}

// headerText takes a text, a number, or a list of texts.
func headerText(raw json.RawMessage) string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return strings.Join(list, ",")
	}
	return textOf(raw)
}

// textOf returns a JSON string's text, other JSON as it is.
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func excerpt(raw []byte) string {
	const limit = 500
	return strings.ToValidUTF8(string(raw[:min(len(raw), limit)]), "\uFFFD")
}
