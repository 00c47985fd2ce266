package sqlite

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

func dialect(path string) store.Dialect {
	return store.Dialect{
		Page:      "LIMIT @take OFFSET @skip",
		Duplicate: hasCode(sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID),
		Orphan:    hasCode(sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, sqlite3.SQLITE_CONSTRAINT_TRIGGER),
		Transient: func(err error) bool {
			code := primary(err)
			return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
		},
		Explain: func(err error) error { return explain(path, err) },
	}
}

func hasCode(codes ...int) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*sqlite.Error](err)
		if !ok {
			return false
		}
		for _, code := range codes {
			if e.Code() == code {
				return true
			}
		}
		return false
	}
}

// primary is the result code without its extension; 0 when err is not SQLite's.
func primary(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

// explain says what is wrong with the file, and the way out.
func explain(path string, err error) error {
	switch primary(err) {
	case sqlite3.SQLITE_FULL:
		return azfunc.Errorf(azfunc.Unavailable, "the disk that holds the database %s is full; free space on it and try again, what was confirmed before is safe: %w", path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return azfunc.Errorf(azfunc.Unavailable, "the database %s cannot be opened or is not writable by this account; check the owner and rights of the file and its folder, and that the disk is not mounted read-only: %w", path, err)
	case sqlite3.SQLITE_IOERR:
		return azfunc.Errorf(azfunc.Unavailable, "the disk that holds the database %s cannot be read or written; check the disk, then start the manager again: %w", path, err)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return azfunc.Errorf(azfunc.Unavailable, "the database %s is damaged or not a database; stop the manager, keep the file aside and restore the last backup of it and of keys.json: %w", path, err)
	}
	return nil
}
