package publish

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// The kinds of log lines, Kudu's numbers.
const (
	kindMessage = 0
	kindWarning = 1
	kindError   = 2
)

// endTimeout bounds the write that ends a deployment, which happens even when the request's own context is over.
const endTimeout = 10 * time.Second

// note adds a line to a deployment's log and says the same as its state. A line that cannot be written is no reason to
// stop a deployment.
func (s *Service) note(ctx context.Context, d store.Deployment, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.line(ctx, d, kindMessage, text)
	if err := s.store.UpdateDeployment(ctx, d.ID, store.StatusDeploying, text, text); err != nil {
		s.log.Warn().Err(err).Str("deployment", d.ID).Msg("note a deployment's progress")
	}
}

func (s *Service) line(ctx context.Context, d store.Deployment, kind int, text string) {
	if err := s.store.AppendDeploymentLog(ctx, d.ID, kind, clip(text)); err != nil {
		s.log.Warn().Err(err).Str("deployment", d.ID).Msg("write a deployment's log")
	}
}

// fail ends a deployment as Failed, whatever became of the request. A deployment that cannot even be ended (the disk
// of the store is full, say) would keep its app busy, so it is remembered and ended by the next publish.
func (s *Service) fail(ctx context.Context, d store.Deployment, cause error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	text := clip(messageOf(cause))
	err := s.end(ctx, d.ID, text, problemsOf(cause))
	if err != nil && azfunc.CodeOf(err) != azfunc.NotFound { // not found: the app was deleted meanwhile
		s.lost.add(d.AppID, d.ID, text)
		s.log.Error().Err(err).Str("app", d.AppID).Str("deployment", d.ID).Msg("end a failed deployment")
		return
	}
	level := zerolog.InfoLevel
	if azfunc.CodeOf(cause) == azfunc.Internal {
		level = zerolog.ErrorLevel
	}
	s.log.WithLevel(level).Err(cause).Str("app", d.AppID).Str("deployment", d.ID).Msg("deployment refused")
}

// end ends a deployment as Failed, with every problem as a line of its log.
func (s *Service) end(ctx context.Context, id, text string, problems []string) error {
	if len(problems) == 0 {
		problems = []string{text}
	}
	lines := make([]store.DeploymentLog, 0, len(problems))
	for _, problem := range problems {
		lines = append(lines, store.DeploymentLog{Type: kindError, Message: clip(problem)})
	}
	return s.store.EndDeployment(ctx, id, store.StatusFailed, text, lines...)
}

// orphans are failed deployments whose end could not be stored yet, by app.
type orphans struct {
	mu    sync.Mutex
	byApp map[string]orphan
}

type orphan struct{ id, text string }

func (o *orphans) add(appID, id, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byApp == nil {
		o.byApp = make(map[string]orphan)
	}
	o.byApp[appID] = orphan{id, text}
}

func (o *orphans) take(appID string) (orphan, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, ok := o.byApp[appID]
	delete(o.byApp, appID)
	return found, ok
}
