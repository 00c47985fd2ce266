package process

import (
	"errors"
	"fmt"
	"strings"
)

// Error is why a program cannot do its work, as a person needs to see it.
type Error struct {
	Message string
	Stderr  []string // its last lines of standard error, oldest first
	// Permanent: starting again cannot help.
	Permanent bool
}

// Error returns the message and the last line of standard error.
func (e *Error) Error() string {
	if len(e.Stderr) == 0 {
		return e.Message
	}
	return e.Message + ": " + strings.TrimSpace(e.Stderr[len(e.Stderr)-1])
}

// Failf makes an Error that another start may cure.
func Failf(stderr []string, format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Stderr: stderr}
}

// Public returns what of an error callers of functions may read: not the program's own output, which may hold anything.
func Public(err error) string {
	if f, ok := errors.AsType[*Error](err); ok {
		return f.Message
	}
	return err.Error()
}
