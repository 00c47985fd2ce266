package jobspecs_test

import (
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/jobspecs"
)

func TestParseJobID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, id string
		app      string
		revision int64
		refused  bool
	}{
		{name: "ours", id: "fn-shop.r12", app: "shop", revision: 12},
		{name: "hyphens", id: "fn-a-b--c.r1", app: "a-b--c", revision: 1},
		{name: "longest app", id: "fn-" + strings.Repeat("x", 60) + ".r9223372036854775807", app: strings.Repeat("x", 60), revision: 1<<63 - 1},
		{name: "revision zero", id: "fn-shop.r0", refused: true},
		{name: "leading zero", id: "fn-shop.r01", refused: true},
		{name: "sign", id: "fn-shop.r+1", refused: true},
		{name: "too large", id: "fn-shop.r9223372036854775808", refused: true},
		{name: "upper case", id: "fn-Shop.r1", refused: true},
		{name: "no revision", id: "fn-shop", refused: true},
		{name: "foreign", id: "batch-job.r1", refused: true},
		{name: "dots in the app", id: "fn-sh.op.r1", refused: true},
		{name: "child of ours", id: "fn-shop.r1/dispatch-1", refused: true},
		{name: "empty", id: "", refused: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			app, revision, err := jobspecs.ParseJobID(test.id)
			if test.refused {
				if azfunc.CodeOf(err) != azfunc.Invalid {
					t.Errorf("ParseJobID(%q) = %q, %d, %v; want it refused", test.id, app, revision, err)
				}
				return
			}
			if err != nil || app != test.app || revision != test.revision {
				t.Errorf("ParseJobID(%q) = %q, %d, %v; want %q, %d", test.id, app, revision, err, test.app, test.revision)
			}
		})
	}
}

func TestJobIDIsLowerCase(t *testing.T) {
	t.Parallel()
	if got := jobspecs.JobID("Shop-API", 7); got != "fn-shop-api.r7" {
		t.Errorf("JobID = %q", got)
	}
}

// FuzzParseJobID holds that only what JobID makes is accepted, and comes back whole.
func FuzzParseJobID(f *testing.F) {
	for _, id := range []string{"fn-shop.r1", "fn-a.b.r2", "fn-.r1", "fn-shop.r-1", "fn-ab.r9223372036854775808", "x"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		app, revision, err := jobspecs.ParseJobID(id)
		if err != nil {
			return
		}
		if azfunc.ValidateAppName(app) != nil || revision < 1 || jobspecs.JobID(app, revision) != id {
			t.Errorf("ParseJobID(%q) accepted app %q, revision %d", id, app, revision)
		}
	})
}
