package management

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// ServeHTTP routes without regard to case: chi sees the path in lower case, handlers see it as it came.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	inner := chi.NewRouteContext()
	inner.RoutePath = strings.ToLower(r.URL.EscapedPath())
	a.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, inner)))
}

func (a *API) serve(rt route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r}
		out, err := a.run(r.Context(), rt, c)
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		a.answer(w, r, out)
	}
}

// run takes a request through its route. Whatever is recorded is recorded before the answer goes out: nobody is told
// that something was done, or shown a secret, of which the audit does not know.
func (a *API) run(ctx context.Context, rt route, c *call) (reply, error) {
	var err error
	if c.params, err = paramsOf(rt.pattern, c.r.URL.EscapedPath()); err != nil {
		return reply{}, err
	}
	scope := scopeOf(c.params)
	if err := a.admit(ctx, rt, c, scope); err != nil {
		return reply{}, err
	}
	if apiVersion(c.r.URL.Query()) == "" {
		return reply{}, withCode("MissingApiVersionParameter", azfunc.Errorf(azfunc.Invalid,
			"The api-version query parameter (?api-version=) is required for all requests."))
	}
	out, err := rt.handle(a, ctx, c)
	if !identity.Recorded(rt.action) || rt.action == "" {
		return out, err
	}
	event := identity.Event{Action: rt.action, Scope: scope, Outcome: identity.OutcomeAllowed, Detail: c.detail}
	if err != nil {
		event.Outcome = identity.OutcomeFailed
	}
	if row := a.Gate.Record(ctx, c.principal, event); row != nil {
		return reply{}, errors.Join(row, err)
	}
	return out, err
}

// admit authenticates and authorizes. Both come before anything is looked up, so that a refusal is the same whether or
// not the resource exists.
func (a *API) admit(ctx context.Context, rt route, c *call, scope string) error {
	if rt.access == public {
		return nil
	}
	var err error
	if c.principal, err = a.Gate.Authenticate(c.r); err != nil {
		return err
	}
	if c.rights, err = a.Gate.RightsOf(ctx, c.principal); err != nil {
		return err
	}
	switch rt.access {
	case signedIn:
		return nil
	case listed:
		if c.rights.Sees(rt.action, scope) {
			return nil
		}
	}
	return a.Gate.Authorize(ctx, c.principal, rt.action, scope)
}

// answer writes a reply.
func (a *API) answer(w http.ResponseWriter, r *http.Request, out reply) {
	for name, value := range out.header {
		w.Header().Set(name, value)
	}
	status := max(out.status, http.StatusOK)
	body, media, err := encode(out)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	etag := out.etag
	if etag == "" && r.Method == http.MethodGet && body != nil {
		etag = etagOf(body)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if etag != "" {
		h.Set("ETag", etag)
	}
	if media != "" {
		h.Set("Content-Type", media)
	}
	if r.Method == http.MethodGet && anyTag(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func encode(out reply) (body []byte, media string, err error) {
	switch b := out.body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return b, out.media, nil
	}
	body, err = json.Marshal(out.body)
	return body, "application/json; charset=utf-8", err
}

func etagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// refuse answers with ARM's error body. What has no code of its own is told to the log only.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	httpserver.NoteError(r, err)
	code := azfunc.CodeOf(err)
	if code == azfunc.Unauthenticated {
		w.Header().Set("WWW-Authenticate", a.Gate.BearerChallenge())
	}
	status, name := httpserver.Status(code), armCode(code)
	if special, ok := errors.AsType[*armError](err); ok {
		name = special.code
		if special.status != 0 {
			status = special.status
		}
	}
	w.Header().Set("X-Ms-Error-Code", name)
	w.Header().Set("Cache-Control", "no-store")
	httpserver.WriteJSON(w, status, map[string]any{"error": map[string]any{"code": name, "message": azfunc.MessageOf(err)}})
}
