package sqlite

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// SQLite's own errors, provoked on a real file, get their code and name the file.
func TestExplain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pragmas []string
		word    string
	}{
		"full":      {[]string{"PRAGMA max_page_count = 2"}, "is full"},
		"read-only": {[]string{"PRAGMA query_only = 1"}, "not writable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "n.db")
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			db.SetMaxOpenConns(1)
			defer func() { _ = db.Close() }()
			for _, q := range append([]string{"CREATE TABLE IF NOT EXISTS t (b BLOB)"}, c.pragmas...) {
				if _, err := db.ExecContext(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			_, err = db.ExecContext(t.Context(), "INSERT INTO t (b) VALUES (zeroblob(1000000))")
			got := explain(path, err)
			if azfunc.CodeOf(got) != azfunc.Unavailable || !strings.Contains(got.Error(), path) || !strings.Contains(got.Error(), c.word) {
				t.Errorf("%v became %v", err, got)
			}
		})
	}
}
