package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nightshift-functions/nightshift/internal/store"
)

// restartedText is the fate of a deployment whose bytes were lost with the process that received them.
const restartedText = "the manager was restarted while receiving; publish again"

// EndInterrupted ends the deployments that a stopped manager was still receiving and removes their bytes. Call it
// once, before the first request; those that were accepted are rollout's. It is for a store with one manager: it
// cannot tell another manager's uploads from lost ones.
func (s *Service) EndInterrupted(ctx context.Context) error {
	open, err := s.store.UnfinishedDeployments(ctx)
	if err != nil {
		return fmt.Errorf("find interrupted deployments: %w", err)
	}
	var failed error
	for _, d := range open {
		if d.Revision != 0 {
			continue
		}
		failed = errors.Join(failed, s.endInterrupted(ctx, d))
	}
	return errors.Join(failed, s.removeLeftovers())
}

func (s *Service) endInterrupted(ctx context.Context, d store.Deployment) error {
	if err := s.end(ctx, d.ID, restartedText, nil); err != nil {
		return fmt.Errorf("end interrupted deployment %q: %w", d.ID, err)
	}
	s.log.Warn().Str("app", d.AppID).Str("deployment", d.ID).Msg("deployment interrupted by a restart")
	return nil
}

func (s *Service) removeLeftovers() error {
	names, err := filepath.Glob(filepath.Join(s.cfg.IncomingDir, uploadPattern))
	if err != nil {
		return fmt.Errorf("look for interrupted uploads: %w", err)
	}
	var failed error
	for _, name := range names {
		failed = errors.Join(failed, os.Remove(name))
	}
	return failed
}
