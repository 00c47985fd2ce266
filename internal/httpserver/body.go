package httpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// ReadJSON reads a request body of at most limit bytes into v. Its errors are Invalid or TooLarge and say what is
// wrong and where. Unknown fields are passed over, as ARM does: newer clients send more.
func ReadJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	if err := checkJSONType(r); err != nil {
		return err
	}
	// MaxBytesReader also closes the connection, so that a client that goes on sending does not hold it.
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return azfunc.Errorf(azfunc.TooLarge, "the request body is larger than %d bytes, the most that is accepted here", limit)
		}
		return azfunc.Errorf(azfunc.Invalid, "the request body ended early: %w", err)
	}
	return decodeJSON(data, v)
}

// checkJSONType accepts a missing content type, because simple clients leave it out.
func checkJSONType(r *http.Request) error {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	media, _, err := mime.ParseMediaType(header)
	if err == nil && (media == "application/json" || media == "text/json" || strings.HasSuffix(media, "+json")) {
		return nil
	}
	return azfunc.Errorf(azfunc.Invalid, "the request body is %q; send JSON with the header Content-Type: application/json", header)
}

func decodeJSON(data []byte, v any) error {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // PowerShell's files begin with a byte order mark
	if len(bytes.TrimSpace(data)) == 0 {
		return azfunc.Errorf(azfunc.Invalid, "the request body is empty; send a JSON document")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(v); err != nil {
		return explainJSON(data, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return azfunc.Errorf(azfunc.Invalid, "the request body goes on after its JSON document (at byte %d); send one document", dec.InputOffset())
	}
	return nil
}

func explainJSON(data []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line, column := position(data, syntax.Offset)
		return azfunc.Errorf(azfunc.Invalid, "the request body is not JSON: line %d, column %d: %w", line, column, err)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := kind.Field
		if field == "" {
			field = "the document"
		}
		return azfunc.Errorf(azfunc.Invalid, "the request body has a %s in %s, where %s is expected", kind.Value, field, jsonName(kind.Type.Kind().String()))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return azfunc.Errorf(azfunc.Invalid, "the request body is JSON that is cut off: %w", err)
	}
	return azfunc.Errorf(azfunc.Invalid, "the request body cannot be read: %w", err)
}

// jsonName says a Go kind in JSON's words.
func jsonName(kind string) string {
	switch kind {
	case "struct", "map":
		return "an object"
	case "slice", "array":
		return "a list"
	case "bool":
		return "true or false"
	case "string":
		return "a string"
	}
	return "a number"
}

// position turns a decoder's offset (bytes read) into line and column, both from 1.
func position(data []byte, offset int64) (line, column int) {
	read := data[:min(max(offset-1, 0), int64(len(data)))]
	return bytes.Count(read, []byte("\n")) + 1, len(read) - bytes.LastIndexByte(read, '\n')
}
