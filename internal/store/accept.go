package store

import (
	"context"
	"encoding/json"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// AcceptInput is what a deployment found out about its package.
type AcceptInput struct {
	PackageSHA256 string // lower-case hex; a package that PutPackage has completed
	PackageSize   int64
	Runtime       string
	Inputs        json.RawMessage // job inputs other than the settings; may be nil
}

// AcceptDeployment is the moment from which a publish is never lost. In one transaction the deployment gets its package and
// revision, the revision is made with a snapshot of today's settings, and the app desires it. Accepting again with the
// same package returns the same revision, so that a caller who did not hear the answer can repeat it.
//
// NotFound when there is no such deployment or package, Conflict when the deployment has ended or has accepted another
// package.
func (db *DB) AcceptDeployment(ctx context.Context, id string, in AcceptInput) (made Revision, err error) {
	err = db.write(ctx, "accept deployment "+id, func(tx *Tx) error {
		d, err := tx.deployment(ctx, id)
		if err != nil {
			return err
		}
		if err := tx.lockApp(ctx, d.AppID); err != nil {
			return err
		}
		// Read again: only now does nobody else change it.
		if d, err = tx.deployment(ctx, id); err != nil {
			return err
		}
		made, err = tx.accept(ctx, d.Deployment, in)
		return err
	})
	return made, err
}

// accept works on a locked app.
func (tx *Tx) accept(ctx context.Context, d Deployment, in AcceptInput) (Revision, error) {
	if d.Revision != 0 && d.PackageSHA256 == in.PackageSHA256 {
		return tx.revision(ctx, d.AppID, d.Revision)
	}
	if d.Revision != 0 || d.Complete() {
		return Revision{}, azfunc.Errorf(azfunc.Conflict, "the deployment %s has ended already or has another package; begin a new one", d.ID)
	}
	if err := tx.holdPackage(ctx, in.PackageSHA256, in.PackageSize); err != nil {
		return Revision{}, err
	}
	values, _, err := tx.settings(ctx, d.AppID)
	if err != nil {
		return Revision{}, err
	}
	made, err := tx.makeRevision(ctx, Revision{
		AppID: d.AppID, PackageSHA256: in.PackageSHA256, PackageSize: in.PackageSize,
		Runtime: in.Runtime, Inputs: in.Inputs, Settings: values, DeploymentID: d.ID,
	})
	if err != nil {
		return Revision{}, err
	}
	return made, tx.change(ctx, `UPDATE deployments SET package_sha256 = @sha, runtime = @runtime, inputs = @inputs,
		revision = @revision WHERE id = @id AND running = 1 AND revision = 0`,
		p("sha", in.PackageSHA256), p("runtime", in.Runtime), p("inputs", made.Inputs),
		p("revision", made.Number), p("id", d.ID))
}

// Redeploy is the way back: it begins a new deployment d with the package that deployment fromID had, and accepts it
// with today's settings, as in Azure. d.AppID is the app. NotFound when there is no such deployment or its package was
// pruned, Conflict while another deployment is in progress or when fromID never had a package.
func (db *DB) Redeploy(ctx context.Context, fromID string, d Deployment) (begun Deployment, made Revision, err error) {
	err = db.write(ctx, "redeploy "+fromID, func(tx *Tx) error {
		if begun, err = tx.beginDeployment(ctx, d); err != nil {
			return err
		}
		from, err := tx.deployment(ctx, fromID)
		if err != nil {
			return err
		}
		if from.AppID != d.AppID {
			return azfunc.Errorf(azfunc.NotFound, "there is no deployment %q of this app", fromID)
		}
		if from.PackageSHA256 == "" {
			return azfunc.Errorf(azfunc.Conflict, "the deployment %s was refused before it had a package; choose another", fromID)
		}
		made, err = tx.repeat(ctx, begun, from)
		begun.PackageSHA256, begun.Revision = made.PackageSHA256, made.Number
		return err
	})
	return begun, made, err
}

func (tx *Tx) repeat(ctx context.Context, d Deployment, from storedDeployment) (Revision, error) {
	size, err := tx.int(ctx, "SELECT size_bytes FROM packages WHERE sha256 = @sha", p("sha", from.PackageSHA256))
	if err != nil {
		return Revision{}, orNotFound(err, "the package of deployment %s is not kept any more; publish it again", from.ID)
	}
	return tx.accept(ctx, d, AcceptInput{
		PackageSHA256: from.PackageSHA256, PackageSize: size, Runtime: from.runtime, Inputs: from.inputs,
	})
}
