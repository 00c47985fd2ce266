package rpc_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// text, message and number append hand-made fields.
func text(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func message(b []byte, field protowire.Number, parts ...[]byte) []byte {
	var inner []byte
	for _, p := range parts {
		inner = append(inner, p...)
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), inner)
}

func number(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

// TestFieldNumbers decodes bytes made by hand from the contract's numbers: names are ours, numbers are not.
func TestFieldNumbers(t *testing.T) {
	t.Parallel()
	status := func(code uint64) []byte { return number(nil, 4, code) }
	entry := func(field protowire.Number, key, value string) []byte {
		return message(nil, field, text(nil, 1, key), text(nil, 2, value))
	}
	nullable := func(field protowire.Number, key, value string) []byte {
		return message(nil, field, text(nil, 1, key), message(nil, 2, text(nil, 1, value)))
	}
	for name, c := range map[string]struct {
		raw   []byte
		check func(*rpcpb.StreamingMessage) bool
	}{
		"start stream": {message(text(nil, 1, "req"), 20, text(nil, 2, "w")), func(m *rpcpb.StreamingMessage) bool {
			return m.GetRequestId() == "req" && m.GetStartStream().GetWorkerId() == "w"
		}},
		"init response": {
			message(nil, 16, entry(2, "HttpUri", "u"), message(nil, 3, status(1)), message(nil, 4, text(nil, 1, "node"), text(nil, 2, "20"))),
			func(m *rpcpb.StreamingMessage) bool {
				r := m.GetWorkerInitResponse()
				return r.GetCapabilities()["HttpUri"] == "u" && r.GetResult().GetStatus() == rpcpb.StatusResult_SUCCESS &&
					r.GetWorkerMetadata().GetRuntimeName() == "node" && r.GetWorkerMetadata().GetRuntimeVersion() == "20"
			},
		},
		"metadata response": {
			message(nil, 30, message(nil, 1, text(nil, 4, "fn"), text(nil, 1, "dir"), text(nil, 2, "script"), text(nil, 3, "entry"), text(nil, 10, "{}"),
				text(nil, 13, "id"), entry(16, "worker_indexed", "True")), message(nil, 2, status(1)), number(nil, 3, 1)),
			func(m *rpcpb.StreamingMessage) bool {
				r := m.GetFunctionMetadataResponse()
				f := r.GetFunctionMetadataResults()[0]
				return r.GetUseDefaultMetadataIndexing() && f.GetName() == "fn" && f.GetDirectory() == "dir" && f.GetScriptFile() == "script" &&
					f.GetEntryPoint() == "entry" && f.GetRawBindings()[0] == "{}" && f.GetFunctionId() == "id" && f.GetProperties()["worker_indexed"] == "True"
			},
		},
		"load response": {message(nil, 9, text(nil, 1, "id"), message(nil, 2, message(nil, 2, text(nil, 2, "why")))), func(m *rpcpb.StreamingMessage) bool {
			r := m.GetFunctionLoadResponse()
			return r.GetFunctionId() == "id" && r.GetResult().GetStatus() == rpcpb.StatusResult_FAILURE && r.GetResult().GetException().GetMessage() == "why"
		}},
		"invocation response": {
			message(nil, 5, text(nil, 1, "inv"), message(nil, 2, text(nil, 1, "out"), message(nil, 2, number(nil, 6, protowire.EncodeZigZag(-7)))),
				message(nil, 3, status(2)), message(nil, 4, message(nil, 5, text(nil, 12, "201"), entry(3, "a", "b"),
					message(nil, 4, text(nil, 3, "raw")), message(nil, 19, text(nil, 1, "c"), number(nil, 8, 3), message(nil, 7, number(nil, 1, 1)))))),
			func(m *rpcpb.StreamingMessage) bool {
				r := m.GetInvocationResponse()
				h := r.GetReturnValue().GetHttp()
				c := h.GetCookies()[0]
				return r.GetInvocationId() == "inv" && r.GetOutputData()[0].GetName() == "out" && r.GetOutputData()[0].GetData().GetInt() == -7 &&
					r.GetResult().GetStatus() == rpcpb.StatusResult_CANCELLED && h.GetStatusCode() == "201" && h.GetHeaders()["a"] == "b" &&
					string(h.GetBody().GetBytes()) == "raw" && c.GetName() == "c" && c.GetSameSite() == rpcpb.RpcHttpCookie_EXPLICIT_NONE && c.GetHttpOnly().GetValue()
			},
		},
		"log": {message(nil, 2, text(nil, 1, "inv"), text(nil, 2, "cat"), number(nil, 3, 4), text(nil, 4, "msg"), number(nil, 8, 1)), func(m *rpcpb.StreamingMessage) bool {
			l := m.GetRpcLog()
			return l.GetInvocationId() == "inv" && l.GetCategory() == "cat" && l.GetLevel() == rpcpb.RpcLog_ERROR && l.GetMessage() == "msg" && l.GetLogCategory() == rpcpb.RpcLog_SYSTEM
		}},
		"invocation request": {
			message(nil, 4, text(nil, 1, "inv"), text(nil, 2, "fn"), message(nil, 3, text(nil, 1, "req"), message(nil, 2, message(nil, 5,
				text(nil, 1, "GET"), text(nil, 2, "url"), nullable(20, "h", "1"), nullable(21, "p", "2"), nullable(22, "q", "3")))), message(nil, 5, text(nil, 1, "tp"))),
			func(m *rpcpb.StreamingMessage) bool {
				r := m.GetInvocationRequest()
				h := r.GetInputData()[0].GetData().GetHttp()
				return r.GetFunctionId() == "fn" && h.GetMethod() == "GET" && h.GetUrl() == "url" && h.GetNullableHeaders()["h"].GetValue() == "1" &&
					h.GetNullableParams()["p"].GetValue() == "2" && h.GetNullableQuery()["q"].GetValue() == "3" && r.GetTraceContext().GetTraceParent() == "tp"
			},
		},
		"cancel":    {message(nil, 21, text(nil, 2, "inv")), func(m *rpcpb.StreamingMessage) bool { return m.GetInvocationCancel().GetInvocationId() == "inv" }},
		"terminate": {message(nil, 14, message(nil, 1, number(nil, 1, 5))), func(m *rpcpb.StreamingMessage) bool { return m.GetWorkerTerminate().GetGracePeriod().GetSeconds() == 5 }},
		"load request": {message(nil, 8, text(nil, 1, "id"), message(nil, 2, message(nil, 6, text(nil, 1, "b"), message(nil, 2, text(nil, 2, "http"), number(nil, 3, 1), number(nil, 4, 2))))),
			func(m *rpcpb.StreamingMessage) bool {
				b := m.GetFunctionLoadRequest().GetMetadata().GetBindings()["b"]
				return b.GetType() == "http" && b.GetDirection() == rpcpb.BindingInfo_OUT && b.GetDataType() == rpcpb.BindingInfo_BINARY
			}},
		"reload": {message(nil, 25, entry(1, "K", "V"), text(nil, 2, "dir")), func(m *rpcpb.StreamingMessage) bool {
			return m.GetFunctionEnvironmentReloadRequest().GetEnvironmentVariables()["K"] == "V"
		}},
		"status": {message(nil, 13), func(m *rpcpb.StreamingMessage) bool { return m.GetWorkerStatusResponse() != nil }},
		"collection": {message(nil, 32, message(nil, 1, text(nil, 1, "id"))), func(m *rpcpb.StreamingMessage) bool {
			return m.GetFunctionLoadResponseCollection().GetFunctionLoadResponses()[0].GetFunctionId() == "id"
		}},
	} {
		m := &rpcpb.StreamingMessage{}
		if err := proto.Unmarshal(c.raw, m); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !c.check(m) || len(m.ProtoReflect().GetUnknown()) > 0 {
			t.Errorf("%s: decoded as %v", name, m)
		}
	}
}

func TestServiceName(t *testing.T) {
	t.Parallel()
	if rpcpb.FunctionRpc_EventStream_FullMethodName != "/AzureFunctionsRpcMessages.FunctionRpc/EventStream" {
		t.Error(rpcpb.FunctionRpc_EventStream_FullMethodName)
	}
}
