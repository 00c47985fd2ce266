package publish

import (
	"context"
	"net/http"
	"strconv"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

const (
	// maxHistory is how many deployments are listed; clients look at the newest.
	maxHistory = 100
	// maxLog bounds a deployment's log as listed.
	maxLog = 1000
)

func (s *Service) listDeployments(w http.ResponseWriter, r *http.Request) {
	list, _, err := s.store.Deployments(r.Context(), targetOf(r).app.ID, store.Page{Limit: maxHistory})
	if err != nil {
		writeError(w, r, err)
		return
	}
	out := make([]result, 0, len(list))
	for _, d := range list {
		out = append(out, s.result(r, d))
	}
	writeTagged(w, r, out)
}

// latestDeployment is what clients poll. The address we hand out names the deployment, else it is the newest one.
func (s *Service) latestDeployment(w http.ResponseWriter, r *http.Request) {
	q := parseQuery(r.URL.Query())
	d, err := s.latest(r.Context(), targetOf(r).app.ID, q["id"])
	if err != nil {
		writeError(w, r, err)
		return
	}
	s.answerDeployment(w, r, d)
}

func (s *Service) latest(ctx context.Context, appID, id string) (store.Deployment, error) {
	if id != "" {
		return s.store.Deployment(ctx, appID, id)
	}
	return s.store.LatestDeployment(ctx, appID)
}

func (s *Service) oneDeployment(w http.ResponseWriter, r *http.Request) {
	d, err := s.store.Deployment(r.Context(), targetOf(r).app.ID, chi.URLParam(r, "id"))
	if err != nil {
		writeError(w, r, err)
		return
	}
	s.answerDeployment(w, r, d)
}

// answerDeployment is 202 with the address to ask again while the deployment runs, 200 when it has ended.
func (s *Service) answerDeployment(w http.ResponseWriter, r *http.Request, d store.Deployment) {
	if d.Complete() {
		writeJSON(w, http.StatusOK, s.result(r, d))
		return
	}
	announce(w, r, d, options{deployer: d.Deployer})
	writeJSON(w, http.StatusAccepted, s.result(r, d))
}

func (s *Service) deploymentLog(w http.ResponseWriter, r *http.Request) {
	lines, err := s.lines(r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	out := make([]logEntry, 0, len(lines))
	for _, l := range lines {
		out = append(out, logEntry{LogTime: l.At.UTC(), ID: strconv.FormatInt(l.ID, 10), Message: l.Message, Type: l.Type})
	}
	writeTagged(w, r, out)
}

// deploymentLogEntry lists a line's details: there are none, because a line holds everything.
func (s *Service) deploymentLogEntry(w http.ResponseWriter, r *http.Request) {
	lines, err := s.lines(r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	entry := chi.URLParam(r, "entry")
	for _, l := range lines {
		if strconv.FormatInt(l.ID, 10) == entry {
			writeJSON(w, http.StatusOK, []logEntry{})
			return
		}
	}
	writeError(w, r, azfunc.Errorf(azfunc.NotFound, "the deployment's log has no entry %q", clip(entry)))
}

func (s *Service) lines(r *http.Request) ([]store.DeploymentLog, error) {
	id := chi.URLParam(r, "id")
	if id == "latest" {
		id = "" // as /deployments/latest does without one
	}
	d, err := s.latest(r.Context(), targetOf(r).app.ID, id)
	if err != nil {
		return nil, err
	}
	lines, _, err := s.store.DeploymentLogs(r.Context(), d.ID, store.Page{Limit: maxLog})
	return lines, err
}

func (s *Service) isDeploying(w http.ResponseWriter, r *http.Request) {
	d, err := s.store.LatestDeployment(r.Context(), targetOf(r).app.ID)
	if err != nil && azfunc.CodeOf(err) != azfunc.NotFound {
		writeError(w, r, err)
		return
	}
	answer := map[string]string{"value": "False", "msg": ""}
	if err == nil && !d.Complete() {
		answer = map[string]string{"value": "True", "msg": d.StatusText}
	}
	writeJSON(w, http.StatusOK, answer)
}
