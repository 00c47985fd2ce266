package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// Options are the choices of Open; the zero value is good.
type Options struct {
	// Log gets a line for each step of a migration.
	Log zerolog.Logger
	// UIDBase is the first account number given to an app; 0 = store.DefaultUIDBase.
	UIDBase int
	// Readers is how many reads run at the same moment; 0 = 8.
	Readers int
}

const defaultReaders = 8

// Open opens the database file at path, or makes it (and its folder) for its owner alone, and brings its schema up to
// date. Close the store to give up the lock.
//
// Conflict when another process has it open, naming the file and the process; Unavailable when the folder cannot be
// written to, the disk is full, the file is damaged, from a newer program, or sealed with other keys.
func Open(ctx context.Context, path string, sealer store.Sealer, opts Options) (*store.DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find database %q: %w", path, err)
	}
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	lock, err := takeLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	db, err := openLocked(ctx, path, sealer, opts, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return db, nil
}

func openLocked(ctx context.Context, path string, sealer store.Sealer, opts Options, lock *os.File) (*store.DB, error) {
	writer, reader, err := openPools(path, opts.Readers)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, writer, path, opts.Log); err != nil {
		return nil, errors.Join(err, reader.Close(), writer.Close())
	}
	db := store.New(store.Config{
		Writer: writer, Reader: reader, Dialect: dialect(path), Sealer: sealer, UIDBase: opts.UIDBase, Close: lock.Close,
	})
	if err := db.CheckSealer(ctx); err != nil {
		return nil, errors.Join(err, reader.Close(), writer.Close())
	}
	return db, nil
}

// prepareFile makes the folder and the empty file with narrow rights; SQLite gives its log the same ones. Doing it
// first also tells missing rights apart from SQLite's other reasons for not opening a file.
func prepareFile(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return notWritable(folder, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return notWritable(path, err)
	}
	return file.Close()
}

func notWritable(path string, err error) error {
	return azfunc.Errorf(azfunc.Unavailable, "the data folder cannot be used: %s is not writable by this account (%w); give the account the right to write there, or choose another data folder", path, err)
}

func openPools(path string, readers int) (writer, reader *sql.DB, err error) {
	writer, err = sql.Open("sqlite", source(path, "_txlock=immediate",
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)",
		// The log is cut back to this after a large package went through it.
		"_pragma=journal_size_limit(67108864)"))
	if err != nil {
		return nil, nil, fmt.Errorf("open database %s: %w", path, err)
	}
	// SQLite has one writer at a time: waiting for the one connection is fair, waiting for a busy file is not.
	writer.SetMaxOpenConns(1)
	reader, err = sql.Open("sqlite", source(path, "_query_only=1"))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), writer.Close())
	}
	if readers <= 0 {
		readers = defaultReaders
	}
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	return writer, reader, nil
}

// source makes a file URI, so that no character of a path is taken for a parameter. A path of Windows begins with its
// drive, and needs a slash before it.
func source(path string, params ...string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed
	}
	params = append(params, "_pragma=busy_timeout(5000)", "_pragma=trusted_schema(0)", "_dqs=0")
	return (&url.URL{Scheme: "file", Path: slashed, RawQuery: strings.Join(params, "&")}).String()
}
