package publish

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// router names the action of every route. The paths are those that routePath makes.
func (s *Service) router() http.Handler {
	r := chi.NewRouter()
	publish := func(h http.HandlerFunc) http.HandlerFunc { return s.require(identity.ActionPublish, h) }
	read := func(h http.HandlerFunc) http.HandlerFunc { return s.require(identity.ActionPublishRead, h) }

	for _, method := range []string{http.MethodPost, http.MethodPut} {
		r.Method(method, "/zipdeploy", publish(s.zipDeploy))
		r.Method(method, "/publish", publish(s.oneDeploy))
	}
	r.Post("/zipdeploy/validate", publish(s.validate))
	r.Put("/deployments/{id}", publish(s.redeploy))

	r.Get("/deployments", read(s.listDeployments))
	r.Get("/deployments/latest", read(s.latestDeployment))
	r.Get("/deployments/{id}", read(s.oneDeployment))
	r.Get("/deployments/{id}/log", read(s.deploymentLog))
	r.Get("/deployments/{id}/log/{entry}", read(s.deploymentLogEntry))
	r.Get("/isdeploying", read(s.isDeploying))
	r.Get("/environment", read(s.environment))
	r.Get("/functions", read(s.functions))
	r.Post("/functions/synctriggers", publish(s.syncTriggers))

	r.Get("/settings", s.require(identity.ActionPublishSettings, s.getSettings))
	r.Get("/settings/{key}", s.require(identity.ActionPublishSettings, s.getSetting))
	r.Post("/settings", s.require(identity.ActionPublishConfigure, s.postSettings))
	r.Delete("/settings/{key}", s.require(identity.ActionPublishConfigure, s.deleteSetting))

	for path, hint := range missing() {
		r.HandleFunc(path, s.require(identity.ActionPublish, unsupported(hint)))
	}
	r.NotFound(read(notFound))
	r.MethodNotAllowed(read(wrongMethod))
	return r
}

// missing is what Kudu has and this release has not, with the way out.
func missing() map[string]string {
	return map[string]string{
		"/command":       "running commands on the server is not in this release: an app's content is the package that was published",
		"/msdeploy.axd":  "Web Deploy is not in this release: publish with Zip Deploy (WebPublishMethod ZipDeploy in the publish profile)",
		"/logstream":     "the log stream is not in this release; why a version did not start is in /api/deployments/latest/log",
		"/logstream/*":   "the log stream is not in this release; why a version did not start is in /api/deployments/latest/log",
		"/dump":          "the log download is not in this release; why a version did not start is in /api/deployments/latest/log",
		"/zip/*":         "reading and writing single folders is not in this release: publish the whole app with zipdeploy",
		"/app/update":    "container images are not in this release: publish a zip",
		"/deploy":        "fetching from a repository is not in this release: publish a zip",
		"/triggeredjobs": "WebJobs are not in this release",
	}
}

func unsupported(hint string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		refuseUnread(w, r, lingerUnknown, azfunc.Errorf(azfunc.Unsupported, "%s", hint))
	}
}

func notFound(w http.ResponseWriter, r *http.Request) {
	refuseUnread(w, r, lingerUnknown, azfunc.Errorf(azfunc.NotFound, "No HTTP resource was found that matches the request path %s of the SCM site.", r.URL.Path))
}

func wrongMethod(w http.ResponseWriter, r *http.Request) {
	writeMessage(w, http.StatusMethodNotAllowed, "The requested resource does not support the method "+r.Method+".")
}
