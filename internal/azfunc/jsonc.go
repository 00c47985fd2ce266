package azfunc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxJSONDepth is how deeply a configuration file may nest; Azure's parser stops at 64 too.
const maxJSONDepth = 64

// PlainJSON turns the JSON that Azure's parsers accept into strict JSON: a byte order mark, // and /* */ comments and
// trailing commas become spaces, so every position in the result is the position in the file.
func PlainJSON(raw []byte) []byte {
	out := bytes.Clone(raw)
	if bytes.HasPrefix(out, []byte("\xef\xbb\xbf")) {
		blank(out[:3])
	}
	comma := -1 // position of a comma after which nothing but space and comments came
	for i := 0; i < len(out); i++ {
		switch c := out[i]; {
		case c == '"':
			i, comma = stringEnd(out, i), -1
		case c == '/':
			end := commentEnd(out, i)
			blank(out[i:end])
			i = max(i, end-1)
		case c == ',':
			comma = i
		case (c == '}' || c == ']') && comma >= 0:
			out[comma], comma = ' ', -1
		case c > ' ':
			comma = -1
		}
	}
	return out
}

func stringEnd(b []byte, start int) int {
	for i := start + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(b)
}

// commentEnd returns the end of the comment that starts at start; start itself when none does, or when it never ends,
// so that the parser reports the slash.
func commentEnd(b []byte, start int) int {
	rest := b[start:]
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			return start + n
		}
		return len(b)
	case bytes.HasPrefix(rest, []byte("/*")):
		if n := bytes.Index(rest[2:], []byte("*/")); n >= 0 {
			return start + n + 4
		}
	}
	return start
}

func blank(b []byte) {
	for i := range b {
		if b[i] != '\n' && b[i] != '\r' {
			b[i] = ' '
		}
	}
}

// ParseObject reads a JSON object as Azure's configuration files are read: comments, trailing commas and a byte order
// mark are allowed, of two keys that differ in case only the later wins. The error is Invalid, calls the document what,
// and names line and column.
func ParseObject(what string, raw []byte) (Properties, error) {
	plain := PlainJSON(raw)
	if len(bytes.TrimSpace(plain)) == 0 {
		return nil, Errorf(Invalid, "%s is empty", what)
	}
	if !utf8.Valid(plain) {
		return nil, Errorf(Invalid, "%s is not valid JSON: it is not UTF-8 text; save it as UTF-8", what)
	}
	var syntax json.RawMessage
	if err := json.Unmarshal(plain, &syntax); err != nil {
		return nil, syntaxError(what, raw, err)
	}
	dec := json.NewDecoder(bytes.NewReader(plain))
	dec.UseNumber()
	v, err := readValue(dec, 0)
	if err != nil {
		return nil, Errorf(Invalid, "%s is not valid JSON: %w", what, err)
	}
	object, ok := v.(Properties)
	if !ok {
		return nil, Errorf(Invalid, "%s must hold a JSON object, not %s", what, kindOf(v))
	}
	return object, nil
}

func readValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("it nests deeper than %d levels", maxJSONDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	switch tok {
	case json.Delim('{'):
		return readObject(dec, depth)
	case json.Delim('['):
		return readArray(dec, depth)
	}
	return tok, nil
}

func readObject(dec *json.Decoder, depth int) (any, error) {
	object := Properties{}
	spelled := map[string]string{} // lower case -> key as first seen; a scan per key would make huge objects quadratic
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		v, err := readValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if first, ok := spelled[strings.ToLower(name)]; ok {
			name = first
		}
		spelled[strings.ToLower(name)] = name
		object[name] = v
	}
	_, err := dec.Token()
	return object, err
}

func readArray(dec *json.Decoder, depth int) (any, error) {
	array := []any{}
	for dec.More() {
		v, err := readValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	_, err := dec.Token()
	return array, err
}

// syntaxError adds line and column, both from 1, to an error of encoding/json.
func syntaxError(what string, raw []byte, err error) error {
	offset := int64(len(raw))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok && syntax.Offset > 0 {
		offset = syntax.Offset
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "unexpected end") {
		return Errorf(Invalid, "%s is not valid JSON: %s: it ends too early, a closing bracket or quote is missing", what, position(raw, int64(len(raw))))
	}
	return Errorf(Invalid, "%s is not valid JSON: %s: %w", what, position(raw, offset-1), err)
}

func position(raw []byte, offset int64) string {
	offset = min(max(offset, 0), int64(len(raw)))
	before := bytes.TrimPrefix(raw[:offset], []byte("\xef\xbb\xbf"))
	line := bytes.Count(before, []byte("\n")) + 1
	column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
	return fmt.Sprintf("line %d, column %d", line, column)
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case string:
		return "text"
	case []any:
		return "a list"
	case Properties:
		return "an object"
	}
	return "a number"
}
