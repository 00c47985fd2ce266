package channeltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// Argument is the first argument of a test binary that is to be a language worker; the mode follows.
const Argument = "fakeworker"

// Main plays the language worker when the arguments ask for it; call it first in TestMain.
func Main() {
	if len(os.Args) < 3 || os.Args[1] != Argument {
		return
	}
	if err := play(os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error: "+err.Error())
		os.Exit(1)
	}
	os.Exit(0)
}

// WriteConfig writes dir/<language>/worker.config.json for this test binary in a mode, and returns dir.
func WriteConfig(dir, language, mode string, options map[string]any) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the test binary: %w", err)
	}
	folder := dir + "/" + language
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", fmt.Errorf("make the language worker's folder: %w", err)
	}
	raw, err := json.Marshal(map[string]any{
		"description": map[string]any{
			"language": language, "extensions": []string{".js"}, "defaultExecutablePath": self,
			"arguments": []string{Argument, mode}, "workerIndexing": language != "java",
		},
		"processOptions": options,
	})
	if err != nil {
		return "", fmt.Errorf("write the language worker's configuration: %w", err)
	}
	return dir, os.WriteFile(folder+"/worker.config.json", raw, 0o600)
}

type stream = grpc.BidiStreamingClient[rpcpb.StreamingMessage, rpcpb.StreamingMessage]

// player is a language worker that is connected.
type player struct {
	mode   string
	conn   *grpc.ClientConn
	mu     sync.Mutex
	stream stream
}

func play(mode string, args []string) error {
	flags := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		flags[strings.TrimPrefix(args[i], "--")] = args[i+1]
	}
	switch mode {
	case "silent":
		fmt.Fprintln(os.Stderr, "I will not connect")
		select {}
	case "dies":
		fmt.Fprintln(os.Stderr, "Error: something is missing")
		os.Exit(7)
	}
	conn, err := grpc.NewClient(strings.Trim(strings.TrimPrefix(flags["functions-uri"], "http://"), "/"),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	defer func() { _ = conn.Close() }()
	p := &player{mode: mode}
	if p.stream, err = open(conn, flags["functions-worker-id"], mode); err != nil {
		return err
	}
	p.conn = conn
	if file, ok := strings.CutPrefix(mode, "replay:"); ok {
		lines, err := ReadTranscript(file)
		if err != nil {
			return err
		}
		return p.replay(lines, flags)
	}
	return p.loop(flags)
}

func open(conn *grpc.ClientConn, id, mode string) (stream, error) {
	s, err := rpcpb.NewFunctionRpcClient(conn).EventStream(context.Background())
	if err != nil {
		return nil, fmt.Errorf("open the stream: %w", err)
	}
	first := &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_StartStream{StartStream: &rpcpb.StartStream{WorkerId: id}}}
	switch mode {
	case "garbage":
		first = &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_RpcLog{RpcLog: &rpcpb.RpcLog{Message: "hello?"}}}
	case "stranger":
		first.GetStartStream().WorkerId = "somebody-else"
	}
	return s, s.Send(first)
}

func (p *player) loop(flags map[string]string) error {
	for {
		msg, err := p.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the host ended the stream: %w", err)
		}
		if msg.GetWorkerTerminate() != nil {
			_, _ = fmt.Fprintln(os.Stdout, "LanguageWorkerConsoleLog terminated")
			return nil
		}
		p.handle(msg, flags)
	}
}

func (p *player) send(request *rpcpb.StreamingMessage, flags map[string]string, answer *rpcpb.StreamingMessage) {
	answer.RequestId = flags["functions-request-id"] // as Python: never the request's own id
	_ = request
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.stream.Send(answer)
}

func (p *player) handle(msg *rpcpb.StreamingMessage, flags map[string]string) {
	switch m := msg.GetContent().(type) {
	case *rpcpb.StreamingMessage_WorkerInitRequest:
		if p.mode == "twice" { // now that the first stream is accepted
			second, err := open(p.conn, flags["functions-worker-id"], p.mode)
			if err == nil {
				_, err = second.Recv()
			}
			fmt.Fprintln(os.Stderr, "second stream:", err)
		}
		if p.mode != "hangs-in-init" {
			p.send(msg, flags, p.initialised())
		}
	case *rpcpb.StreamingMessage_FunctionsMetadataRequest:
		p.send(msg, flags, p.index())
	case *rpcpb.StreamingMessage_FunctionLoadRequest:
		if p.mode != "hangs-in-load" {
			p.send(msg, flags, load(m.FunctionLoadRequest))
		}
	case *rpcpb.StreamingMessage_InvocationRequest:
		go p.invoke(msg, flags, m.InvocationRequest)
	case *rpcpb.StreamingMessage_InvocationCancel:
		fmt.Fprintln(os.Stdout, "cancelled "+m.InvocationCancel.GetInvocationId())
	}
}

func success() *rpcpb.StatusResult {
	return &rpcpb.StatusResult{Status: rpcpb.StatusResult_SUCCESS}
}

func failure(message string) *rpcpb.StatusResult {
	return &rpcpb.StatusResult{Exception: &rpcpb.RpcException{Message: message, StackTrace: "at app.js:1"}}
}

func (p *player) initialised() *rpcpb.StreamingMessage {
	r := &rpcpb.WorkerInitResponse{
		Result: success(), WorkerMetadata: &rpcpb.WorkerMetadata{RuntimeName: "fake", RuntimeVersion: "99.1"},
		Capabilities: map[string]string{
			"RpcHttpBodyOnly": "true", "RawHttpBodyBytes": "true", "UseNullableValueDictionaryForHttp": "true",
			"HandlesWorkerTerminateMessage": "true", "HandlesInvocationCancelMessage": "true",
		},
	}
	switch p.mode {
	case "fails-in-init":
		r.Result = failure("Worker was unable to load entry point: boom")
	case "no-verdict":
		r.Result = nil
	case "old-node":
		r.WorkerMetadata = &rpcpb.WorkerMetadata{RuntimeName: "node", RuntimeVersion: "18.20.1"}
	}
	return &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_WorkerInitResponse{WorkerInitResponse: r}}
}

func function(name string, bindings ...string) *rpcpb.RpcFunctionMetadata {
	return &rpcpb.RpcFunctionMetadata{Name: name, FunctionId: "id-" + name, RawBindings: bindings, ScriptFile: "app.js"}
}

func httpFunction(name, more string) *rpcpb.RpcFunctionMetadata {
	return function(name, `{"type":"httpTrigger","name":"req","direction":"IN"`+more+`}`, `{"type":"http","name":"$return","direction":"OUT"}`)
}

func (p *player) index() *rpcpb.StreamingMessage {
	r := &rpcpb.FunctionMetadataResponse{Result: success()}
	switch p.mode {
	case "no-functions":
		r.UseDefaultMetadataIndexing = true
		fmt.Fprintln(os.Stderr, "Error: Cannot find module './missing'")
	case "fails-in-index":
		r.Result = failure("two functions are called hello")
	case "unsupported":
		r.FunctionMetadataResults = []*rpcpb.RpcFunctionMetadata{function("onqueue", `{"type":"queueTrigger","name":"q","direction":"in"}`)}
	default:
		r.FunctionMetadataResults = []*rpcpb.RpcFunctionMetadata{
			httpFunction("hello", `,"authLevel":"anonymous","methods":["GET","POST"],"route":"hello/{id:int?}"`),
			httpFunction("secret", `,"authLevel":"FUNCTION"`),
			httpFunction("top", `,"authLevel":"admin"`),
			httpFunction("boom", `,"authLevel":"anonymous"`),
			httpFunction("crash", `,"authLevel":"anonymous"`),
			httpFunction("slow", `,"authLevel":"anonymous"`),
			httpFunction("never", `,"authLevel":"anonymous"`),
			httpFunction("env", `,"authLevel":"anonymous"`),
			httpFunction("badload", `,"authLevel":"anonymous"`),
			httpFunction("off", `,"authLevel":"anonymous"`),
			function("tick", `{"type":"timerTrigger","name":"timer","direction":"in","schedule":"%Schedule%","runOnStartup":true}`),
			function("onqueue", `{"type":"queueTrigger","name":"q","direction":"in"}`),
		}
	}
	return &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_FunctionMetadataResponse{FunctionMetadataResponse: r}}
}

func load(r *rpcpb.FunctionLoadRequest) *rpcpb.StreamingMessage {
	result := success()
	if r.GetMetadata().GetName() == "badload" {
		result = failure("its module throws")
	}
	return &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_FunctionLoadResponse{
		FunctionLoadResponse: &rpcpb.FunctionLoadResponse{FunctionId: r.GetFunctionId(), Result: result}}}
}

func (p *player) invoke(msg *rpcpb.StreamingMessage, flags map[string]string, r *rpcpb.InvocationRequest) {
	answer := &rpcpb.InvocationResponse{InvocationId: r.GetInvocationId(), Result: success()}
	switch name := strings.TrimPrefix(r.GetFunctionId(), "id-"); name {
	case "boom":
		answer.Result = failure("kaboom")
	case "crash":
		fmt.Fprintln(os.Stderr, "fatal error: out of luck")
		os.Exit(9)
	case "never":
		return
	case "slow":
		time.Sleep(time.Second) //nolint:forbidigo // a function that takes its time
		answer.ReturnValue = respond("slow")
	case "env":
		raw, _ := json.Marshal(os.Environ())
		answer.ReturnValue = respond(string(raw))
	case "tick":
		fmt.Fprintln(os.Stdout, "tick "+r.GetInputData()[0].GetData().GetJson())
	default:
		answer.ReturnValue = respond(describe(r.GetInputData()[0].GetData().GetHttp()))
	}
	p.send(msg, flags, &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_RpcLog{RpcLog: &rpcpb.RpcLog{
		InvocationId: r.GetInvocationId(), Level: rpcpb.RpcLog_INFORMATION, Message: "user log of " + r.GetFunctionId()}}})
	p.send(msg, flags, &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_InvocationResponse{InvocationResponse: answer}})
}

// describe writes what arrived, so that tests see it.
func describe(h *rpcpb.RpcHttp) string {
	headers := map[string]string{}
	for name, v := range h.GetNullableHeaders() {
		headers[name] = v.GetValue()
	}
	params := map[string]string{}
	for name, v := range h.GetNullableParams() {
		params[name] = v.GetValue()
	}
	raw, _ := json.Marshal(map[string]any{
		"method": h.GetMethod(), "url": h.GetUrl(), "headers": headers, "params": params, "body": string(h.GetBody().GetBytes()),
		"pid": os.Getpid(),
	})
	return string(raw)
}

func respond(body string) *rpcpb.TypedData {
	return &rpcpb.TypedData{Data: &rpcpb.TypedData_Http{Http: &rpcpb.RpcHttp{
		StatusCode: "200", Headers: map[string]string{"x-fake": "1"},
		Body: &rpcpb.TypedData{Data: &rpcpb.TypedData_String_{String_: body}},
	}}}
}
