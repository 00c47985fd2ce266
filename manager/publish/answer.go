package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"syscall"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

// busyText is Kudu's answer while a deployment runs. Clients look at the status; people read this.
const busyText = "There is a deployment currently in progress. Please try again when it completes."

// secure marks every SCM answer as data: content of apps must not act in the portal's name.
func secure(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cache-Control", "no-store")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only plain structs and maps come here
		status, body = http.StatusInternalServerError, []byte(`{"Message":"internal error"}`)
	}
	writeBody(w, status, "application/json; charset=utf-8", body)
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
}

// writeTagged answers with an ETag over the body, or 304 to a client that has it.
func writeTagged(w http.ResponseWriter, r *http.Request, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		writeMessage(w, http.StatusInternalServerError, "internal error")
		return
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	writeBody(w, http.StatusOK, "application/json; charset=utf-8", append(bytes.TrimSpace(body), '\n'))
}

// writeMessage is the error shape of Kudu's Web API.
func writeMessage(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"Message": message})
}

// writeError words an error. Conflicts are plain text, as Kudu writes them.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	httpserver.NoteError(r, err)
	if status == http.StatusConflict {
		writeBody(w, status, "text/plain; charset=utf-8", []byte(messageOf(err)))
		return
	}
	writeMessage(w, status, messageOf(err))
}

// storageError is a package that the manager had no room for, or could not write.
type storageError struct{ cause error }

func (e storageError) Error() string { return "write the incoming package: " + e.cause.Error() }
func (e storageError) Unwrap() error { return e.cause }

// messageOf is what the publisher may read. A full disk is named, because nobody else will find it sooner.
func messageOf(err error) string {
	if e, ok := errors.AsType[storageError](err); ok {
		return "the manager could not store the package: " + reason(e.cause) + "; free space in its data folder, then publish again"
	}
	return azfunc.MessageOf(err)
}

// reason is the system's word for an error, without the paths around it.
func reason(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return "it cannot be written"
}

func statusOf(err error) int {
	if _, ok := errors.AsType[storageError](err); ok {
		return http.StatusInsufficientStorage
	}
	return httpserver.Status(azfunc.CodeOf(err))
}
