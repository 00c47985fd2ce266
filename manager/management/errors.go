package management

import (
	"net/http"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// armError gives an error one of ARM's own codes, and a status when the code's usual one does not fit.
type armError struct {
	code   string
	status int
	cause  error
}

// Error returns the text of the cause.
func (e *armError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *armError) Unwrap() error { return e.cause }

func withCode(code string, err error) error { return &armError{code: code, cause: err} }

// notFoundAs gives a NotFound error the code that tells which resource is missing; other errors stay as they are.
func notFoundAs(code string, err error) error {
	if azfunc.CodeOf(err) == azfunc.NotFound {
		return withCode(code, err)
	}
	return err
}

// preconditionFailed is the answer to an If-Match that does not match.
func preconditionFailed(what string) error {
	return &armError{"PreconditionFailed", http.StatusPreconditionFailed, azfunc.Errorf(azfunc.Conflict,
		"%s was changed since it was read (If-Match does not match); read it again and repeat the change", what)}
}

// armCode is ARM's usual code for an error.
func armCode(code azfunc.Code) string {
	switch code {
	case azfunc.Invalid:
		return "BadRequest"
	case azfunc.Unauthenticated:
		return "InvalidAuthenticationToken"
	case azfunc.Forbidden:
		return "AuthorizationFailed"
	case azfunc.NotFound:
		return "ResourceNotFound"
	case azfunc.Conflict, azfunc.Fenced:
		return "Conflict"
	case azfunc.TooLarge:
		return "RequestEntityTooLarge"
	case azfunc.Unsupported:
		return "NotSupported"
	case azfunc.Unavailable:
		return "ServiceUnavailable"
	case azfunc.Internal:
	}
	return "InternalServerError"
}

func planNotFound(name string) error {
	return azfunc.Errorf(azfunc.NotFound, "there is no plan %q; until plans can be made, every app is in the plan %q", name, planName)
}
