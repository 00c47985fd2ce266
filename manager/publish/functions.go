package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// functions lists what the host of the revision that serves has indexed, as the host describes it; without one that
// has, nothing.
func (s *Service) functions(w http.ResponseWriter, r *http.Request) {
	list, err := s.indexed(r.Context(), targetOf(r).app)
	if err != nil {
		writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, list)
}

func (s *Service) indexed(ctx context.Context, app store.App) ([]json.RawMessage, error) {
	live, err := s.store.Revisions(ctx, app.ID, true)
	if err != nil {
		return nil, err
	}
	raw, err := s.store.Triggers(ctx, app.ID, serving(app, live))
	if azfunc.CodeOf(err) == azfunc.NotFound {
		return []json.RawMessage{}, nil
	}
	if err != nil {
		return nil, err
	}
	triggers := link.Triggers{Functions: []json.RawMessage{}}
	if err := json.Unmarshal(raw, &triggers); err != nil {
		return nil, fmt.Errorf("read the triggers of app %q: %w", app.Name, err)
	}
	return triggers.Functions, nil
}

// serving is the revision that takes the traffic, or the one that shall.
func serving(app store.App, live []store.Revision) int64 {
	for _, rev := range live {
		if rev.Phase == store.PhaseActive {
			return rev.Number
		}
	}
	return app.DesiredRevision
}

// syncTriggers has nothing to do: an instance says what it indexed whenever it has indexed.
func (s *Service) syncTriggers(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "success"})
}
