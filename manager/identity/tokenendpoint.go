package identity

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

// authorityPath is the path of the authority. MSAL takes an authority whose path begins with adfs for AD FS.
const authorityPath = "/adfs"

const maxTokenRequest = 64 << 10

// Handler serves the authority; mount it on /adfs.
func (s *Service) Handler() http.Handler {
	r := chi.NewRouter()
	r.Get("/.well-known/openid-configuration", s.discovery)
	r.Get("/discovery/keys", s.keySet)
	r.Post("/oauth2/token", s.token)
	r.HandleFunc("/oauth2/authorize", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, oauthError{http.StatusNotImplemented, "unsupported_response_type",
			"signing in through the browser is not in this release; use: az login --username <name> --password <password>"})
	})
	return r
}

// discovery answers as OpenID Connect Discovery asks. MSAL wants both endpoints to be there even if it uses only one.
func (s *Service) discovery(w http.ResponseWriter, _ *http.Request) {
	base := s.LoginEndpoint()
	httpserver.WriteJSON(w, http.StatusOK, map[string]any{
		"issuer":                                base,
		"authorization_endpoint":                base + "/oauth2/authorize",
		"token_endpoint":                        base + "/oauth2/token",
		"jwks_uri":                              base + "/discovery/keys",
		"grant_types_supported":                 []string{"password", "refresh_token"},
		"response_types_supported":              []string{"code"},
		"scopes_supported":                      []string{"openid", "profile", "offline_access"},
		"subject_types_supported":               []string{"public"},
		"token_endpoint_auth_methods_supported": []string{"none"},
		"id_token_signing_alg_values_supported": []string{algorithm().Alg()},
	})
}

func (s *Service) keySet(w http.ResponseWriter, r *http.Request) {
	set, err := s.tokens.publicKeySet()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	httpserver.WriteJSON(w, http.StatusOK, set)
}

// oauthError is an error answer of RFC 6749, 5.2.
type oauthError struct {
	status int
	code   string
	text   string
}

// Error returns the description.
func (e oauthError) Error() string { return e.text }

type tokenAnswer struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	ExtExpiresIn int    `json:"ext_expires_in"`
	Resource     string `json:"resource"`
	Scope        string `json:"scope"`
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token"`
}

func (s *Service) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	if r.TLS == nil && !fromLoopback(r) {
		s.refuse(w, r, oauthError{http.StatusForbidden, "invalid_request", "passwords and tokens go over https only; use " + s.publicURL})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxTokenRequest)
	if err := r.ParseForm(); err != nil {
		s.refuse(w, r, oauthError{http.StatusBadRequest, "invalid_request", "the request is not a form of reasonable size"})
		return
	}
	answer, err := s.grant(r, r.PostForm)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	httpserver.WriteJSON(w, http.StatusOK, answer)
}

func (s *Service) grant(r *http.Request, form url.Values) (tokenAnswer, error) {
	client := strings.ToLower(form.Get("client_id"))
	if !s.clients[client] {
		return tokenAnswer{}, oauthError{http.StatusUnauthorized, "invalid_client",
			fmt.Sprintf("client_id %q is not known here; our own is %q", bounded(client, maxAuditName), PortalClientID)}
	}
	audience, err := audienceOf(form, s.Audience())
	if err != nil {
		return tokenAnswer{}, err
	}
	g := grantFor{client: client, audience: audience}
	switch form.Get("grant_type") {
	case "password":
		g.user, err = s.SignIn(r.Context(), form.Get("username"), form.Get("password"), addressOf(r))
		g.until = s.now().Add(refreshLife)
	case "refresh_token":
		g.user, g.until, err = s.refresh(r.Context(), form.Get("refresh_token"), client)
	default:
		err = oauthError{http.StatusBadRequest, "unsupported_grant_type", "grant_type is password or refresh_token"}
	}
	if err != nil {
		return tokenAnswer{}, err
	}
	return s.answer(g)
}

func (s *Service) answer(g grantFor) (tokenAnswer, error) {
	a := tokenAnswer{
		TokenType: "Bearer", ExpiresIn: int(accessLife / time.Second), ExtExpiresIn: int(accessLife / time.Second),
		Resource: g.audience, Scope: "openid profile offline_access " + g.audience + "/.default",
	}
	for use, into := range map[string]*string{useAccess: &a.AccessToken, useRefresh: &a.RefreshToken, useID: &a.IDToken} {
		token, err := s.tokens.issue(g, use)
		if err != nil {
			return tokenAnswer{}, err
		}
		*into = token
	}
	return a, nil
}

// audienceOf returns the resource that a token is asked for: "resource" as it is, or the one scope that ends in a
// permission. Azure's SDKs put "/.default" behind an audience that ends in a slash itself, hence "//.default".
func audienceOf(form url.Values, fallback string) (string, error) {
	audience := form.Get("resource")
	for _, scope := range strings.Fields(form.Get("scope")) {
		if audience != "" {
			break
		}
		switch scope {
		case "openid", "profile", "offline_access", "email":
			continue
		}
		if at := strings.LastIndexByte(scope, '/'); at > 0 && !strings.HasSuffix(scope[:at], ":/") {
			audience = scope[:at]
		}
	}
	if audience == "" {
		return fallback, nil
	}
	u, err := url.Parse(audience)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(audience) > 256 {
		return "", oauthError{http.StatusBadRequest, "invalid_resource", fmt.Sprintf("%q is not the address of a resource; ours is %s", bounded(audience, maxAuditName), fallback)}
	}
	return audience, nil
}

// refuse answers in OAuth's words. What a user cannot know stays in the log.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	httpserver.NoteError(r, err)
	answer, ok := errors.AsType[oauthError](err)
	if !ok {
		answer = oauthErrorOf(err)
	}
	if soon, ok := errors.AsType[TooSoonError](err); ok {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(soon.Wait.Seconds()))))
	}
	httpserver.WriteJSON(w, answer.status, map[string]any{
		"error": answer.code, "error_description": answer.text,
		"correlation_id": httpserver.CorrelationIDFrom(r.Context()),
	})
}

func oauthErrorOf(err error) oauthError {
	switch azfunc.CodeOf(err) {
	case azfunc.Unauthenticated:
		return oauthError{http.StatusBadRequest, "invalid_grant", azfunc.MessageOf(err)}
	case azfunc.Unavailable:
		return oauthError{http.StatusTooManyRequests, "temporarily_unavailable", azfunc.MessageOf(err)}
	}
	return oauthError{http.StatusInternalServerError, "server_error", azfunc.MessageOf(err)}
}
