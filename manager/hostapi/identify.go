package hostapi

import (
	"context"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// caller is the instance that a call comes from and its app.
type caller struct {
	Instance
	app store.App
}

type callerKey struct{}

func callerOf(r *http.Request) caller {
	c, _ := r.Context().Value(callerKey{}).(caller)
	return c
}

// identify lets only instances through. It comes before routing, so that without a token nothing can be learnt.
func (s *Service) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		c, err := s.caller(r)
		if err != nil {
			httpserver.WriteError(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	})
}

func (s *Service) caller(r *http.Request) (caller, error) {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return caller{}, azfunc.Errorf(azfunc.Unauthenticated, "the worker link needs the instance's token: Authorization: Bearer <token>")
	}
	instance, err := s.verifier.Verify(r.Context(), token)
	if err != nil {
		return caller{}, err
	}
	if instance.ID == "" || instance.App == "" || instance.Revision < 1 {
		return caller{}, azfunc.Errorf(azfunc.Unauthenticated, "the token does not name an instance of a revision")
	}
	app, err := s.store.App(r.Context(), instance.App)
	return caller{instance, app}, err
}

func notFound(w http.ResponseWriter, r *http.Request) {
	httpserver.WriteError(w, r, azfunc.Errorf(azfunc.NotFound, "the worker link has no %s %s; worker and manager are of versions that do not fit", r.Method, r.URL.Path))
}
