package local_test

import (
	"os"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/scheduler/schedulertest"
)

// TestMain lets the test binary be the program that jobs run.
func TestMain(m *testing.M) {
	if code, asked := schedulertest.Program(os.Args, os.Stdout, os.Stderr, os.Environ()); asked {
		os.Exit(code) //nolint:forbidigo // the program's own exit code is what tests look at
	}
	m.Run()
}
