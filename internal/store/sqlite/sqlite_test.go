package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/internal/store/sqlite"
	"github.com/nightshift-functions/nightshift/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openNew)
}

func BenchmarkStore(b *testing.B) { storetest.Bench(b, openNew) }

func openNew(t testing.TB) *store.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "nightshift.db"))
}

func open(t testing.TB, path string) *store.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sealer(t, 1), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func sealer(t testing.TB, key byte) *keys.Sealer {
	t.Helper()
	s, err := keys.NewSealer([32]byte{key})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
