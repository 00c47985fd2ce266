package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
)

func keyContext(appID string, k Key) []byte {
	return sealContext("app_keys", appID, k.Kind, key(k.Function), key(k.Name))
}

// Keys are all keys of an app with their values, by kind, function and name. An app without keys, or that does not
// exist, has none.
func (db *DB) Keys(ctx context.Context, appID string) (all []Key, err error) {
	err = db.read(ctx, "read the keys of app "+appID, func(tx *Tx) error {
		all, err = list(ctx, tx, func(r row) (Key, error) { return tx.scanKey(r, appID) },
			`SELECT kind, function_name, name, sealed, hash, created_at FROM app_keys WHERE app_id = @app
			ORDER BY kind, function_key, name_key`, p("app", appID))
		return err
	})
	return all, err
}

func (tx *Tx) scanKey(r row, appID string) (Key, error) {
	var (
		k      Key
		sealed []byte
	)
	if err := r.Scan(&k.Kind, &k.Function, &k.Name, &sealed, &k.Hash, timeInto{&k.CreatedAt}); err != nil {
		return Key{}, err
	}
	value, err := tx.open(sealed, keyContext(appID, k))
	k.Value = string(value)
	return k, err
}

// PutKey adds a key or gives it a new value; created tells which. Function and name compare without case. The hash is
// computed here. NotFound when there is no app with the id.
func (db *DB) PutKey(ctx context.Context, appID string, k Key) (created bool, err error) {
	if err := checkKey(k); err != nil {
		return false, err
	}
	err = db.write(ctx, "put key "+k.Name, func(tx *Tx) error {
		if err := tx.lockApp(ctx, appID); err != nil {
			return err
		}
		tx.topics = append(tx.topics, AppTopic(appID))
		params, err := tx.keyParams(appID, k)
		if err != nil {
			return err
		}
		n, err := tx.exec(ctx, `UPDATE app_keys SET sealed = @sealed, hash = @hash WHERE app_id = @app AND kind = @kind
			AND function_key = @functionkey AND name_key = @key`, params...)
		if err != nil || n > 0 {
			return err
		}
		created = true
		return tx.insertKey(ctx, params)
	})
	return created, err
}

// EnsureKeys adds those keys of which there is none with the kind, function and name, and returns how many. It gives
// a new app or a newly found function its first keys without ever changing a key that somebody uses.
func (db *DB) EnsureKeys(ctx context.Context, appID string, candidates []Key) (added int, err error) {
	for _, k := range candidates {
		if err := checkKey(k); err != nil {
			return 0, err
		}
	}
	err = db.write(ctx, "ensure keys of app "+appID, func(tx *Tx) error {
		added = 0
		if err := tx.lockApp(ctx, appID); err != nil {
			return err
		}
		for _, k := range candidates {
			isNew, err := tx.ensureKey(ctx, appID, k)
			if err != nil {
				return err
			}
			if isNew {
				added++
			}
		}
		if added > 0 {
			tx.topics = append(tx.topics, AppTopic(appID))
		}
		return nil
	})
	return added, err
}

func (tx *Tx) ensureKey(ctx context.Context, appID string, k Key) (bool, error) {
	params, err := tx.keyParams(appID, k)
	if err != nil {
		return false, err
	}
	_, err = tx.int(ctx, `SELECT 1 FROM app_keys WHERE app_id = @app AND kind = @kind
		AND function_key = @functionkey AND name_key = @key`, params...)
	if !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	return true, tx.insertKey(ctx, params)
}

// DeleteKey removes a key; NotFound when there is none.
func (db *DB) DeleteKey(ctx context.Context, appID, kind, function, name string) error {
	return db.write(ctx, "delete key "+name, func(tx *Tx) error {
		tx.topics = append(tx.topics, AppTopic(appID))
		err := tx.change(ctx, `DELETE FROM app_keys WHERE app_id = @app AND kind = @kind
			AND function_key = @functionkey AND name_key = @key`,
			p("app", appID), p("kind", kind), p("functionkey", key(function)), p("key", key(name)))
		return orNotFound(err, "there is no %s key called %q", kind, name)
	})
}

func checkKey(k Key) error {
	if k.Kind == "" || k.Name == "" || k.Value == "" {
		return azfunc.Errorf(azfunc.Invalid, "a key needs a kind, a name and a value")
	}
	return nil
}

func (tx *Tx) keyParams(appID string, k Key) ([]any, error) {
	sealed, err := tx.seal([]byte(k.Value), keyContext(appID, k))
	if err != nil {
		return nil, err
	}
	return []any{
		p("app", appID), p("kind", k.Kind), p("function", k.Function), p("functionkey", key(k.Function)),
		p("name", k.Name), p("key", key(k.Name)), p("sealed", sealed), p("hash", keys.Hash(k.Value)), p("now", tx.now),
	}, nil
}

func (tx *Tx) insertKey(ctx context.Context, params []any) error {
	_, err := tx.exec(ctx, `INSERT INTO app_keys (app_id, kind, function_name, function_key, name, name_key, sealed, hash, created_at)
		VALUES (@app, @kind, @function, @functionkey, @name, @key, @sealed, @hash, @now)`, params...)
	return err
}
