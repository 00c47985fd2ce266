package publish

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// Guard knows callers and their rights; manager/identity is one.
type Guard interface {
	// AuthenticateSCM takes an app's publishing credentials (Basic) or an access token (Bearer). It answers the same
	// for a wrong password and an app that does not exist.
	AuthenticateSCM(r *http.Request, app string) (identity.Principal, error)
	Authorize(ctx context.Context, p identity.Principal, action, scope string) error
	// Record appends to the audit what was done, or allowed and failed.
	Record(ctx context.Context, p identity.Principal, e identity.Event) error
}

// How much of a refused upload is read before the connection is closed. A client that is still sending sees a broken
// connection instead of the answer, so the rest is swallowed within these bounds.
const (
	lingerKnown   = 10 * time.Second
	lingerUnknown = 2 * time.Second
)

// require lets a request through to next when its caller may do the action on the app.
func (s *Service) require(action string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		secure(w)
		t, err := s.admit(r, action)
		if err == nil {
			next(w, withTarget(r, t))
			return
		}
		if azfunc.CodeOf(err) == azfunc.Unauthenticated {
			w.Header().Set("WWW-Authenticate", `Basic realm="site"`)
		}
		refuseUnread(w, r, lingerUnknown, err)
	}
}

func (s *Service) admit(r *http.Request, action string) (target, error) {
	t := targetOf(r)
	var err error
	if t.who, err = s.guard.AuthenticateSCM(r, t.name); err != nil {
		return t, err
	}
	if err := s.sameSite(r); err != nil {
		return t, err
	}
	if t.app, err = s.store.App(r.Context(), t.name); err != nil {
		return t, err
	}
	return t, s.guard.Authorize(r.Context(), t.who, action, scope(t.app))
}

// sameSite refuses what a browser sends on behalf of another site: it adds remembered Basic credentials by itself,
// so any page could publish. A bearer token is never added by a browser.
func (s *Service) sameSite(r *http.Request) error {
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	if err := s.cross.Check(r); err != nil {
		return azfunc.Errorf(azfunc.Forbidden, "a browser may not send this with publishing credentials from another site: %w", err)
	}
	return nil
}

// audit records an action that was allowed, and how it went. Its own failure counts only where the caller says so: a
// secret is not shown without a row, but what has been done has been done.
func (s *Service) audit(r *http.Request, action, detail string, done error) error {
	t := targetOf(r)
	event := identity.Event{Action: action, Scope: scope(t.app), Outcome: identity.OutcomeAllowed, Detail: detail}
	if done != nil {
		event.Outcome = identity.OutcomeFailed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), endTimeout) // the client may have gone
	defer cancel()
	err := s.guard.Record(ctx, t.who, event)
	if err != nil {
		s.log.Error().Err(err).Str("app", t.name).Str("action", action).Msg("audit row not written")
	}
	return err
}

// refuseUnread is writeError for a request whose body may not have been read.
func refuseUnread(w http.ResponseWriter, r *http.Request, linger time.Duration, err error) {
	answerUnread(w, r, linger, func() { writeError(w, r, err) })
}

// answerUnread answers at once, before the body is read, and then swallows what the client is still sending.
func answerUnread(w http.ResponseWriter, r *http.Request, linger time.Duration, answer func()) {
	rc := http.NewResponseController(w)
	if r.ContentLength == 0 || r.ProtoMajor != 1 || rc.EnableFullDuplex() != nil { // HTTP/2 cancels the body by itself
		answer()
		return
	}
	w.Header().Set("Connection", "close")
	answer()
	// A client that asked for "100 Continue" sends nothing after a final answer.
	if r.Header.Get("Expect") != "" || rc.Flush() != nil || rc.SetReadDeadline(time.Now().Add(linger)) != nil {
		return
	}
	// It ends at the end of the body, or when we have lingered enough; the connection is closed either way.
	_, _ = io.Copy(io.Discard, r.Body)
}
