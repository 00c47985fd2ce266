package rollout

import (
	"context"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

func (l *Loop) take(ctx context.Context, app store.App, step Step) error {
	log := l.cfg.Log.Info().Str("app", app.Name)
	switch s := step.(type) {
	case Register:
		log.Int64("revision", s.Revision.Number).Msg("register job")
		return l.cfg.Jobs.Register(ctx, app, s.Revision, s.Count)
	case StopJob:
		log.Int64("revision", s.Revision).Msg("stop job")
		return gone(l.cfg.Jobs.Stop(ctx, app.Name, s.Revision))
	case SetPhase:
		log.Int64("revision", s.Revision).Str("phase", string(s.Phase)).Str("error", s.Error).Msg("phase")
		return l.cfg.Writer.SetPhase(ctx, l.cfg.Epoch, app.ID, s.Revision, s.Phase, s.Error)
	case SetRoute:
		log.Interface("targets", s.Targets).Str("waiting", s.Waiting).Msg("route")
		return l.setRoute(ctx, app, s)
	case EndDeployment:
		log.Str("deployment", s.ID).Bool("success", s.Success).Str("text", s.Text).Msg("deployment ends")
		return l.endDeployment(ctx, s)
	default:
		return azfunc.Errorf(azfunc.Internal, "unknown step %T", step)
	}
}

func (l *Loop) setRoute(ctx context.Context, app store.App, s SetRoute) error {
	if _, err := l.cfg.Writer.SetRoute(ctx, l.cfg.Epoch, app.ID, s.Targets, s.Waiting); err != nil {
		return err
	}
	if l.cfg.RouteChanged == nil {
		return nil
	}
	return l.cfg.RouteChanged(ctx)
}

func (l *Loop) endDeployment(ctx context.Context, s EndDeployment) error {
	status, kind := store.StatusSuccess, 0
	if !s.Success {
		status, kind = store.StatusFailed, 2
	}
	lines := s.Lines
	if s.Text != "" {
		lines = append(lines, Line{Type: kind, Text: s.Text})
	}
	logs := make([]store.DeploymentLog, len(lines))
	for i, line := range lines {
		logs[i] = store.DeploymentLog{Type: line.Type, Message: line.Text}
	}
	return l.cfg.Writer.EndDeployment(ctx, s.ID, status, s.Text, logs...)
}

// gone takes a job that the scheduler does not know as stopped.
func gone(err error) error {
	if azfunc.CodeOf(err) == azfunc.NotFound {
		return nil
	}
	return err
}
