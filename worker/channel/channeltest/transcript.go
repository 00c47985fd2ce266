package channeltest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// Line is one message of a transcript: what a real language worker and a host once said.
type Line struct {
	FromWorker bool
	Kind       string // the field of StreamingMessage
	Message    *rpcpb.StreamingMessage
}

// ReadTranscript reads a transcript: one JSON object per line, fields by their names in the contract.
func ReadTranscript(file string) ([]Line, error) {
	raw, err := os.ReadFile(file) // a test's own file
	if err != nil {
		return nil, fmt.Errorf("read the transcript: %w", err)
	}
	var lines []Line
	scanner := bufio.NewScanner(bytes.NewReader(raw))
	scanner.Buffer(nil, 1<<20)
	for n := 1; scanner.Scan(); n++ {
		var fields map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &fields); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		line := Line{FromWorker: fields["dir"] == "worker->host", Message: &rpcpb.StreamingMessage{}}
		if !line.FromWorker && fields["dir"] != "host->worker" {
			continue // output and notes
		}
		delete(fields, "dir")
		delete(fields, "t_ms")
		if err := fill(line.Message.ProtoReflect(), fields); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		for name := range fields {
			if name != "request_id" {
				line.Kind = name
			}
		}
		lines = append(lines, line)
	}
	return lines, scanner.Err() // a file in memory
}

// fill sets a message's fields from JSON. A name that the contract lacks is an error, except those that say which
// member of a oneof is set.
func fill(m protoreflect.Message, fields map[string]any) error {
	for name, v := range fields {
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if fd == nil {
			if _, marker := v.(string); marker && m.Descriptor().Oneofs().ByName(protoreflect.Name(name)) != nil {
				continue
			}
			return fmt.Errorf("%s has no field %q", m.Descriptor().FullName(), name)
		}
		if m.Descriptor().Oneofs().ByName(protoreflect.Name(name)) != nil && isMarker(fd, v) {
			continue
		}
		if err := set(m, fd, v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// isMarker tells "data": "bytes" (which member is set) from a field of the same name as its oneof.
func isMarker(fd protoreflect.FieldDescriptor, v any) bool {
	_, text := v.(string)
	return text && fd.Kind() != protoreflect.StringKind
}

func set(m protoreflect.Message, fd protoreflect.FieldDescriptor, v any) error {
	switch {
	case fd.IsMap():
		return setMap(m.Mutable(fd).Map(), fd, v)
	case fd.IsList():
		items, _ := v.([]any)
		for _, item := range items {
			value, err := valueOf(fd, item, m.Mutable(fd).List().NewElement)
			if err != nil {
				return err
			}
			m.Mutable(fd).List().Append(value)
		}
		return nil
	}
	value, err := valueOf(fd, v, func() protoreflect.Value { return m.NewField(fd) })
	if err == nil {
		m.Set(fd, value)
	}
	return err
}

func setMap(to protoreflect.Map, fd protoreflect.FieldDescriptor, v any) error {
	entries, _ := v.(map[string]any)
	for key, item := range entries {
		value, err := valueOf(fd.MapValue(), item, to.NewValue)
		if err != nil {
			return err
		}
		to.Set(protoreflect.ValueOfString(key).MapKey(), value)
	}
	return nil
}

func valueOf(fd protoreflect.FieldDescriptor, v any, fresh func() protoreflect.Value) (protoreflect.Value, error) {
	none := protoreflect.Value{}
	switch fd.Kind() {
	case protoreflect.MessageKind:
		fields, _ := v.(map[string]any)
		value := fresh()
		return value, fill(value.Message(), fields)
	case protoreflect.EnumKind:
		text, _ := v.(string)
		for i := range fd.Enum().Values().Len() {
			e := fd.Enum().Values().Get(i)
			if strings.EqualFold(strings.ReplaceAll(string(e.Name()), "_", ""), strings.ReplaceAll(text, "_", "")) {
				return protoreflect.ValueOfEnum(e.Number()), nil
			}
		}
		return none, fmt.Errorf("%s has no value %q", fd.Enum().FullName(), text)
	case protoreflect.BytesKind:
		fields, _ := v.(map[string]any)
		text, _ := fields["$bytes_base64"].(string)
		raw, err := base64.StdEncoding.DecodeString(text)
		return protoreflect.ValueOfBytes(raw), err // fill names the field
	}
	return scalar(fd, v)
}

func scalar(fd protoreflect.FieldDescriptor, v any) (protoreflect.Value, error) {
	number, isNumber := v.(float64)
	text, isText := v.(string)
	flag, isFlag := v.(bool)
	switch kind := fd.Kind(); {
	case kind == protoreflect.StringKind && isText:
		return protoreflect.ValueOfString(text), nil
	case kind == protoreflect.BoolKind && isFlag:
		return protoreflect.ValueOfBool(flag), nil
	case kind == protoreflect.DoubleKind && isNumber:
		return protoreflect.ValueOfFloat64(number), nil
	case kind == protoreflect.Int32Kind && isNumber:
		return protoreflect.ValueOfInt32(int32(number)), nil
	case (kind == protoreflect.Int64Kind || kind == protoreflect.Sint64Kind) && isNumber:
		return protoreflect.ValueOfInt64(int64(number)), nil
	}
	return protoreflect.Value{}, fmt.Errorf("%v does not fit %s", v, fd.FullName())
}

// replay plays the language worker's part of a transcript: at each message of the host it says what the recorded one
// said after the same kind of message, with today's ids.
func (p *player) replay(lines []Line, flags map[string]string) error {
	ids := map[string]string{} // recorded id -> today's
	for n, line := range lines {
		switch {
		case line.FromWorker && line.Message.GetStartStream() != nil:
		case line.FromWorker:
			p.send(nil, flags, today(line.Message, ids))
		case line.Kind == "worker_terminate" || !hostSays(line.Kind):
			return p.loop(flags) // the end, or what this host never says
		default:
			msg, err := p.stream.Recv()
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			if got := kindOf(msg); got != line.Kind {
				return fmt.Errorf("line %d: the host said %s, recorded is %s", n, got, line.Kind)
			}
			match(line.Message, msg, ids)
		}
	}
	return p.loop(flags)
}

func hostSays(kind string) bool {
	switch kind {
	case "worker_init_request", "functions_metadata_request", "function_load_request", "invocation_request":
		return true
	}
	return false
}

func kindOf(msg *rpcpb.StreamingMessage) string {
	m := msg.ProtoReflect()
	fd := m.WhichOneof(m.Descriptor().Oneofs().ByName("content"))
	if fd == nil {
		return "nothing"
	}
	return string(fd.Name())
}

func match(recorded, got *rpcpb.StreamingMessage, ids map[string]string) {
	if r := recorded.GetFunctionLoadRequest(); r != nil {
		ids[r.GetFunctionId()] = got.GetFunctionLoadRequest().GetFunctionId()
	}
	if r := recorded.GetInvocationRequest(); r != nil {
		ids[r.GetInvocationId()] = got.GetInvocationRequest().GetInvocationId()
	}
}

// today replaces the recorded ids.
func today(msg *rpcpb.StreamingMessage, ids map[string]string) *rpcpb.StreamingMessage {
	swap := func(id *string) {
		if now, ok := ids[*id]; ok {
			*id = now
		}
	}
	if r := msg.GetFunctionLoadResponse(); r != nil {
		swap(&r.FunctionId)
	}
	if r := msg.GetInvocationResponse(); r != nil {
		swap(&r.InvocationId)
	}
	if r := msg.GetRpcLog(); r != nil {
		swap(&r.InvocationId)
	}
	return msg
}
