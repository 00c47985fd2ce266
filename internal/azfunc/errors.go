package azfunc

import (
	"errors"
	"fmt"
)

// Code classifies an error for the caller; internal/httpserver maps it to an HTTP status.
type Code string

// The closed list of codes. An error without one counts as Internal and its text stays in the log.
const (
	Invalid         Code = "Invalid"         // the input is wrong; the message says what and the way out
	Unauthenticated Code = "Unauthenticated" // no or wrong credentials
	Forbidden       Code = "Forbidden"       // known, but not allowed
	NotFound        Code = "NotFound"
	Conflict        Code = "Conflict" // somebody else is at it, or it changed meanwhile
	TooLarge        Code = "TooLarge"
	Unsupported     Code = "Unsupported" // Azure has it, this release has not
	Unavailable     Code = "Unavailable" // cannot be served now; trying again may help
	Fenced          Code = "Fenced"      // a write of a leader whose epoch is over
	Internal        Code = "Internal"
)

// Error is an error with a code and a message that a person can act on.
type Error struct {
	Code    Code
	Message string
	cause   error
}

// Error returns the message; the text of a wrapped cause is part of it.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an Error. A %w verb sets the cause, whose text is part of the message.
func Errorf(code Code, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: wrapped.Error(), cause: errors.Unwrap(wrapped)}
}

// CodeOf returns the code of the first Error in err's chain; Internal when there is none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}

// MessageOf returns what may be shown to a person: the message of the first Error, else a fixed text,
// because the text of an unclassified error may hold addresses, paths or secrets.
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Message
	}
	return "internal error; the log of the manager has the cause under this request id"
}
