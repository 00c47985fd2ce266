package publish

import (
	"bufio"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// retryAfter is how often, in seconds, a client shall look after a deployment; Kudu says 30, clients use their own.
const retryAfter = "5"

// headerDeployment names the deployment; clients that track progress look for it.
const headerDeployment = "SCM-DEPLOYMENT-ID"

func (s *Service) zipDeploy(w http.ResponseWriter, r *http.Request) {
	o := parseQuery(r.URL.Query()).options("ZipDeploy", "Created via a push deployment")
	if d, ok := s.publishBody(w, r, o); ok {
		s.answerAccepted(w, r, d, o)
	}
}

func (s *Service) oneDeploy(w http.ResponseWriter, r *http.Request) {
	q := parseQuery(r.URL.Query())
	flex, err := q.oneDeploy()
	if err != nil {
		refuseOneDeploy(w, r, err)
		return
	}
	o := q.options("OneDeploy", "OneDeploy")
	d, ok := s.publishBody(w, r, o)
	if !ok {
		return
	}
	if flex {
		announce(w, r, d, o)
		writeJSON(w, http.StatusAccepted, d.ID)
		return
	}
	s.answerAccepted(w, r, d, o)
}

// refuseOneDeploy words a wrong query as OneDeploy does: a JSON string.
func refuseOneDeploy(w http.ResponseWriter, r *http.Request, err error) {
	if azfunc.CodeOf(err) != azfunc.Invalid {
		refuseUnread(w, r, lingerKnown, err)
		return
	}
	answerUnread(w, r, lingerKnown, func() { writeJSON(w, http.StatusBadRequest, azfunc.MessageOf(err)) })
}

// publishBody deploys the request's body and answers what went wrong; ok tells whether there is something to report.
func (s *Service) publishBody(w http.ResponseWriter, r *http.Request, o options) (store.Deployment, bool) {
	if err := s.checkBody(r); err != nil {
		refuseUnread(w, r, lingerKnown, err)
		return store.Deployment{}, false
	}
	d, err := s.deploy(r.Context(), targetOf(r).app, o, s.body(w, r))
	_ = s.audit(r, identity.ActionPublish, "deployment "+d.ID, err)
	if err == nil {
		return d, true
	}
	if d.ID != "" {
		w.Header().Set(headerDeployment, d.ID)
	}
	refuseUnread(w, r, lingerKnown, err)
	return d, false
}

// checkBody refuses what can be told from the headers and the first byte, before a deployment begins.
func (s *Service) checkBody(r *http.Request) error {
	if r.ContentLength > s.cfg.MaxPackageBytes {
		return tooLarge(s.cfg.MaxPackageBytes)
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if !strings.EqualFold(media, "application/json") {
		return nil
	}
	// Clients send any content type with a zip, so only a document makes this a reference to a package.
	body := bufio.NewReader(r.Body)
	first, err := body.Peek(1)
	r.Body = readCloser{body, r.Body}
	if err == nil && first[0] == '{' {
		return azfunc.Errorf(azfunc.Invalid, "publishing from an address (packageUri) is not supported in this release; upload the zip as the body of the request")
	}
	return nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// answerAccepted answers an accepted deployment: 202 at once to those who poll, else when the rollout has ended it.
func (s *Service) answerAccepted(w http.ResponseWriter, r *http.Request, d store.Deployment, o options) {
	if !o.async {
		// The answer may take longer than the server gives ordinary ones.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.cfg.RolloutWait + time.Minute))
	}
	current, err := s.current(r, d.ID, o.async)
	if err != nil {
		writeError(w, r, err)
		return
	}
	w.Header().Set(headerDeployment, current.ID)
	body := s.result(r, current)
	switch {
	case o.async || !current.Complete():
		announce(w, r, current, o)
		writeJSON(w, http.StatusAccepted, body)
	case current.Status == store.StatusSuccess:
		writeJSON(w, http.StatusOK, body)
	default:
		writeJSON(w, http.StatusInternalServerError, failure{body, current.StatusText})
	}
}

func (s *Service) current(r *http.Request, id string, async bool) (store.Deployment, error) {
	app := targetOf(r).app
	if async {
		return s.store.Deployment(r.Context(), app.ID, id)
	}
	return s.await(r.Context(), app, id)
}

// announce says where the deployment is followed. The address carries its id besides what Kudu puts there, so that
// somebody else's next deployment is never taken for this one.
func announce(w http.ResponseWriter, r *http.Request, d store.Deployment, o options) {
	q := url.Values{"deployer": {o.deployer}, "time": {d.ReceivedAt.UTC().Format("2006-01-02_15-04-05Z")}, "id": {d.ID}}
	h := w.Header()
	h.Set("Location", targetOf(r).baseURL(r)+"/api/deployments/latest?"+q.Encode())
	h.Set("Retry-After", retryAfter)
	h.Set(headerDeployment, d.ID)
}
