package management

import (
	"context"
	"time"

	"github.com/nightshift-functions/nightshift/internal/store"
)

func (a *API) listDeployments(ctx context.Context, c *call) (reply, error) {
	page, err := c.pageOf()
	if err != nil {
		return reply{}, err
	}
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	all, next, err := a.Store.Deployments(ctx, app.ID, page)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, d := range all {
		items = append(items, deploymentJSON(app, d))
	}
	return a.listReply(c, items, next), nil
}

func (a *API) getDeployment(ctx context.Context, c *call) (reply, error) {
	app, d, err := a.deployment(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{body: deploymentJSON(app, d)}, nil
}

func (a *API) deployment(ctx context.Context, c *call) (store.App, store.Deployment, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return app, store.Deployment{}, err
	}
	d, err := a.Store.Deployment(ctx, app.ID, c.params["deployment"])
	return app, d, err
}

// deploymentLog is a page of a deployment's lines, in the shape of Kudu's entries.
func (a *API) deploymentLog(ctx context.Context, c *call) (reply, error) {
	page, err := c.pageOf()
	if err != nil {
		return reply{}, err
	}
	_, d, err := a.deployment(ctx, c)
	if err != nil {
		return reply{}, err
	}
	lines, next, err := a.Store.DeploymentLogs(ctx, d.ID, page)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, l := range lines {
		items = append(items, map[string]any{
			"id": l.ID, "log_time": timeOrNull(l.At), "message": l.Message, "type": l.Type, "details_url": nil,
		})
	}
	return a.listReply(c, items, next), nil
}

func deploymentJSON(app store.App, d store.Deployment) map[string]any {
	return envelope(app, "deployments/"+d.ID, d.ID, "deployments", map[string]any{
		"id": d.ID, "status": d.Status, "status_text": d.StatusText, "message": d.Message, "progress": d.Progress,
		"author": d.Author, "author_email": d.AuthorEmail, "deployer": d.Deployer, "received_time": timeOrNull(d.ReceivedAt),
		"start_time": timeOrNull(d.StartedAt), "end_time": timeOrNull(d.EndedAt), "active": d.Active, "complete": d.Complete(),
		"details": siteID(app) + "/deployments/" + d.ID + "/log", "provisioningState": provisioningState(d),
		"nightshift": map[string]any{"revision": d.Revision, "packageSha256": d.PackageSHA256},
	})
}

func provisioningState(d store.Deployment) string {
	switch d.Status {
	case store.StatusSuccess:
		return "Succeeded"
	case store.StatusFailed:
		return "Failed"
	}
	return "InProgress"
}

// timeOrNull is a time in ISO 8601, null when it has not come yet.
func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}
