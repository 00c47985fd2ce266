package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"strings"
)

// SCMSettings are the settings that publishing clients wrote for the SCM site alone; they lie over the app's settings
// there and reach no instance. An app without any, or that does not exist, has none.
func (db *DB) SCMSettings(ctx context.Context, appID string) (values map[string]string, err error) {
	err = db.read(ctx, "read the SCM settings of app "+appID, func(tx *Tx) error {
		values, err = tx.scmSettings(ctx, appID)
		return err
	})
	return values, err
}

// PutSCMSettings sets some SCM settings and removes others; the rest stays. Names compare without case. NotFound when
// there is no app with the id.
func (db *DB) PutSCMSettings(ctx context.Context, appID string, set map[string]string, remove []string) error {
	return db.write(ctx, "put the SCM settings of app "+appID, func(tx *Tx) error {
		if err := tx.lockApp(ctx, appID); err != nil {
			return err
		}
		values, err := tx.scmSettings(ctx, appID)
		if err != nil {
			return err
		}
		for _, name := range remove {
			dropName(values, name)
		}
		for name, value := range set {
			dropName(values, name)
			values[name] = value
		}
		sealed, err := tx.sealMap(values, sealContext("scm_settings", appID))
		if err != nil {
			return err
		}
		tx.topics = append(tx.topics, AppTopic(appID))
		n, err := tx.exec(ctx, "UPDATE scm_settings SET sealed = @sealed WHERE app_id = @app", p("sealed", sealed), p("app", appID))
		if err != nil || n > 0 {
			return err
		}
		_, err = tx.exec(ctx, "INSERT INTO scm_settings (app_id, sealed) VALUES (@app, @sealed)", p("sealed", sealed), p("app", appID))
		return err
	})
}

func (tx *Tx) scmSettings(ctx context.Context, appID string) (map[string]string, error) {
	var sealed []byte
	err := tx.sql.QueryRowContext(ctx, "SELECT sealed FROM scm_settings WHERE app_id = @app", p("app", appID)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	return tx.openMap(sealed, sealContext("scm_settings", appID))
}

func dropName(values map[string]string, name string) {
	maps.DeleteFunc(values, func(candidate, _ string) bool { return strings.EqualFold(candidate, name) })
}
