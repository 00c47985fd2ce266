package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate applies what the database lacks, each step in its own transaction. A database that knows more steps than
// this program is left alone: an older program would misread it.
func migrate(ctx context.Context, db *sql.DB, path string, log zerolog.Logger) error {
	steps, err := newProvider(db)
	if err != nil {
		return err
	}
	current, target, err := steps.GetVersions(ctx)
	if err != nil {
		return named(path, fmt.Errorf("read the schema version of %s: %w", path, err))
	}
	if current > target {
		return azfunc.Errorf(azfunc.Unavailable, "the database %s was written by a newer Nightshift (schema %d, this one knows %d); start the newer program, or restore a backup made with this one", path, current, target)
	}
	for {
		done, err := steps.UpByOne(ctx)
		if errors.Is(err, goose.ErrNoNextVersion) {
			return nil
		}
		if err != nil {
			return named(path, fmt.Errorf("migrate the database %s: %w", path, err))
		}
		log.Info().Str("database", path).Int64("version", done.Source.Version).Int64("target", target).
			Dur("took", done.Duration).Msg("database migrated")
	}
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	steps, err := goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return steps, nil
}

// named prefers the explanation of the file's trouble, if it is one.
func named(path string, err error) error {
	if known := explain(path, err); known != nil {
		return known
	}
	return err
}
