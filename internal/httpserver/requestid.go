package httpserver

import (
	"context"
	"net/http"

	"github.com/google/uuid"
)

// The headers by which Azure's clients and services follow a request.
const (
	HeaderRequestID       = "X-Ms-Request-Id"             // made here, on every answer
	HeaderClientRequestID = "X-Ms-Client-Request-Id"      // the caller's, echoed
	HeaderCorrelationID   = "X-Ms-Correlation-Request-Id" // the caller's, else the request id
)

// maxIDLength bounds what a caller may make us echo and log.
const maxIDLength = 128

type entryKey struct{}

// entry is what a request collects on its way for the access log. One goroutine at a time owns it: the handler's.
type entry struct {
	id, clientID, correlationID string
	err                         error
}

// RequestID gives the request an id (a GUID, as Azure's), echoes the caller's own and opens the request's
// access-log entry. An incoming x-ms-request-id is not taken over: ids in the log are ours.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := &entry{id: uuid.NewString(), clientID: callersID(r, HeaderClientRequestID), correlationID: callersID(r, HeaderCorrelationID)}
		if e.correlationID == "" {
			e.correlationID = e.id
		}
		h := w.Header()
		h[HeaderRequestID] = []string{e.id}
		h[HeaderCorrelationID] = []string{e.correlationID}
		if e.clientID != "" {
			h[HeaderClientRequestID] = []string{e.clientID}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), entryKey{}, e)))
	})
}

func callersID(r *http.Request, header string) string {
	id := r.Header.Get(header)
	if len(id) > maxIDLength {
		return ""
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return ""
		}
	}
	return id
}

// RequestIDFrom returns the id that RequestID gave; "" outside of a request.
func RequestIDFrom(ctx context.Context) string {
	if e := entryFrom(ctx); e != nil {
		return e.id
	}
	return ""
}

// CorrelationIDFrom returns the id that ties requests of one operation together, as Azure's activity log does; ""
// outside of a request.
func CorrelationIDFrom(ctx context.Context) string {
	if e := entryFrom(ctx); e != nil {
		return e.correlationID
	}
	return ""
}

func entryFrom(ctx context.Context) *entry {
	e, _ := ctx.Value(entryKey{}).(*entry)
	return e
}
