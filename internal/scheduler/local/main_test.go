package local_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/scheduler/local"
	"github.com/nightshift-functions/nightshift/internal/scheduler/schedulertest"
)

// managerArg makes the test binary a manager that runs one job until it is killed; run folder and worker follow.
const managerArg = "manager-to-kill"

// TestMain lets the test binary be the program that jobs run, and a manager.
func TestMain(m *testing.M) {
	if code, asked := schedulertest.Program(os.Args, os.Stdout, os.Stderr, os.Environ()); asked {
		os.Exit(code)
	}
	if len(os.Args) > 3 && os.Args[1] == managerArg {
		if err := manager(os.Args[2], os.Args[3] == "isolated"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	m.Run()
}

// manager prints the instance's address, and waits to be killed.
func manager(runDir string, isolated bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	s, err := local.New(local.Config{RunDir: runDir, NoPIDNamespace: !isolated}, zerolog.New(os.Stderr))
	if err != nil {
		return err
	}
	if err := s.Apply(ctx, schedulertest.Job(&testing.B{}, "fn-killed.r1", schedulertest.ModeServe)); err != nil {
		return err
	}
	for index := uint64(0); ; {
		snapshot, err := s.Watch(ctx, index)
		if err != nil {
			return err
		}
		if live := schedulertest.Live(snapshot.Jobs["fn-killed.r1"]); len(live) == 1 && live[0].Healthy {
			fmt.Fprintf(os.Stdout, "%s %t\n", live[0].Address, s.Isolated())
		}
		index = snapshot.Index
	}
}
