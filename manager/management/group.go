package management

import (
	"context"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

const groupNotFound = "ResourceGroupNotFound"

func (a *API) listGroups(ctx context.Context, c *call) (reply, error) {
	page, err := c.pageOf()
	if err != nil {
		return reply{}, err
	}
	s, err := a.subscription(ctx, c)
	if err != nil {
		return reply{}, err
	}
	all, next, err := a.Store.ResourceGroups(ctx, s.ID, page)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, g := range all {
		if c.rights.Sees(identity.ActionReadGroup, identity.GroupScope(g.SubscriptionID, g.Name)) {
			items = append(items, groupJSON(g))
		}
	}
	return a.listReply(c, items, next), nil
}

func (a *API) group(ctx context.Context, c *call) (store.ResourceGroup, error) {
	g, err := a.Store.ResourceGroup(ctx, c.params["sub"], c.params["group"])
	return g, notFoundAs(groupNotFound, err)
}

func (a *API) getGroup(ctx context.Context, c *call) (reply, error) {
	g, err := a.group(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{body: groupJSON(g)}, nil
}

// headGroup answers 204 or 404: az takes 200 for an error.
func (a *API) headGroup(ctx context.Context, c *call) (reply, error) {
	_, err := a.group(ctx, c)
	return reply{status: http.StatusNoContent}, err
}

func (a *API) putGroup(ctx context.Context, c *call) (reply, error) {
	var in struct {
		Location string `json:"location"`
	}
	if err := httpserver.ReadJSON(c.w, c.r, maxBody, &in); err != nil {
		return reply{}, err
	}
	g := store.ResourceGroup{SubscriptionID: c.params["sub"], Name: c.params["group"], Location: in.Location}
	if g.Location == "" {
		g.Location = location
	}
	if err := validateGroupName(g.Name); err != nil {
		return reply{}, err
	}
	before, err := a.group(ctx, c)
	if err != nil && azfunc.CodeOf(err) != azfunc.NotFound {
		return reply{}, err
	}
	tag, status := "", http.StatusCreated
	if err == nil {
		tag, status = groupTag(before), http.StatusOK
	}
	if err := c.matches(tag, "the resource group "+g.Name); err != nil {
		return reply{}, err
	}
	if err := a.Store.PutResourceGroup(ctx, g); err != nil {
		return reply{}, notFoundAs("SubscriptionNotFound", err)
	}
	after, err := a.group(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{status: status, body: groupJSON(after), etag: groupTag(after)}, nil
}

// deleteGroup removes an empty group. Azure would delete the apps in it too; here each one has to be deleted by name,
// so that a slip of the hand does not take all of a team's apps.
func (a *API) deleteGroup(ctx context.Context, c *call) (reply, error) {
	g, err := a.group(ctx, c)
	if err != nil {
		return reply{}, err
	}
	if err := c.matches(groupTag(g), "the resource group "+g.Name); err != nil {
		return reply{}, err
	}
	return reply{}, a.Store.DeleteResourceGroup(ctx, g.SubscriptionID, g.Name)
}

func groupTag(g store.ResourceGroup) string {
	body, _, err := encode(reply{body: groupJSON(g)})
	if err != nil {
		return ""
	}
	return etagOf(body)
}

func groupJSON(g store.ResourceGroup) map[string]any {
	return map[string]any{
		"id": "/subscriptions/" + g.SubscriptionID + "/resourceGroups/" + g.Name, "name": g.Name,
		"type": "Microsoft.Resources/resourceGroups", "location": g.Location, "tags": map[string]string{},
		"properties": map[string]any{"provisioningState": "Succeeded"},
	}
}

// validateGroupName holds Azure's rule: 1 to 90 letters, digits, _ - . ( ), no dot at the end.
func validateGroupName(name string) error {
	bad := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.()", r)
	})
	if bad || name == "" || len(name) > 90 || strings.HasSuffix(name, ".") {
		return withCode("InvalidResourceGroup", azfunc.Errorf(azfunc.Invalid,
			"%.100q is not a name for a resource group: use 1 to 90 letters (a-z), digits and _ - . ( ), with no dot at the end", name))
	}
	return nil
}
