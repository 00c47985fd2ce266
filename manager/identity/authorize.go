package identity

import (
	"context"
	"fmt"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// Authorize returns nil when the principal may do the action on the scope, by a role on the scope or on one that
// holds it. The error is Unauthenticated for nobody and Forbidden for others, and is recorded in the audit; it says
// nothing of whether the resource exists.
func (s *Service) Authorize(ctx context.Context, p Principal, action, scope string) error {
	rights, err := s.RightsOf(ctx, p)
	if err != nil {
		return err
	}
	if rights.Allow(action, scope) {
		return nil
	}
	if p.Kind != KindUser && p.Kind != KindPublisher {
		return azfunc.Errorf(azfunc.Unauthenticated, "this needs a signed-in user")
	}
	s.note(ctx, p, Event{Action: action, Scope: scope, Outcome: OutcomeRefused})
	return azfunc.Errorf(azfunc.Forbidden, "%q may not do %q on %q; ask an owner of it for a role that can", p.Name, action, CleanScope(scope))
}

// Rights are a principal's roles at one moment: good for one request, for example to leave out of a list what the
// caller may not read.
type Rights struct{ roles []store.RoleAssignment }

// RightsOf reads a principal's roles. Publishing credentials have one: publishing to their app.
func (s *Service) RightsOf(ctx context.Context, p Principal) (Rights, error) {
	if p.Kind == KindPublisher && p.App != "" {
		return s.publisherRights(ctx, p.App)
	}
	if p.Kind != KindUser || p.ID == "" {
		return Rights{}, nil
	}
	roles, err := s.store.RoleAssignments(ctx, p.ID)
	if err != nil {
		return Rights{}, fmt.Errorf("read the roles of user %q: %w", p.Name, err)
	}
	return Rights{roles}, nil
}

func (s *Service) publisherRights(ctx context.Context, name string) (Rights, error) {
	app, err := s.store.App(ctx, name)
	if err != nil {
		return Rights{}, fmt.Errorf("read app %q: %w", name, err)
	}
	scope := SiteScope(app.SubscriptionID, app.ResourceGroup, app.Name)
	return Rights{[]store.RoleAssignment{{Role: publisher, Scope: scope}}}, nil
}

// Allow reports whether a role allows the action on the scope.
func (r Rights) Allow(action, scope string) bool {
	for _, a := range r.roles {
		if Within(scope, a.Scope) && RoleAllows(a.Role, action) {
			return true
		}
	}
	return false
}

// Sees reports whether a role allows the action on the scope or on something in it: a member of one app sees the
// subscription and the group that it lies in, but not their other content.
func (r Rights) Sees(action, scope string) bool {
	for _, a := range r.roles {
		if (Within(scope, a.Scope) || Within(a.Scope, scope)) && RoleAllows(a.Role, action) {
			return true
		}
	}
	return false
}
