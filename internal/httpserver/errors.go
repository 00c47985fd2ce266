package httpserver

import (
	"encoding/json"
	"net/http"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Problem is the body of an error answer of the faces that have no error shape of their own (ARM has one).
type Problem struct {
	Code      azfunc.Code `json:"code"`
	Message   string      `json:"message"`
	RequestID string      `json:"requestId,omitempty"`
}

// Status is the one map from a code to an HTTP status; what it does not know is 500.
func Status(code azfunc.Code) int {
	switch code {
	case "":
		return http.StatusOK
	case azfunc.Invalid:
		return http.StatusBadRequest
	case azfunc.Unauthenticated:
		return http.StatusUnauthorized
	case azfunc.Forbidden:
		return http.StatusForbidden
	case azfunc.NotFound:
		return http.StatusNotFound
	case azfunc.Conflict, azfunc.Fenced:
		return http.StatusConflict
	case azfunc.TooLarge:
		return http.StatusRequestEntityTooLarge
	case azfunc.Unsupported:
		return http.StatusNotImplemented
	case azfunc.Unavailable:
		return http.StatusServiceUnavailable
	case azfunc.Internal:
	}
	return http.StatusInternalServerError
}

// NoteError puts the cause of a failed answer into the request's access-log line. WriteError does it itself; a face
// with its own error shape calls this.
func NoteError(r *http.Request, err error) {
	if e := entryFrom(r.Context()); e != nil {
		e.err = err
	}
}

// WriteError answers with err's status and a Problem. The caller reads err's message only if it is an azfunc.Error;
// the text of any other goes to the log alone.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	NoteError(r, err)
	code := azfunc.CodeOf(err)
	WriteJSON(w, Status(code), Problem{Code: code, Message: azfunc.MessageOf(err), RequestID: RequestIDFrom(r.Context())})
}

// WriteJSON answers with v. What cannot be encoded is answered as 500; a client that has gone is not an error.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"code":"Internal","message":"the answer could not be encoded"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
