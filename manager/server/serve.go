package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/hostapi"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

func (s *Server) buildLink(gatewayKey string) error {
	var err error
	s.link, err = hostapi.New(hostapi.Config{
		GatewayKeys: func() []string { return []string{gatewayKey} },
		PublicURL:   func(app string) string { return s.where.AppHTTP + "/" + app },
		EnsureFunctionKeys: func(ctx context.Context, appID string, functions []string) error {
			return identity.EnsureFunctionKeys(ctx, s.store, appID, functions)
		},
		Limits: link.Limits{},
	}, s.store, s.jobs, s.log)
	if err != nil {
		return err
	}
	// At once: instances that start before Serve must find it.
	s.faces.link.serve(s.link)
	return nil
}

// serve puts the roles' handlers on the faces.
func (s *Server) serve() {
	manage := s.managementRouter()
	s.faces.http.serve(s.withSCMHosts(manage))
	s.faces.https.serve(s.withSCMHosts(manage))
	s.faces.appHTTP.serve(s.gateway)
	s.faces.appHTTPS.serve(s.gateway)
}

func (s *Server) managementRouter() http.Handler {
	r := httpserver.NewRouter(httpserver.RouterConfig{Face: "management", Logger: s.log, Registerer: s.registry, KeepSlash: keepSlash})
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		httpserver.WriteJSON(w, http.StatusOK, map[string]string{"status": "up"})
	})
	r.Get("/readyz", s.readyz)
	r.Handle("/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	r.Mount("/adfs", s.identity.Handler())
	r.Handle("/scm/*", s.publish)
	r.Get("/", s.home)
	s.management.Mount(r)
	return r
}

// keepSlash: a folder of vfs ends in a slash.
func keepSlash(path string) bool {
	return strings.Contains(path, "/api/vfs/") || strings.Contains(path, "/vfs/")
}

// home says where things are until the portal is there.
func (s *Server) home(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("Nightshift manager.\n\nManagement API (ARM): /subscriptions/...\nSign-in: /adfs\nPublish endpoint: /scm/<app>\nApps: " +
		s.where.AppHTTP + "/<app>\n"))
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := errors.Join(s.store.Ping(r.Context())); err != nil || !s.ready.ok.Load() || !s.discovery.Ready() {
		httpserver.WriteJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "not ready"})
		return
	}
	httpserver.WriteJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}

// withSCMHosts sends <app>.scm.<domain> to the publish role and everything else to the management face.
func (s *Server) withSCMHosts(manage http.Handler) http.Handler {
	suffix := ".scm." + strings.ToLower(s.cfg.Domain)
	router := chi.NewRouter()
	router.HandleFunc("/*", func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
		if app, ok := strings.CutSuffix(host, suffix); ok {
			s.publish.HostForm(app).ServeHTTP(w, r)
			return
		}
		manage.ServeHTTP(w, r)
	})
	return router
}

// RestartApp rolls the desired revision out anew as a revision of its own, so that a restart loses no request.
func (s *Server) RestartApp(ctx context.Context, app store.App) error {
	_, err := s.store.RenewRevision(ctx, app.ID)
	return err
}
