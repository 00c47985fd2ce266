package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// sealContext names the row that a sealed value belongs to. The separator occurs in no name.
func sealContext(table string, keys ...string) []byte {
	return []byte(table + "\x00" + strings.Join(keys, "\x00"))
}

func (tx *Tx) seal(plain, context []byte) ([]byte, error) {
	sealed, err := tx.db.cfg.Sealer.Seal(plain, context)
	if err != nil {
		return nil, fmt.Errorf("seal a secret: %w", err)
	}
	return sealed, nil
}

func (tx *Tx) sealMap(values map[string]string, context []byte) ([]byte, error) {
	plain, err := document(values, "{}")
	if err != nil {
		return nil, err
	}
	return tx.seal([]byte(plain), context)
}

func (tx *Tx) open(sealed, context []byte) ([]byte, error) {
	plain, err := tx.db.cfg.Sealer.Open(sealed, context)
	if err != nil {
		return nil, fmt.Errorf("open a sealed secret: %w", err)
	}
	return plain, nil
}

func (tx *Tx) openMap(sealed, context []byte) (map[string]string, error) {
	plain, err := tx.open(sealed, context)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	if err := json.Unmarshal(plain, &values); err != nil {
		return nil, fmt.Errorf("read sealed settings: %w", err)
	}
	return values, nil
}

// CheckSealer tells whether the sealer has the key that this database's secrets were sealed with: Unavailable when
// not. The first call on a new database binds it to the key. Openers call it once.
func (db *DB) CheckSealer(ctx context.Context) error {
	const known = "nightshift"
	at := sealContext("seal_check", "1")
	return db.write(ctx, "check the sealing key", func(tx *Tx) error {
		var sealed []byte
		err := tx.sql.QueryRowContext(ctx, "SELECT sealed FROM seal_check WHERE id = 1").Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			if sealed, err = tx.seal([]byte(known), at); err != nil {
				return err
			}
			_, err = tx.exec(ctx, "INSERT INTO seal_check (id, sealed) VALUES (1, @sealed)", p("sealed", sealed))
			return err
		}
		if err != nil {
			return err
		}
		if plain, err := tx.open(sealed, at); err != nil || string(plain) != known {
			return azfunc.Errorf(azfunc.Unavailable, "the key file does not belong to this database: its settings and keys were sealed with another key; put back the key file that was used with it")
		}
		return nil
	})
}
