package management

import (
	"context"
	"regexp"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// filterTerm is one "name eq 'x'" of an OData filter, as the GitHub action and az write them.
var filterTerm = regexp.MustCompile(`(?i)\b(name|resourceType|resourceGroup)\s+eq\s+'([^']*)'`)

// queryTerm is one "| where name =~ 'x'" of a Resource Graph query, as func writes it.
var queryTerm = regexp.MustCompile(`(?i)\b(name|type)\s*=~\s*'([^']*)'`)

// resources lists the apps of a subscription as resources. Of the filter language, the terms above are understood;
// all must hold.
func (a *API) resources(ctx context.Context, c *call) (reply, error) {
	s, err := a.subscription(ctx, c)
	if err != nil {
		return reply{}, err
	}
	terms := termsOf(filterTerm, c.r.URL.Query().Get("$filter"))
	apps, err := a.appsLike(ctx, c, store.AppFilter{SubscriptionID: s.ID, ResourceGroup: terms["resourcegroup"]}, terms)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, app := range apps {
		items = append(items, map[string]any{
			"id": siteID(app), "name": app.Name, "type": siteType, "kind": app.Kind, "location": app.Location, "tags": app.Tags,
		})
	}
	return a.listReply(c, items, ""), nil
}

// queryResources answers the one question that func asks of Resource Graph: the id of the app with a name.
func (a *API) queryResources(ctx context.Context, c *call) (reply, error) {
	var in struct {
		Subscriptions []string `json:"subscriptions"`
		Query         string   `json:"query"`
	}
	if err := httpserver.ReadJSON(c.w, c.r, maxBody, &in); err != nil {
		return reply{}, err
	}
	terms := termsOf(queryTerm, in.Query)
	if len(in.Subscriptions) == 0 {
		in.Subscriptions = []string{""}
	}
	rows := [][]string{}
	for _, sub := range in.Subscriptions {
		apps, err := a.appsLike(ctx, c, store.AppFilter{SubscriptionID: sub}, terms)
		if err != nil {
			return reply{}, err
		}
		for _, app := range apps {
			rows = append(rows, []string{siteID(app)})
		}
	}
	return reply{body: map[string]any{
		"totalRecords": len(rows), "count": len(rows), "resultTruncated": "false", "facets": []any{},
		"data": map[string]any{"columns": []any{map[string]any{"name": "id", "type": "string"}}, "rows": rows},
	}}, nil
}

func termsOf(term *regexp.Regexp, text string) map[string]string {
	terms := map[string]string{}
	for _, m := range term.FindAllStringSubmatch(text, -1) {
		terms[strings.ToLower(m[1])] = m[2]
	}
	return terms
}

// appsLike returns all apps that the terms and the caller's rights let through.
func (a *API) appsLike(ctx context.Context, c *call, filter store.AppFilter, terms map[string]string) ([]store.App, error) {
	for _, kind := range []string{"type", "resourcetype"} {
		if wanted, ok := terms[kind]; ok && !strings.EqualFold(wanted, siteType) {
			return nil, nil
		}
	}
	var found []store.App
	page := store.Page{Limit: 1000}
	for {
		apps, next, err := a.Store.Apps(ctx, filter, page)
		if err != nil {
			return nil, err
		}
		for _, app := range apps {
			name, named := terms["name"]
			if (!named || strings.EqualFold(app.Name, name)) && c.mayRead(app) {
				found = append(found, app)
			}
		}
		if page.After = next; next == "" {
			return found, nil
		}
	}
}

// getPlan shows the plan that every app is in until plans can be made: az asks for it before it uploads.
func (a *API) getPlan(ctx context.Context, c *call) (reply, error) {
	g, err := a.group(ctx, c)
	if err != nil {
		return reply{}, err
	}
	if !strings.EqualFold(c.params["plan"], planName) {
		return reply{}, planNotFound(c.params["plan"])
	}
	return reply{body: planJSON(g)}, nil
}

func (a *API) listPlans(ctx context.Context, c *call) (reply, error) {
	g, err := a.group(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return a.listReply(c, []any{planJSON(g)}, ""), nil
}

func planJSON(g store.ResourceGroup) map[string]any {
	return map[string]any{
		"id":   "/subscriptions/" + g.SubscriptionID + "/resourceGroups/" + g.Name + "/providers/Microsoft.Web/serverfarms/" + planName,
		"name": planName, "type": "Microsoft.Web/serverfarms", "kind": "elastic", "location": g.Location,
		"sku": map[string]any{"name": "EP1", "tier": sku, "size": "EP1", "family": "EP", "capacity": 1},
		"properties": map[string]any{
			"name": planName, "status": "Ready", "resourceGroup": g.Name, "subscription": g.SubscriptionID, "reserved": false,
			"isXenon": false, "hyperV": false, "maximumNumberOfWorkers": 1, "provisioningState": "Succeeded",
		},
	}
}

// planAction is what reading a plan is authorized as: who sees something in the group sees its plan.
const planAction = identity.ActionReadSite
