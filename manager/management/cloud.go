package management

import (
	"context"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// tenantID is the one tenant. With AD FS, clients use the word and not the id, but ARM's shapes want one.
const tenantID = "00000000-0000-0000-0000-000000000001"

// location is the one place that there is.
const location = "local"

// endpoints answers what az asks on "az cloud register". The authority ends in /adfs, which is why az never asks
// Microsoft about it; the audience is what tokens are asked for.
func (a *API) endpoints(context.Context, *call) (reply, error) {
	base := a.addresses.Management
	return reply{body: map[string]any{
		"galleryEndpoint": base + "/", "graphEndpoint": base + "/", "portalEndpoint": base + "/",
		"authentication": map[string]any{"loginEndpoint": base + "/adfs", "audiences": []string{base + "/"}},
	}}, nil
}

func (a *API) tenants(_ context.Context, c *call) (reply, error) {
	return a.listReply(c, []any{map[string]any{
		"id": "/tenants/" + tenantID, "tenantId": tenantID, "displayName": "Nightshift", "tenantCategory": "Home",
	}}, ""), nil
}

// listSubscriptions leaves out those in which the caller has no role at all.
func (a *API) listSubscriptions(ctx context.Context, c *call) (reply, error) {
	page, err := c.pageOf()
	if err != nil {
		return reply{}, err
	}
	all, next, err := a.Store.Subscriptions(ctx, page)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, s := range all {
		if c.rights.Sees(identity.ActionReadSubscription, identity.SubscriptionScope(s.ID)) {
			items = append(items, subscriptionJSON(s))
		}
	}
	return a.listReply(c, items, next), nil
}

func (a *API) getSubscription(ctx context.Context, c *call) (reply, error) {
	s, err := a.subscription(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{body: subscriptionJSON(s)}, nil
}

func (a *API) subscription(ctx context.Context, c *call) (store.Subscription, error) {
	s, err := a.Store.Subscription(ctx, c.params["sub"])
	return s, notFoundAs("SubscriptionNotFound", err)
}

func subscriptionJSON(s store.Subscription) map[string]any {
	return map[string]any{
		"id": "/subscriptions/" + s.ID, "subscriptionId": s.ID, "tenantId": tenantID, "displayName": s.Name,
		"state": "Enabled", "authorizationSource": "RoleBased",
		"subscriptionPolicies": map[string]any{"locationPlacementId": location, "quotaId": "None", "spendingLimit": "Off"},
	}
}

func (a *API) locations(ctx context.Context, c *call) (reply, error) {
	s, err := a.subscription(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return a.listReply(c, []any{map[string]any{
		"id": "/subscriptions/" + s.ID + "/locations/" + location, "name": location, "displayName": location,
		"regionalDisplayName": location, "metadata": map[string]any{"regionType": "Physical"},
	}}, ""), nil
}
