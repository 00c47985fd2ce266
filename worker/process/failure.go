package process

import (
	"errors"
	"fmt"
	"strings"
)

// Failure is why a program cannot do its work, as a person needs to see it.
type Failure struct {
	Message string
	Stderr  []string // its last lines of standard error, oldest first
	// Permanent: starting again cannot help.
	Permanent bool
}

// Error returns the message and the last line of standard error.
func (f *Failure) Error() string {
	if len(f.Stderr) == 0 {
		return f.Message
	}
	return f.Message + ": " + strings.TrimSpace(f.Stderr[len(f.Stderr)-1])
}

// Failf makes a Failure that another start may cure.
func Failf(stderr []string, format string, args ...any) *Failure {
	return &Failure{Message: fmt.Sprintf(format, args...), Stderr: stderr}
}

// Public returns what of an error callers of functions may read: not the program's own output, which may hold anything.
func Public(err error) string {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Message
	}
	return err.Error()
}
