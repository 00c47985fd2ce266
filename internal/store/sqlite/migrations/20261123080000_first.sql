-- The whole schema of the first release. Times are UTC text of a fixed width (see store.Dialect), so that comparing text
-- compares times; 0001-01-01 stands for "not yet". No column is nullable: an untyped null is trouble on SQL Server.
-- Names that compare without case have a lower-case twin column, *_key.

-- +goose Up

CREATE TABLE counters (
    name  TEXT NOT NULL CONSTRAINT pk_counters PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: the leader's epoch. Every leader write touches it first, which is what fences an old leader out.
CREATE TABLE leadership (
    id       INTEGER NOT NULL CONSTRAINT pk_leadership PRIMARY KEY CONSTRAINT ck_leadership_one CHECK (id = 1),
    epoch    INTEGER NOT NULL,
    holder   TEXT NOT NULL,
    taken_at TEXT NOT NULL
) STRICT;
INSERT INTO leadership (id, epoch, holder, taken_at) VALUES (1, 0, '', '0001-01-01T00:00:00.000000Z');

-- identity

CREATE TABLE users (
    id            TEXT NOT NULL CONSTRAINT pk_users PRIMARY KEY,
    name          TEXT NOT NULL,
    name_key      TEXT NOT NULL CONSTRAINT uq_users_name UNIQUE,
    password_hash TEXT NOT NULL,
    disabled      INTEGER NOT NULL,
    created_at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A principal is a user or, later, a workload: no foreign key.
CREATE TABLE role_assignments (
    id           TEXT NOT NULL CONSTRAINT pk_role_assignments PRIMARY KEY,
    principal_id TEXT NOT NULL,
    role         TEXT NOT NULL,
    scope        TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    CONSTRAINT uq_role_assignments UNIQUE (principal_id, scope, role)
) STRICT, WITHOUT ROWID;

-- Entries are only ever added: AUTOINCREMENT never gives an id twice.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at         TEXT NOT NULL,
    principal  TEXT NOT NULL,
    action     TEXT NOT NULL,
    scope      TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    detail     TEXT NOT NULL,
    client_ip  TEXT NOT NULL,
    request_id TEXT NOT NULL
) STRICT;
CREATE INDEX ix_audit_scope ON audit (scope, id);

-- management

CREATE TABLE subscriptions (
    id         TEXT NOT NULL CONSTRAINT pk_subscriptions PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE resource_groups (
    subscription_id TEXT NOT NULL CONSTRAINT fk_resource_groups_subscription REFERENCES subscriptions (id),
    name            TEXT NOT NULL,
    name_key        TEXT NOT NULL,
    location        TEXT NOT NULL,
    created_at      TEXT NOT NULL,
    CONSTRAINT pk_resource_groups PRIMARY KEY (subscription_id, name_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE apps (
    id                 TEXT NOT NULL CONSTRAINT pk_apps PRIMARY KEY,
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL CONSTRAINT uq_apps_name UNIQUE,
    subscription_id    TEXT NOT NULL,
    resource_group     TEXT NOT NULL,
    resource_group_key TEXT NOT NULL,
    location           TEXT NOT NULL,
    kind               TEXT NOT NULL,
    tags               TEXT NOT NULL,
    stopped            INTEGER NOT NULL,
    uid                INTEGER NOT NULL,
    publish_password   BLOB NOT NULL,
    desired_revision   INTEGER NOT NULL,
    last_revision      INTEGER NOT NULL,
    last_deployment    INTEGER NOT NULL,
    version            INTEGER NOT NULL,
    created_at         TEXT NOT NULL,
    updated_at         TEXT NOT NULL,
    CONSTRAINT fk_apps_resource_group FOREIGN KEY (subscription_id, resource_group_key)
        REFERENCES resource_groups (subscription_id, name_key)
) STRICT;
CREATE INDEX ix_apps_resource_group ON apps (subscription_id, resource_group_key, name_key);

-- All settings of an app are one sealed document: they are read, replaced and compared as a whole.
CREATE TABLE settings (
    app_id  TEXT NOT NULL CONSTRAINT pk_settings PRIMARY KEY
            CONSTRAINT fk_settings_app REFERENCES apps (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    sealed  BLOB NOT NULL
) STRICT;

CREATE TABLE app_keys (
    app_id       TEXT NOT NULL CONSTRAINT fk_app_keys_app REFERENCES apps (id) ON DELETE CASCADE,
    kind         TEXT NOT NULL,
    function_name TEXT NOT NULL,
    function_key TEXT NOT NULL,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL,
    sealed       BLOB NOT NULL,
    hash         TEXT NOT NULL,
    created_at   TEXT NOT NULL,
    CONSTRAINT pk_app_keys PRIMARY KEY (app_id, kind, function_key, name_key)
) STRICT, WITHOUT ROWID;

-- publish

-- An upload is one attempt to bring a package in; its chunks become the package's when it is whole.
CREATE TABLE uploads (
    id         TEXT NOT NULL CONSTRAINT pk_uploads PRIMARY KEY,
    touched_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE packages (
    sha256     TEXT NOT NULL CONSTRAINT pk_packages PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    upload_id  TEXT NOT NULL CONSTRAINT uq_packages_upload UNIQUE,
    created_at TEXT NOT NULL,
    touched_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE package_chunks (
    upload_id TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    data      BLOB NOT NULL,
    CONSTRAINT pk_package_chunks PRIMARY KEY (upload_id, seq)
) STRICT;

CREATE TABLE deployments (
    id             TEXT NOT NULL CONSTRAINT pk_deployments PRIMARY KEY,
    app_id         TEXT NOT NULL CONSTRAINT fk_deployments_app REFERENCES apps (id) ON DELETE CASCADE,
    seq            INTEGER NOT NULL,
    running        INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    status_text    TEXT NOT NULL,
    message        TEXT NOT NULL,
    author         TEXT NOT NULL,
    author_email   TEXT NOT NULL,
    deployer       TEXT NOT NULL,
    progress       TEXT NOT NULL,
    package_sha256 TEXT NOT NULL,
    runtime        TEXT NOT NULL,
    inputs         TEXT NOT NULL,
    revision       INTEGER NOT NULL,
    received_at    TEXT NOT NULL,
    started_at     TEXT NOT NULL,
    ended_at       TEXT NOT NULL,
    active         INTEGER NOT NULL,
    CONSTRAINT uq_deployments_seq UNIQUE (app_id, seq)
) STRICT;
-- At most one deployment of an app is under way, whoever asks at the same moment.
CREATE UNIQUE INDEX ux_deployments_running ON deployments (app_id) WHERE running = 1;
CREATE INDEX ix_deployments_package ON deployments (package_sha256);

CREATE TABLE deployment_logs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    deployment_id TEXT NOT NULL CONSTRAINT fk_deployment_logs_deployment REFERENCES deployments (id) ON DELETE CASCADE,
    at            TEXT NOT NULL,
    type          INTEGER NOT NULL,
    message       TEXT NOT NULL
) STRICT;
CREATE INDEX ix_deployment_logs ON deployment_logs (deployment_id, id);

-- rollout

CREATE TABLE revisions (
    app_id         TEXT NOT NULL CONSTRAINT fk_revisions_app REFERENCES apps (id) ON DELETE CASCADE,
    number         INTEGER NOT NULL,
    package_sha256 TEXT NOT NULL,
    package_size   INTEGER NOT NULL,
    runtime        TEXT NOT NULL,
    sealed         BLOB NOT NULL,
    inputs         TEXT NOT NULL,
    deployment_id  TEXT NOT NULL,
    phase          TEXT NOT NULL,
    error          TEXT NOT NULL,
    created_at     TEXT NOT NULL,
    phase_at       TEXT NOT NULL,
    CONSTRAINT pk_revisions PRIMARY KEY (app_id, number)
) STRICT;
CREATE INDEX ix_revisions_phase ON revisions (phase, app_id);
CREATE INDEX ix_revisions_package ON revisions (package_sha256);

CREATE TABLE routes (
    app_id     TEXT NOT NULL CONSTRAINT pk_routes PRIMARY KEY
               CONSTRAINT fk_routes_app REFERENCES apps (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    targets    TEXT NOT NULL,
    waiting    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- hostapi

CREATE TABLE instances (
    id         TEXT NOT NULL CONSTRAINT pk_instances PRIMARY KEY,
    app_id     TEXT NOT NULL CONSTRAINT fk_instances_app REFERENCES apps (id) ON DELETE CASCADE,
    revision   INTEGER NOT NULL,
    state      TEXT NOT NULL,
    report     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    seen_at    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ix_instances_app ON instances (app_id, id);
CREATE INDEX ix_instances_seen ON instances (seen_at);

CREATE TABLE triggers (
    app_id     TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    document   TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    CONSTRAINT pk_triggers PRIMARY KEY (app_id, revision),
    CONSTRAINT fk_triggers_revision FOREIGN KEY (app_id, revision) REFERENCES revisions (app_id, number) ON DELETE CASCADE
) STRICT;

CREATE TABLE invocations (
    app_id       TEXT NOT NULL CONSTRAINT fk_invocations_app REFERENCES apps (id) ON DELETE CASCADE,
    id           TEXT NOT NULL,
    revision     INTEGER NOT NULL,
    function_name TEXT NOT NULL,
    function_key TEXT NOT NULL,
    started_at   TEXT NOT NULL,
    duration_us  INTEGER NOT NULL,
    success      INTEGER NOT NULL,
    record       TEXT NOT NULL,
    CONSTRAINT pk_invocations PRIMARY KEY (app_id, id)
) STRICT;
CREATE INDEX ix_invocations_time ON invocations (app_id, started_at, id);
CREATE INDEX ix_invocations_function ON invocations (app_id, function_key, started_at, id);

CREATE TABLE app_logs (
    app_id        TEXT NOT NULL CONSTRAINT fk_app_logs_app REFERENCES apps (id) ON DELETE CASCADE,
    id            TEXT NOT NULL,
    at            TEXT NOT NULL,
    level         TEXT NOT NULL,
    function_name TEXT NOT NULL,
    function_key  TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    line          TEXT NOT NULL,
    CONSTRAINT pk_app_logs PRIMARY KEY (app_id, id)
) STRICT;
CREATE INDEX ix_app_logs_time ON app_logs (app_id, at, id);

CREATE TABLE occurrences (
    app_id       TEXT NOT NULL CONSTRAINT fk_occurrences_app REFERENCES apps (id) ON DELETE CASCADE,
    function_key TEXT NOT NULL,
    due          TEXT NOT NULL,
    instance_id  TEXT NOT NULL,
    claimed_at   TEXT NOT NULL,
    CONSTRAINT pk_occurrences PRIMARY KEY (app_id, function_key, due)
) STRICT, WITHOUT ROWID;

CREATE TABLE leases (
    app_id     TEXT NOT NULL CONSTRAINT fk_leases_app REFERENCES apps (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    owner      TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    CONSTRAINT pk_leases PRIMARY KEY (app_id, name)
) STRICT, WITHOUT ROWID;

-- One row: a value sealed when the database was made. It tells a wrong key file at once instead of at the first secret.
CREATE TABLE seal_check (
    id     INTEGER NOT NULL CONSTRAINT pk_seal_check PRIMARY KEY CONSTRAINT ck_seal_check_one CHECK (id = 1),
    sealed BLOB NOT NULL
) STRICT;
