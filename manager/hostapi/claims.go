package hostapi

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
)

// The limits of claims.
const (
	maxClaim     = 16 << 10
	maxAhead     = 5 * time.Minute // of a due time or a record's time before our clock
	maxLeaseName = 200
	maxLeaseTTL  = 5 * time.Minute
)

func (s *Service) getSchedule(w http.ResponseWriter, r *http.Request) {
	function, err := functionParam(r)
	if err != nil {
		httpserver.WriteError(w, r, err)
		return
	}
	last, err := s.store.LastOccurrence(r.Context(), callerOf(r).app.ID, function)
	if err != nil {
		httpserver.WriteError(w, r, err)
		return
	}
	httpserver.WriteJSON(w, http.StatusOK, link.Schedule{Last: last})
}

// postOccurrence gives a due time to the caller, or says that it is taken. Whoever gets it fires.
func (s *Service) postOccurrence(w http.ResponseWriter, r *http.Request) {
	var claim link.Occurrence
	function, err := functionParam(r)
	if err == nil {
		err = httpserver.ReadJSON(w, r, maxClaim, &claim)
	}
	if err == nil {
		err = s.claim(r.Context(), callerOf(r), function, claim)
	}
	done(w, r, http.StatusCreated, err)
}

func (s *Service) claim(ctx context.Context, c caller, function string, claim link.Occurrence) error {
	if err := c.own(claim.InstanceID); err != nil {
		return err
	}
	// A claim from the future would make the times until then look missed.
	if ahead := claim.Due.Sub(s.cfg.Now()); claim.Due.IsZero() || ahead > maxAhead {
		return azfunc.Errorf(azfunc.Invalid, "%s is not a due time: it is missing or more than %s ahead of the manager's clock; check the node's clock", claim.Due.Format(time.RFC3339), maxAhead)
	}
	if len(claim.Attempt) > maxID {
		return azfunc.Errorf(azfunc.Invalid, "an attempt's name has at most %d characters", maxID)
	}
	if err := s.mustBeActive(ctx, c); err != nil {
		return err
	}
	if claim.Attempt == "" {
		claim.Attempt = uuid.NewString() // it cannot be repeated
	}
	return s.store.ClaimOccurrence(ctx, c.app.ID, function, claim.Due, c.ID+"/"+claim.Attempt)
}

func functionParam(r *http.Request) (string, error) {
	name, err := param(r, "function")
	if err == nil {
		err = azfunc.ValidateFunctionName(name)
	}
	return name, err
}

func (s *Service) postLease(w http.ResponseWriter, r *http.Request) {
	s.lease(w, r, http.StatusCreated, s.store.TakeLease)
}

func (s *Service) putLease(w http.ResponseWriter, r *http.Request) {
	s.lease(w, r, http.StatusOK, s.store.RenewLease)
}

// lease takes or renews. Leases are the app's, not the revision's: a singleton stays one across a rollout.
func (s *Service) lease(w http.ResponseWriter, r *http.Request, status int,
	act func(ctx context.Context, appID, name, owner string, ttl time.Duration) error,
) {
	var ask link.LeaseRequest
	name, err := leaseParam(r)
	if err == nil {
		err = httpserver.ReadJSON(w, r, maxClaim, &ask)
	}
	if err == nil {
		err = checkLease(ask)
	}
	if err == nil {
		err = act(r.Context(), callerOf(r).app.ID, name, ask.Owner, time.Duration(ask.TTLSeconds)*time.Second)
	}
	done(w, r, status, err)
}

func checkLease(ask link.LeaseRequest) error {
	if err := checkOwner(ask.Owner); err != nil {
		return err
	}
	if most := int(maxLeaseTTL / time.Second); ask.TTLSeconds < 1 || ask.TTLSeconds > most {
		return azfunc.Errorf(azfunc.Invalid, "a lease lasts 1 to %d seconds, not %d", most, ask.TTLSeconds)
	}
	return nil
}

func (s *Service) deleteLease(w http.ResponseWriter, r *http.Request) {
	name, err := leaseParam(r)
	owner := r.URL.Query().Get("owner")
	if err == nil {
		err = checkOwner(owner)
	}
	if err == nil {
		err = s.store.ReleaseLease(r.Context(), callerOf(r).app.ID, name, owner)
	}
	done(w, r, http.StatusNoContent, err)
}

func checkOwner(owner string) error {
	if owner != "" && len(owner) <= maxID {
		return nil
	}
	return azfunc.Errorf(azfunc.Invalid, "a lease needs an owner of 1 to %d characters", maxID)
}

func leaseParam(r *http.Request) (string, error) {
	name, err := param(r, "name")
	if err != nil {
		return "", err
	}
	if name == "" || len(name) > maxLeaseName || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' }) {
		return "", azfunc.Errorf(azfunc.Invalid, "a lease's name has 1 to %d printable characters", maxLeaseName)
	}
	return name, nil
}
