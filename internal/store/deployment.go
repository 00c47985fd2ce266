package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"strconv"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const deploymentColumns = `SELECT id, app_id, seq, status, status_text, message, author, author_email, deployer, progress,
	package_sha256, runtime, inputs, revision, received_at, started_at, ended_at, active FROM deployments `

// storedDeployment is a Deployment and what only the store needs of it: its place in the app's order, and what a
// redeployment repeats.
type storedDeployment struct {
	Deployment
	seq     int64
	runtime string
	inputs  []byte
}

func scanDeployment(r row) (storedDeployment, error) {
	var d storedDeployment
	err := r.Scan(&d.ID, &d.AppID, &d.seq, &d.Status, &d.StatusText, &d.Message, &d.Author, &d.AuthorEmail, &d.Deployer,
		&d.Progress, &d.PackageSHA256, &d.runtime, &d.inputs, &d.Revision,
		timeInto{&d.ReceivedAt}, timeInto{&d.StartedAt}, timeInto{&d.EndedAt}, &d.Active)
	return d, err
}

// BeginDeployment records a deployment that is under way and returns it with its id (a new one when empty) and times.
// Conflict while another one of the app is not complete, NotFound when there is no app with the id.
func (db *DB) BeginDeployment(ctx context.Context, d Deployment) (begun Deployment, err error) {
	err = db.write(ctx, "begin a deployment", func(tx *Tx) error {
		begun, err = tx.beginDeployment(ctx, d)
		return err
	})
	return begun, err
}

func (tx *Tx) beginDeployment(ctx context.Context, d Deployment) (Deployment, error) {
	if err := tx.lockApp(ctx, d.AppID); err != nil {
		return Deployment{}, err
	}
	if err := tx.checkNoneRuns(ctx, d.AppID); err != nil {
		return Deployment{}, err
	}
	if d.ID == "" {
		d.ID = uuid.NewString()
	}
	if d.ReceivedAt.IsZero() {
		d.ReceivedAt = tx.now
	}
	if d.Complete() {
		d.Status = StatusPending
	}
	d.StartedAt, d.PackageSHA256, d.Revision, d.Active = tx.now, "", 0, false
	if err := tx.change(ctx, "UPDATE apps SET last_deployment = last_deployment + 1 WHERE id = @app", p("app", d.AppID)); err != nil {
		return Deployment{}, err
	}
	tx.topics = append(tx.topics, AppTopic(d.AppID))
	return d, tx.insertDeployment(ctx, d)
}

func (tx *Tx) checkNoneRuns(ctx context.Context, appID string) error {
	running, err := one(ctx, tx, scanDeployment, deploymentColumns+"WHERE app_id = @app AND running = 1", p("app", appID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	a, err := tx.appByID(ctx, appID)
	if err != nil {
		return err
	}
	return azfunc.Errorf(azfunc.Conflict, "a deployment of app %q is in progress: %s", a.Name, running.ID)
}

func (tx *Tx) insertDeployment(ctx context.Context, d Deployment) error {
	_, err := tx.exec(ctx, `INSERT INTO deployments (id, app_id, seq, running, status, status_text, message, author,
		author_email, deployer, progress, package_sha256, runtime, inputs, revision, received_at, started_at, ended_at, active)
		SELECT @id, @app, last_deployment, 1, @status, @text, @message, @author,
		@email, @deployer, @progress, '', '', '', 0, @received, @started, @ended, 0 FROM apps WHERE id = @app`,
		p("id", d.ID), p("app", d.AppID), p("status", d.Status), p("text", d.StatusText), p("message", d.Message),
		p("author", d.Author), p("email", d.AuthorEmail), p("deployer", d.Deployer), p("progress", d.Progress),
		p("received", d.ReceivedAt), p("started", d.StartedAt), p("ended", d.EndedAt))
	if err != nil && tx.db.cfg.Dialect.Duplicate(err) {
		return azfunc.Errorf(azfunc.Conflict, "there is a deployment %s already", d.ID)
	}
	return err
}

// UpdateDeployment says how far a deployment has come; status is StatusPending or StatusDeploying. Conflict when it
// has ended already, NotFound when there is none with the id.
func (db *DB) UpdateDeployment(ctx context.Context, id string, status int, statusText, progress string) error {
	if status != StatusPending && status != StatusDeploying {
		return azfunc.Errorf(azfunc.Invalid, "a deployment ends by EndDeployment, not by status %d", status)
	}
	return db.write(ctx, "update deployment "+id, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE deployments SET status = @status, status_text = @text, progress = @progress
			WHERE id = @id AND running = 1`,
			p("id", id), p("status", status), p("text", statusText), p("progress", progress))
		if err != nil {
			return err
		}
		d, err := tx.deployment(ctx, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return azfunc.Errorf(azfunc.Conflict, "the deployment %s has ended already", id)
		}
		tx.topics = append(tx.topics, AppTopic(d.AppID))
		return nil
	})
}

// EndDeployment completes a deployment with StatusSuccess or StatusFailed and adds the log lines to it, in one
// transaction. The first end wins: a later one changes nothing and is no error. Success makes it the app's active
// deployment and the former one inactive. NotFound when there is none with the id.
func (db *DB) EndDeployment(ctx context.Context, id string, status int, statusText string, logs ...DeploymentLog) error {
	if !(Deployment{Status: status}).Complete() {
		return azfunc.Errorf(azfunc.Invalid, "a deployment cannot end with status %d", status)
	}
	return db.write(ctx, "end deployment "+id, func(tx *Tx) error {
		n, err := tx.exec(ctx, `UPDATE deployments SET running = 0, status = @status, status_text = @text, progress = '',
			ended_at = @now WHERE id = @id AND running = 1`,
			p("id", id), p("status", status), p("text", statusText), p("now", tx.now))
		if err != nil {
			return err
		}
		d, err := tx.deployment(ctx, id)
		if err != nil || n == 0 {
			return err
		}
		if err := tx.moveActive(ctx, d.Deployment); err != nil {
			return err
		}
		return tx.appendLogs(ctx, d.AppID, id, logs)
	})
}

func (tx *Tx) moveActive(ctx context.Context, d Deployment) error {
	if d.Status != StatusSuccess {
		return nil
	}
	params := []any{p("app", d.AppID), p("id", d.ID)}
	_, err := tx.exec(ctx, "UPDATE deployments SET active = 0 WHERE app_id = @app AND active = 1 AND id <> @id", params...)
	if err != nil {
		return err
	}
	return tx.change(ctx, "UPDATE deployments SET active = 1 WHERE app_id = @app AND id = @id", params...)
}

func (tx *Tx) deployment(ctx context.Context, id string) (storedDeployment, error) {
	d, err := one(ctx, tx, scanDeployment, deploymentColumns+"WHERE id = @id", p("id", id))
	return d, orNotFound(err, "there is no deployment %q", id)
}

// Deployment finds a deployment of an app; NotFound when there is none.
func (db *DB) Deployment(ctx context.Context, appID, id string) (Deployment, error) {
	return db.oneDeployment(ctx, "there is no deployment %[2]q of this app", "WHERE app_id = @app AND id = @id", appID, id)
}

// LatestDeployment is the app's newest deployment; NotFound when nothing was ever published.
func (db *DB) LatestDeployment(ctx context.Context, appID string) (Deployment, error) {
	return db.oneDeployment(ctx, "nothing was published to this app yet", `WHERE app_id = @app AND seq =
		(SELECT MAX(seq) FROM deployments WHERE app_id = @app)`, appID, "")
}

func (db *DB) oneDeployment(ctx context.Context, missing, where, appID, id string) (d Deployment, err error) {
	err = db.read(ctx, "read a deployment", func(tx *Tx) error {
		found, err := one(ctx, tx, scanDeployment, deploymentColumns+where, p("app", appID), p("id", id))
		d = found.Deployment
		return orNotFound(err, missing, appID, id)
	})
	return d, err
}

// Deployments lists an app's deployments, newest first.
func (db *DB) Deployments(ctx context.Context, appID string, page Page) (all []Deployment, next string, err error) {
	before, err := page.number(math.MaxInt64)
	if err != nil {
		return nil, "", err
	}
	err = db.read(ctx, "list deployments", func(tx *Tx) error {
		found, after, err := paged(ctx, tx, page, scanDeployment,
			func(d storedDeployment) string { return token(strconv.FormatInt(d.seq, 10)) },
			deploymentColumns+"WHERE app_id = @app AND seq < @before ORDER BY seq DESC", p("app", appID), p("before", before))
		all, next = public(found), after
		return err
	})
	return all, next, err
}

// UnfinishedDeployments are those of all apps that have not ended: what a starting manager takes up again. At most
// one per app.
func (db *DB) UnfinishedDeployments(ctx context.Context) (all []Deployment, err error) {
	err = db.read(ctx, "list unfinished deployments", func(tx *Tx) error {
		found, err := list(ctx, tx, scanDeployment, deploymentColumns+"WHERE running = 1 ORDER BY received_at, id")
		all = public(found)
		return err
	})
	return all, err
}

func public(stored []storedDeployment) []Deployment {
	all := make([]Deployment, 0, len(stored))
	for _, d := range stored {
		all = append(all, d.Deployment)
	}
	return all
}
