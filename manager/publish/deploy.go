package publish

import (
	"context"
	"fmt"
	"net/http"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// source brings a deployment's package into the incoming folder: from the request's body or from an older deployment.
type source func() (*upload, error)

// deploy takes one package from its first byte to the desired revision. The deployment it returns has been accepted;
// on an error it has ended as Failed and the error says why. Its id is empty when another deployment had the app.
func (s *Service) deploy(ctx context.Context, app store.App, o options, src source) (store.Deployment, error) {
	d, err := s.begin(ctx, o.deployment(app.ID))
	if err != nil {
		return store.Deployment{}, err
	}
	up, err := src()
	if err != nil {
		s.fail(ctx, d, err)
		return d, err
	}
	defer up.discard()
	// All bytes are here: from now on a client that hangs up has published, as in Azure.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), acceptTimeout)
	defer cancel()
	if err := s.accept(ctx, app, d, up); err != nil {
		s.fail(ctx, d, err)
		return d, err
	}
	return d, nil
}

// begin takes the app's one place for a deployment.
func (s *Service) begin(ctx context.Context, d store.Deployment) (store.Deployment, error) {
	begun, err := s.store.BeginDeployment(ctx, d)
	if azfunc.CodeOf(err) != azfunc.Conflict {
		return begun, err
	}
	if left, ok := s.lost.take(d.AppID); ok {
		if err := s.end(ctx, left.id, left.text, nil); err != nil {
			s.lost.add(d.AppID, left.id, left.text)
			return store.Deployment{}, err
		}
		begun, err = s.store.BeginDeployment(ctx, d)
	}
	if azfunc.CodeOf(err) == azfunc.Conflict {
		return store.Deployment{}, azfunc.Errorf(azfunc.Conflict, "%s", busyText)
	}
	return begun, err
}

// accept checks, reads and stores a received package and makes it the app's desired revision.
func (s *Service) accept(ctx context.Context, app store.App, d store.Deployment, up *upload) error {
	s.note(ctx, d, "Received a package of %s (SHA-256 %s).", bytesText(up.size), up.sha)
	settings, _, err := s.store.Settings(ctx, app.ID)
	if err != nil {
		return err
	}
	report, err := s.inspect(ctx, up, settings)
	if err != nil {
		return err
	}
	report.Warnings = append(report.Warnings, unused(settings)...)
	s.tell(ctx, d, report)
	if err := s.keep(ctx, d, up); err != nil {
		return err
	}
	rev, err := s.commit(ctx, d, store.AcceptInput{
		PackageSHA256: up.sha, PackageSize: up.size, Runtime: report.Runtime, Inputs: s.cfg.Inputs(app),
	})
	if err != nil {
		return err
	}
	s.line(ctx, d, kindMessage, rolloutText(rev))
	s.log.Info().Str("app", app.Name).Str("deployment", d.ID).Int64("revision", rev.Number).Msg("package accepted")
	return nil
}

// commit accepts the deployment. An answer that was not heard may hide a revision that was made, which must not be
// called failed: accepting again tells, and makes none twice.
func (s *Service) commit(ctx context.Context, d store.Deployment, in store.AcceptInput) (store.Revision, error) {
	rev, err := s.store.AcceptDeployment(ctx, d.ID, in)
	if code := azfunc.CodeOf(err); code != azfunc.Internal && code != azfunc.Unavailable {
		return rev, err
	}
	s.log.Warn().Err(err).Str("deployment", d.ID).Msg("accept a deployment, once more")
	again, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	return s.store.AcceptDeployment(again, d.ID, in)
}

func rolloutText(rev store.Revision) string {
	return fmt.Sprintf("Rollout of revision %d started.", rev.Number)
}

// keep stores the content unless it is there: packages are named by their digest.
func (s *Service) keep(ctx context.Context, d store.Deployment, up *upload) error {
	have, err := s.store.HasPackage(ctx, up.sha)
	if err != nil {
		return err
	}
	if have {
		s.note(ctx, d, "The package is stored already.")
		return nil
	}
	if _, err := up.file.Seek(0, 0); err != nil {
		return storageError{err}
	}
	if err := s.store.PutPackage(ctx, up.sha, up.size, up.file); err != nil {
		return err
	}
	s.note(ctx, d, "Stored the package.")
	return nil
}

// await watches an accepted deployment until it has ended or the time for a synchronous answer is over, and returns
// how it stands then.
func (s *Service) await(ctx context.Context, app store.App, id string) (store.Deployment, error) {
	wait, cancel := s.waits.Until(ctx, s.cfg.RolloutWait)
	defer cancel()
	topic := store.AppTopic(app.ID)
	for {
		version := s.store.Version(topic)
		d, err := s.store.Deployment(ctx, app.ID, id)
		if err != nil || d.Complete() {
			return d, err
		}
		if _, err := s.store.Wait(wait, topic, version); err != nil && wait.Err() != nil {
			return d, nil // the time is over: the caller answers with how it stands
		}
	}
}

// body is the source of a package that comes with the request.
func (s *Service) body(w http.ResponseWriter, r *http.Request) source {
	return func() (*upload, error) { return s.receiveBody(w, r) }
}
