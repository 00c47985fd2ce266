-- What publishing clients set for the SCM site alone, one sealed document per app, as its settings are.

-- +goose Up

CREATE TABLE scm_settings (
    app_id TEXT NOT NULL CONSTRAINT pk_scm_settings PRIMARY KEY
           CONSTRAINT fk_scm_settings_app REFERENCES apps (id) ON DELETE CASCADE,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;
