package channel

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/worker/process"
	"github.com/nightshift-functions/nightshift/worker/rpc"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// minNode is the oldest Node that the app's libraries run on.
const minNode = 20

// answers are the language worker's answers to the steps of its start, matched by kind: some language workers answer
// with the request id of their launch.
type answers struct {
	init  chan *rpcpb.WorkerInitResponse
	index chan *rpcpb.FunctionMetadataResponse
	load  chan *rpcpb.FunctionLoadResponse
}

// loadQueue bounds the load answers that wait to be read; one per function is ever awaited.
const loadQueue = 4096

func newAnswers() answers {
	return answers{
		init:  make(chan *rpcpb.WorkerInitResponse, 1),
		index: make(chan *rpcpb.FunctionMetadataResponse, 1),
		load:  make(chan *rpcpb.FunctionLoadResponse, loadQueue),
	}
}

// init tells the language worker about the app and learns what it can do. Node loads the app's code before it answers.
func (c *Channel) init(ctx context.Context) error {
	err := c.send(ctx, &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_WorkerInitRequest{
		WorkerInitRequest: &rpcpb.WorkerInitRequest{
			HostVersion: HostVersion, Capabilities: map[string]string{"MultiStream": "10"},
			WorkerDirectory: c.o.Config.Dir, FunctionAppDirectory: c.o.AppDir,
		}}})
	if err != nil {
		return c.explain(err)
	}
	answer, err := await(ctx, c, c.answers.init, c.o.Config.Process.InitTimeout, "answer its initialisation")
	if err != nil {
		return err
	}
	if err := c.verdict("initialise", answer.GetResult()); err != nil {
		return err
	}
	c.Capabilities = ParseCapabilities(answer.GetCapabilities())
	c.Runtime = answer.GetWorkerMetadata()
	return c.checkRuntime()
}

func (c *Channel) checkRuntime() error {
	major, _, _ := strings.Cut(c.Runtime.GetRuntimeVersion(), ".")
	n, err := strconv.Atoi(strings.TrimPrefix(major, "v"))
	if err == nil && c.o.Config.Language == "node" && n < minNode {
		return &process.Error{Permanent: true, Message: fmt.Sprintf(
			"this node runs Node.js %s, apps need Node.js %d or newer; install one, or place the app where one is", c.Runtime.GetRuntimeVersion(), minNode)}
	}
	return nil
}

// index asks for the functions; useDefault means that the host is to read the function.json files. Language workers
// that do not index by worker.config.json are never asked: Java's dies of the question.
func (c *Channel) index(ctx context.Context) (functions []*Function, useDefault bool, err error) {
	if !c.o.Config.Indexing {
		return nil, true, nil
	}
	err = c.send(ctx, &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_FunctionsMetadataRequest{
		FunctionsMetadataRequest: &rpcpb.FunctionsMetadataRequest{FunctionAppDirectory: c.o.AppDir}}})
	if err != nil {
		return nil, false, c.explain(err)
	}
	answer, err := await(ctx, c, c.answers.index, indexTimeout, "list its functions")
	if err != nil {
		return nil, false, err
	}
	if err := c.verdict("list the functions", answer.GetResult()); err != nil {
		return nil, false, err
	}
	for _, m := range answer.GetFunctionMetadataResults() {
		functions = append(functions, FromIndex(m))
	}
	return functions, answer.GetUseDefaultMetadataIndexing(), nil
}

// load loads the functions, all at once. A function that does not load is a problem of that function alone.
func (c *Channel) load(ctx context.Context, functions []*Function) error {
	awaited := map[string]string{}
	requests := make([]*rpcpb.FunctionLoadRequest, len(functions))
	for i, f := range functions {
		requests[i] = &rpcpb.FunctionLoadRequest{FunctionId: f.ID, Metadata: f.Metadata}
		awaited[f.ID] = f.Name
	}
	if err := c.sendLoads(ctx, requests); err != nil {
		return c.explain(err)
	}
	limit := c.o.LoadTimeout
	if limit <= 0 {
		limit = loadTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for len(awaited) > 0 {
		answer, err := await(ctx, c, c.answers.load, limit, "load "+anyOf(awaited))
		if err != nil {
			return err
		}
		delete(awaited, answer.GetFunctionId())
		if err := c.verdict("load", answer.GetResult()); err != nil {
			c.mu.Lock()
			c.problems[answer.GetFunctionId()] = err.Error()
			c.mu.Unlock()
		}
	}
	return nil
}

func (c *Channel) sendLoads(ctx context.Context, requests []*rpcpb.FunctionLoadRequest) error {
	if c.Capabilities.LoadCollection {
		return c.send(ctx, &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_FunctionLoadRequestCollection{
			FunctionLoadRequestCollection: &rpcpb.FunctionLoadRequestCollection{FunctionLoadRequests: requests}}})
	}
	for _, r := range requests {
		err := c.send(ctx, &rpcpb.StreamingMessage{Content: &rpcpb.StreamingMessage_FunctionLoadRequest{FunctionLoadRequest: r}})
		if err != nil {
			return err
		}
	}
	return nil
}

func anyOf(names map[string]string) string {
	first := ""
	for _, name := range names {
		if first == "" || name < first {
			first = name
		}
	}
	return fmt.Sprintf("function %q", first)
}

// problem returns why a function did not load in this language worker.
func (c *Channel) problem(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.problems[id]
}

// verdict turns a StatusResult into an error; one that is missing is a failure, because Failure is the zero value.
func (c *Channel) verdict(what string, result *rpcpb.StatusResult) error {
	if result.GetStatus() == rpcpb.StatusResult_SUCCESS {
		return nil
	}
	text := result.GetException().GetMessage()
	if text == "" {
		text = result.GetResult()
	}
	if text == "" {
		text = "it gave no reason"
	}
	// What throws while loading throws again: starting the same package once more cannot help.
	return &process.Error{Message: fmt.Sprintf("%s: %s", what, text), Stderr: c.proc.Stderr(), Permanent: true}
}

// explain replaces the news that a stream ended by the reason, when that is known or comes soon.
func (c *Channel) explain(err error) error {
	if !errors.Is(err, rpc.ErrClosed) {
		return err
	}
	wait(c.dead, 2*lastWords)
	if cause := c.Cause(); cause != nil {
		return cause
	}
	return err
}

// await waits for one answer, the language worker's death, or the limit.
func await[T any](ctx context.Context, c *Channel, answers <-chan T, limit time.Duration, what string) (T, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	var none T
	select {
	case a := <-answers:
		return a, nil
	case <-c.dead:
		return none, c.Cause()
	case <-timer.C:
		return none, process.Failf(c.proc.Stderr(), "the %s language worker did not %s within %s", c.o.Config.Language, what, limit)
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return none, process.Failf(c.proc.Stderr(), "the %s language worker did not %s in time", c.o.Config.Language, what)
		}
		return none, fmt.Errorf("wait for the language worker to %s: %w", what, context.Cause(ctx))
	}
}
