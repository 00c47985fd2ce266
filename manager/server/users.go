package server

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store/sqlite"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// OpenUsers opens the accounts of an installation whose manager is not running, for the command line. The caller calls
// the returned close.
func OpenUsers(ctx context.Context, dataDir string) (*identity.Directory, func() error, error) {
	database := filepath.Join(dataDir, "nightshift.db")
	if _, err := os.Stat(database); err != nil {
		return nil, nil, azfunc.Errorf(azfunc.NotFound, "there is no installation in %s: %w; say where it is with --data", dataDir, err)
	}
	keyring, err := keys.LoadOrCreate(filepath.Join(dataDir, "keys.json"))
	if err != nil {
		return nil, nil, err
	}
	sealer, err := keyring.Sealer()
	if err != nil {
		return nil, nil, err
	}
	db, err := sqlite.Open(ctx, database, sealer, sqlite.Options{Log: zerolog.Nop()})
	if err != nil {
		return nil, nil, err
	}
	passwords, err := identity.NewPasswords(ctx, identity.DefaultCost(), 1)
	if err != nil {
		return nil, nil, err
	}
	return identity.NewDirectory(db, passwords), db.Close, nil
}
