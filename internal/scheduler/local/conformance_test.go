package local_test

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/scheduler/local"
	"github.com/nightshift-functions/nightshift/internal/scheduler/schedulertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	schedulertest.Run(t, func(t *testing.T) schedulertest.Scheduler {
		t.Helper()
		return start(t, local.Config{})
	})
}

func TestConformanceWithoutNamespaces(t *testing.T) {
	t.Parallel()
	schedulertest.Run(t, func(t *testing.T) schedulertest.Scheduler {
		t.Helper()
		return start(t, local.Config{NoPIDNamespace: true})
	})
}

// start returns a scheduler on a run folder of its own that is closed with the test.
func start(t *testing.T, config local.Config) *local.Scheduler {
	t.Helper()
	if config.RunDir == "" {
		config.RunDir = t.TempDir() + "/run"
	}
	s, err := local.New(config, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}
