package publish

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

const maxRedeployBody = 64 << 10

// redeploy activates the package of an older deployment with today's settings.
func (s *Service) redeploy(w http.ResponseWriter, r *http.Request) {
	if err := checkRedeploy(r); err != nil {
		writeError(w, r, err)
		return
	}
	app := targetOf(r).app
	old, err := s.store.Deployment(r.Context(), app.ID, chi.URLParam(r, "id"))
	if err != nil {
		writeError(w, r, err)
		return
	}
	o := parseQuery(r.URL.Query()).options(old.Deployer, clip("Redeploy of "+old.ID+": "+old.Message))
	d, rev, err := s.store.Redeploy(r.Context(), old.ID, o.deployment(app.ID))
	if err == nil {
		s.note(r.Context(), d, "Redeploying the package of deployment %s with today's settings.", old.ID)
		s.line(r.Context(), d, kindMessage, rolloutText(rev))
	}
	_ = s.audit(r, identity.ActionPublish, "redeploy of "+old.ID, err)
	if err != nil {
		writeError(w, r, err)
		return
	}
	s.answerAccepted(w, r, d, o)
}

// checkRedeploy tells a redeploy (no body, or how to clean) from a client that records a deployment done elsewhere.
func checkRedeploy(r *http.Request) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxRedeployBody+1))
	if err != nil || len(raw) > maxRedeployBody {
		return azfunc.Errorf(azfunc.Invalid, "the request body is cut off or too large; a redeploy needs none")
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal(raw, &body); err != nil {
		return azfunc.Errorf(azfunc.Invalid, "the request body is not a JSON object; a redeploy needs none: %w", err)
	}
	if _, records := body["status"]; records {
		return azfunc.Errorf(azfunc.Unsupported, "recording a deployment that was done elsewhere is not in this release; leave out the body to redeploy")
	}
	return nil
}
