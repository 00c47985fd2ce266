package store

import (
	"context"
	"maps"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Settings are an app's settings in plain text and their version, which grows with every replacement (never 0).
// NotFound when there is no app with the id.
func (db *DB) Settings(ctx context.Context, appID string) (values map[string]string, version int64, err error) {
	err = db.read(ctx, "read the settings of app "+appID, func(tx *Tx) error {
		values, version, err = tx.settings(ctx, appID)
		return err
	})
	return values, version, err
}

func (tx *Tx) settings(ctx context.Context, appID string) (map[string]string, int64, error) {
	var (
		version int64
		sealed  []byte
	)
	err := tx.sql.QueryRowContext(ctx, "SELECT version, sealed FROM settings WHERE app_id = @id", p("id", appID)).
		Scan(&version, &sealed)
	if err != nil {
		return nil, 0, orNotFound(err, "there is no app with the id %q", appID)
	}
	values, err := tx.openMap(sealed, sealContext("settings", appID))
	return values, version, err
}

// ReplaceSettings replaces all settings of an app and returns their new version. With ifVersion other than 0 it is a
// Conflict when their version differs.
//
// With makeRevision, and when something was published already, the same transaction makes a revision of the desired
// revision's package with the new settings and desires it; revision is its number, else 0. Settings that do not
// differ from those there are change nothing, neither version nor revision: az and Terraform repeat them often.
func (db *DB) ReplaceSettings(ctx context.Context, appID string, values map[string]string, ifVersion int64, makeRevision bool) (version, revision int64, err error) {
	err = db.write(ctx, "replace the settings of app "+appID, func(tx *Tx) error {
		revision = 0
		if err := tx.lockApp(ctx, appID); err != nil {
			return err
		}
		old, current, err := tx.settings(ctx, appID)
		if err != nil {
			return err
		}
		version = current
		if ifVersion != 0 && ifVersion != current {
			return azfunc.Errorf(azfunc.Conflict, "the settings were changed meanwhile (version %d, not %d); read them again and repeat the change", current, ifVersion)
		}
		if maps.Equal(old, values) {
			return nil
		}
		version++
		if err := tx.putSettings(ctx, appID, values, version); err != nil || !makeRevision {
			return err
		}
		revision, err = tx.reviseSettings(ctx, appID, values)
		return err
	})
	return version, revision, err
}

func (tx *Tx) putSettings(ctx context.Context, appID string, values map[string]string, version int64) error {
	sealed, err := tx.sealMap(values, sealContext("settings", appID))
	if err != nil {
		return err
	}
	tx.topics = append(tx.topics, AppTopic(appID))
	return tx.change(ctx, "UPDATE settings SET sealed = @sealed, version = @version WHERE app_id = @id",
		p("sealed", sealed), p("version", version), p("id", appID))
}

// reviseSettings makes the revision that carries new settings; 0 when nothing was published yet.
func (tx *Tx) reviseSettings(ctx context.Context, appID string, values map[string]string) (int64, error) {
	desired, err := tx.int(ctx, "SELECT desired_revision FROM apps WHERE id = @id", p("id", appID))
	if err != nil || desired == 0 {
		return 0, err
	}
	from, err := tx.revision(ctx, appID, desired)
	if err != nil {
		return 0, err
	}
	made, err := tx.makeRevision(ctx, Revision{
		AppID: appID, PackageSHA256: from.PackageSHA256, PackageSize: from.PackageSize,
		Runtime: from.Runtime, Inputs: from.Inputs, Settings: values,
	})
	return made.Number, err
}

// RenewRevision makes a revision like the desired one, with the settings of today, and desires it: a restart that
// goes through a rollout and so loses no request. It returns the revision's number, 0 when nothing was published yet.
func (db *DB) RenewRevision(ctx context.Context, appID string) (revision int64, err error) {
	err = db.write(ctx, "renew the revision of app "+appID, func(tx *Tx) error {
		if err := tx.lockApp(ctx, appID); err != nil {
			return err
		}
		values, _, err := tx.settings(ctx, appID)
		if err != nil {
			return err
		}
		revision, err = tx.reviseSettings(ctx, appID, values)
		return err
	})
	return revision, err
}
