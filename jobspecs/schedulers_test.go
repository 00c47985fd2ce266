package jobspecs_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/scheduler/local"
	"github.com/nightshift-functions/nightshift/jobspecs"
)

// TestLocalSchedulerTakesTheJob holds that the job of one machine has no field that the local scheduler refuses, and
// that one for a cluster is refused by the name of the field.
func TestLocalSchedulerTakesTheJob(t *testing.T) {
	t.Parallel()
	s, err := local.New(local.Config{RunDir: filepath.Join(t.TempDir(), "run")}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	refused := map[string]string{"one-machine": "", "own-account": "", "cluster": "job.Constraints"}
	if os.Geteuid() != 0 {
		refused["own-account"] = "job.TaskGroups[0].Tasks[0].User"
	}
	for name, revision := range revisions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			revision.Count = 0 // nothing needs to run
			job, err := jobspecs.Build(revision)
			if err != nil {
				t.Fatal(err)
			}
			err = s.Apply(t.Context(), job)
			if want := refused[name]; !strings.HasPrefix(azfunc.MessageOf(orNone(err)), want) || (err != nil) != (want != "") {
				t.Errorf("Apply: %v, want it refused for %q", err, want)
			}
		})
	}
}

// orNone keeps MessageOf from explaining an error that is not there.
func orNone(err error) error {
	if err == nil {
		return azfunc.Errorf(azfunc.Internal, "")
	}
	return err
}
