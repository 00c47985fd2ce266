package channel

import (
	"strings"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// consolePrefix marks what a language worker itself prints, as opposed to the app's code.
const consolePrefix = "LanguageWorkerConsoleLog"

// deliver takes one message of the stream. It never blocks: it runs in the stream's only reader.
func (c *Channel) deliver(msg *rpcpb.StreamingMessage) {
	switch m := msg.GetContent().(type) {
	case *rpcpb.StreamingMessage_InvocationResponse:
		c.answer(m.InvocationResponse)
	case *rpcpb.StreamingMessage_RpcLog:
		c.log(m.RpcLog)
	case *rpcpb.StreamingMessage_WorkerInitResponse:
		offer(c.answers.init, m.WorkerInitResponse)
	case *rpcpb.StreamingMessage_FunctionMetadataResponse:
		offer(c.answers.index, m.FunctionMetadataResponse)
	case *rpcpb.StreamingMessage_FunctionLoadResponse:
		offer(c.answers.load, m.FunctionLoadResponse)
	case *rpcpb.StreamingMessage_FunctionLoadResponseCollection:
		for _, r := range m.FunctionLoadResponseCollection.GetFunctionLoadResponses() {
			offer(c.answers.load, r)
		}
	default:
		c.o.Log.Debug().Type("message", m).Msg("language worker sent what nobody waits for")
	}
}

// offer drops an answer that nobody waits for.
func offer[T any](to chan<- T, answer T) {
	select {
	case to <- answer:
	default:
	}
}

func (c *Channel) answer(r *rpcpb.InvocationResponse) {
	c.mu.Lock()
	i := c.inflight[r.GetInvocationId()]
	delete(c.inflight, r.GetInvocationId())
	c.mu.Unlock()
	if i != nil {
		i.done <- outcome{response: r}
	}
}

// log hands on what a language worker logged. System logs below a warning are for the authors of language workers:
// Node alone writes two per invocation.
func (c *Channel) log(l *rpcpb.RpcLog) {
	system := l.GetLogCategory() == rpcpb.RpcLog_SYSTEM
	if l.GetLogCategory() == rpcpb.RpcLog_CUSTOM_METRIC || (system && l.GetLevel() < rpcpb.RpcLog_WARNING) {
		return
	}
	line := hostapi.LogLine{
		Level: levelName(l.GetLevel()), Category: l.GetCategory(), InvocationID: l.GetInvocationId(), Message: l.GetMessage(),
	}
	if e := l.GetException(); e.GetMessage() != "" {
		line.Message = strings.TrimSpace(line.Message + "\n" + e.GetMessage() + "\n" + e.GetStackTrace())
	}
	c.mu.Lock()
	if i := c.inflight[l.GetInvocationId()]; i != nil {
		line.Function = i.function
	}
	c.mu.Unlock()
	switch {
	case system:
		line.Category = "Worker." + c.o.Config.Language
	case line.Function != "":
		line.Category = "Function." + line.Function + ".User"
	case line.Category == "":
		line.Category = "Function.User"
	}
	c.o.Emit(line)
}

func levelName(l rpcpb.RpcLog_Level) string {
	switch l {
	case rpcpb.RpcLog_TRACE:
		return "trace"
	case rpcpb.RpcLog_DEBUG:
		return "debug"
	case rpcpb.RpcLog_WARNING:
		return "warning"
	case rpcpb.RpcLog_ERROR:
		return "error"
	case rpcpb.RpcLog_CRITICAL:
		return "critical"
	case rpcpb.RpcLog_INFORMATION, rpcpb.RpcLog_LEVEL_NONE:
	}
	return "information"
}

// console takes one line of the process's output.
func (c *Channel) console(stderr bool, line string) {
	if l, ok := Console(stderr, line); ok {
		if l.Category == "" {
			l.Category = "Worker." + c.o.Config.Language
		}
		c.o.Emit(l)
	}
}

// Console reads a line of a language worker's output as Azure's host does: its own chatter is marked by a prefix (and
// shown only from warnings up), tooling lines are not for people, the rest is what the app's code printed. The category
// is empty for the language worker's own lines; false means that the line is not to be shown.
func Console(stderr bool, line string) (hostapi.LogLine, bool) {
	if strings.HasPrefix(line, "azfuncjsonlog:") || strings.TrimSpace(line) == "" {
		return hostapi.LogLine{}, false
	}
	own, isOwn := strings.CutPrefix(line, consolePrefix)
	level := "information"
	if stderr {
		level = stderrLevel(line)
	} else if isOwn {
		level = markedLevel(own)
	}
	if isOwn {
		return hostapi.LogLine{Level: level, Message: strings.TrimSpace(own)}, level == "warning" || level == "error"
	}
	return hostapi.LogLine{Level: level, Category: "Host.Function.Console", Message: line}, true
}

func stderrLevel(line string) string {
	lower := strings.ToLower(line)
	if strings.Contains(lower, "warn") {
		return "warning"
	}
	for _, word := range []string{"error", "fail", "severe", "unhandled exception"} {
		if strings.Contains(lower, word) {
			return "error"
		}
	}
	return "information"
}

func markedLevel(own string) string {
	lower := strings.ToLower(own)
	switch {
	case strings.HasPrefix(lower, "[warn"):
		return "warning"
	case strings.HasPrefix(lower, "[error"), strings.HasPrefix(lower, "[severe"):
		return "error"
	}
	return "information"
}
