package identity

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
)

// BasicChallenge is the WWW-Authenticate header of an SCM answer to somebody who is not signed in.
const BasicChallenge = `Basic realm="site"`

// BearerChallenge is the WWW-Authenticate header of an ARM answer to somebody who is not signed in: it tells where
// to get a token.
func (s *Service) BearerChallenge() string {
	return `Bearer authorization_uri="` + s.LoginEndpoint() + `", error="invalid_token", error_description="The access token is missing or not good."`
}

// Authenticate returns the user whose bearer token the request brings. The error is Unauthenticated when there is
// none, it is not good, it was asked for another resource, or the user is gone, disabled or has a new password.
func (s *Service) Authenticate(r *http.Request) (Principal, error) {
	nobody := Principal{Kind: KindAnonymous, Address: addressOf(r)}
	scheme, token := splitAuthorization(r.Header.Get("Authorization"))
	if scheme != schemeBearer {
		return nobody, azfunc.Errorf(azfunc.Unauthenticated, "this needs a bearer token; sign in at %s", s.LoginEndpoint())
	}
	c, err := s.tokens.check(token, useAccess)
	if err != nil {
		return nobody, err
	}
	if !s.tokens.forUs(c) {
		return nobody, azfunc.Errorf(azfunc.Unauthenticated, "the token is for %q, not for this installation; ask for one for %s", strings.Join(c.Audience, ", "), s.Audience())
	}
	user, err := s.store.UserByID(r.Context(), c.Subject)
	if err != nil && azfunc.CodeOf(err) != azfunc.NotFound {
		return nobody, err
	}
	if err != nil || user.Disabled || c.Stamp != stampOf(user) {
		return nobody, azfunc.Errorf(azfunc.Unauthenticated, "the token is of a user who is gone, disabled or has a new password; sign in again")
	}
	return Principal{ID: user.ID, Name: user.Name, Kind: KindUser, Address: nobody.Address}, nil
}

// AuthenticateSCM returns who publishes to an app: the app's publishing credentials by Basic (user $<app>), or a user
// by bearer token. The error is Unauthenticated; whether the app exists cannot be told from it.
func (s *Service) AuthenticateSCM(r *http.Request, app string) (Principal, error) {
	scheme, credentials := splitAuthorization(r.Header.Get("Authorization"))
	if scheme == schemeBearer {
		return s.Authenticate(r)
	}
	nobody := Principal{Kind: KindAnonymous, Address: addressOf(r)}
	if scheme != schemeBasic {
		return nobody, azfunc.Errorf(azfunc.Unauthenticated, "this needs the publishing credentials of the app, or a bearer token")
	}
	name, password, ok := parseBasic(credentials)
	found, err := s.store.App(r.Context(), app)
	if err != nil && azfunc.CodeOf(err) != azfunc.NotFound {
		return nobody, err
	}
	good := keys.Equal(password, found.PublishPassword) && password != ""
	if err == nil && ok && good && strings.EqualFold(publisherOf(name), found.Name) {
		return Principal{Name: "$" + found.Name, Kind: KindPublisher, App: found.Name, Address: nobody.Address}, nil
	}
	s.noteBadPublisher(r, app, name)
	return nobody, azfunc.Errorf(azfunc.Unauthenticated, "the publishing credentials are wrong; download the publish profile of the app again")
}

// noteBadPublisher records wrong publishing credentials, but not each one of a client that goes on trying.
func (s *Service) noteBadPublisher(r *http.Request, app, name string) {
	nobody := Principal{Name: name, Kind: KindAnonymous, Address: addressOf(r)}
	if s.throttle.Begin("scm "+app, nobody.Address) > 0 {
		return
	}
	s.note(r.Context(), nobody, Event{Action: ActionPublish, Scope: Root, Outcome: OutcomeRefused, Detail: "wrong publishing credentials for app " + bounded(app, maxAuditName)})
}

const (
	schemeBearer = "bearer"
	schemeBasic  = "basic"
)

// splitAuthorization splits an Authorization header into the scheme in lower case and the credentials.
func splitAuthorization(header string) (scheme, credentials string) {
	scheme, credentials, _ = strings.Cut(strings.TrimSpace(header), " ")
	return strings.ToLower(scheme), strings.TrimSpace(credentials)
}

// parseBasic reads Basic credentials (RFC 7617).
func parseBasic(credentials string) (user, password string, ok bool) {
	raw, err := base64.StdEncoding.DecodeString(credentials)
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(raw), ":")
}

// publisherOf returns the app of a publishing user name, "$app" or as in FTP profiles "app\$app"; "" when it is none.
func publisherOf(name string) string {
	if site, user, ok := strings.Cut(name, `\`); ok && strings.EqualFold("$"+site, user) {
		name = user
	}
	app, ok := strings.CutPrefix(name, "$")
	if !ok {
		return ""
	}
	return app
}
