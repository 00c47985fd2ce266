package store

import (
	"context"
	"slices"
	"strconv"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// liveCondition is Phase.Live in SQL.
const liveCondition = "phase IN ('pending', 'standby', 'active', 'draining')"

const revisionColumns = `SELECT app_id, number, package_sha256, package_size, runtime, inputs, deployment_id, phase, error,
	created_at, phase_at, sealed FROM revisions `

// scanRevision leaves the snapshot of the settings sealed: only who runs a revision needs it.
func scanRevision(r row) (Revision, error) {
	rev, _, err := scanSealedRevision(r)
	return rev, err
}

func scanSealedRevision(r row) (rev Revision, sealed []byte, err error) {
	err = r.Scan(&rev.AppID, &rev.Number, &rev.PackageSHA256, &rev.PackageSize, &rev.Runtime, (*[]byte)(&rev.Inputs),
		&rev.DeploymentID, &rev.Phase, &rev.Error, timeInto{&rev.CreatedAt}, timeInto{&rev.PhaseAt}, &sealed)
	return rev, sealed, err
}

func revisionContext(appID string, number int64) []byte {
	return sealContext("revisions", appID, strconv.FormatInt(number, 10))
}

// Revision finds a revision with its settings; NotFound when there is none.
func (db *DB) Revision(ctx context.Context, appID string, number int64) (rev Revision, err error) {
	err = db.read(ctx, "read a revision", func(tx *Tx) error {
		rev, err = tx.revision(ctx, appID, number)
		return err
	})
	return rev, err
}

func (tx *Tx) revision(ctx context.Context, appID string, number int64) (Revision, error) {
	rev, sealed, err := scanSealedRevision(tx.sql.QueryRowContext(ctx,
		revisionColumns+"WHERE app_id = @app AND number = @number", p("app", appID), p("number", number)))
	if err != nil {
		return Revision{}, orNotFound(err, "there is no revision %d of this app", number)
	}
	rev.Settings, err = tx.openMap(sealed, revisionContext(appID, number))
	return rev, err
}

// Revisions are an app's revisions, newest first, only those that may have a job when liveOnly. Settings is nil in
// all of them: ask for the single Revision.
func (db *DB) Revisions(ctx context.Context, appID string, liveOnly bool) (all []Revision, err error) {
	err = db.read(ctx, "list revisions", func(tx *Tx) error {
		where := "WHERE app_id = @app "
		if liveOnly {
			where += "AND " + liveCondition
		}
		all, err = list(ctx, tx, scanRevision, revisionColumns+where+" ORDER BY number DESC", p("app", appID))
		return err
	})
	return all, err
}

// makeRevision gives a revision its number and phase, stores it and makes it the one that the app desires. The app is
// locked. Numbers are never reused: the scheduler may still know the job of a pruned one.
func (tx *Tx) makeRevision(ctx context.Context, rev Revision) (Revision, error) {
	err := tx.change(ctx, `UPDATE apps SET last_revision = last_revision + 1, desired_revision = last_revision + 1,
		version = version + 1, updated_at = @now WHERE id = @app`, p("app", rev.AppID), p("now", tx.now))
	if err != nil {
		return Revision{}, err
	}
	rev.Number, err = tx.int(ctx, "SELECT last_revision FROM apps WHERE id = @app", p("app", rev.AppID))
	if err != nil {
		return Revision{}, err
	}
	sealed, err := tx.sealMap(rev.Settings, revisionContext(rev.AppID, rev.Number))
	if err != nil {
		return Revision{}, err
	}
	if len(rev.Inputs) == 0 {
		rev.Inputs = []byte("{}")
	}
	rev.Phase, rev.CreatedAt, rev.PhaseAt = PhasePending, tx.now, tx.now
	tx.topics = append(tx.topics, TopicApps, AppTopic(rev.AppID))
	_, err = tx.exec(ctx, `INSERT INTO revisions (app_id, number, package_sha256, package_size, runtime, sealed, inputs,
		deployment_id, phase, error, created_at, phase_at)
		VALUES (@app, @number, @sha, @size, @runtime, @sealed, @inputs, @deployment, @phase, '', @now, @now)`,
		p("app", rev.AppID), p("number", rev.Number), p("sha", rev.PackageSHA256), p("size", rev.PackageSize),
		p("runtime", rev.Runtime), p("sealed", sealed), p("inputs", rev.Inputs), p("deployment", rev.DeploymentID),
		p("phase", string(rev.Phase)), p("now", tx.now))
	return rev, err
}

// mayFollow are the legal moves of a revision. An active one whose successor failed after it had begun to drain takes
// over again, which is why draining leads back to active; retired, superseded and failed are ends.
func mayFollow(from, to Phase) bool {
	switch from {
	case PhasePending:
		return slices.Contains([]Phase{PhaseStandby, PhaseSuperseded, PhaseFailed}, to)
	case PhaseStandby:
		return slices.Contains([]Phase{PhaseActive, PhaseSuperseded, PhaseFailed}, to)
	case PhaseActive:
		return slices.Contains([]Phase{PhaseDraining, PhaseRetired}, to)
	case PhaseDraining:
		return slices.Contains([]Phase{PhaseActive, PhaseRetired}, to)
	default:
		return false
	}
}

// SetPhase moves a revision; errText says why it failed. Setting the phase that it has is no error and changes
// nothing, so that a step can be repeated after a crash. Fenced when the epoch is over, NotFound when there is no such
// revision, Conflict for a move that is not legal.
func (db *DB) SetPhase(ctx context.Context, epoch int64, appID string, number int64, phase Phase, errText string) error {
	return db.write(ctx, "set the phase of a revision", func(tx *Tx) error {
		if err := tx.fence(ctx, epoch); err != nil {
			return err
		}
		rev, err := one(ctx, tx, scanRevision, revisionColumns+"WHERE app_id = @app AND number = @number",
			p("app", appID), p("number", number))
		if err != nil {
			return orNotFound(err, "there is no revision %d of this app", number)
		}
		if rev.Phase == phase {
			return nil
		}
		if !mayFollow(rev.Phase, phase) {
			return azfunc.Errorf(azfunc.Conflict, "revision %d is %s and cannot become %s", number, rev.Phase, phase)
		}
		tx.topics = append(tx.topics, TopicApps, AppTopic(appID))
		return tx.change(ctx, `UPDATE revisions SET phase = @phase, error = @error, phase_at = @now
			WHERE app_id = @app AND number = @number AND phase = @from`,
			p("phase", string(phase)), p("error", errText), p("now", tx.now), p("app", appID), p("number", number),
			p("from", string(rev.Phase)))
	})
}

// RolloutApps are the apps that rollout has work with: those that desire a revision or have live ones.
func (db *DB) RolloutApps(ctx context.Context) (apps []App, err error) {
	err = db.read(ctx, "list the apps to roll out", func(tx *Tx) error {
		apps, err = list(ctx, tx, tx.scanApp, appColumns+`WHERE desired_revision > 0
			OR id IN (SELECT app_id FROM revisions WHERE `+liveCondition+") ORDER BY name_key")
		return err
	})
	return apps, err
}

// PruneRevisions forgets an app's oldest revisions beyond the newest keep, with their triggers, but never a live one
// or the desired one. It returns how many.
func (db *DB) PruneRevisions(ctx context.Context, appID string, keep int) (removed int64, err error) {
	err = db.write(ctx, "prune revisions", func(tx *Tx) error {
		removed, err = tx.exec(ctx, `DELETE FROM revisions WHERE app_id = @app AND NOT `+liveCondition+`
			AND number <= (SELECT last_revision FROM apps WHERE id = @app) - @keep
			AND number <> (SELECT desired_revision FROM apps WHERE id = @app)`, p("app", appID), p("keep", max(keep, 0)))
		return err
	})
	return removed, err
}
