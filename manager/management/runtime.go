package management

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// silentAfter is how long after its last heartbeat an instance's state is not known: three were missed.
const silentAfter = 30 * time.Second

func (a *API) listInstances(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	all, err := a.Store.Instances(ctx, app.ID)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, i := range all {
		items = append(items, instanceJSON(app, i, a.Now()))
	}
	return a.listReply(c, items, ""), nil
}

// instanceJSON has Azure's coarse state and, under nightshift, the instance's own report.
func instanceJSON(app store.App, i store.Instance, now time.Time) map[string]any {
	return envelope(app, "instances/"+i.ID, i.ID, "instances", map[string]any{
		"state": armInstanceState(i, now), "statusUrl": nil, "detectorUrl": nil, "consoleUrl": nil, "healthCheckUrl": nil, "containers": nil,
		"nightshift": map[string]any{
			"instanceId": i.ID, "revision": i.Revision, "state": i.State, "startedTimeUtc": timeOrNull(i.CreatedAt),
			"lastSeenTimeUtc": timeOrNull(i.SeenAt), "report": json.RawMessage(orElse(string(i.Report), "{}")),
		},
	})
}

func armInstanceState(i store.Instance, now time.Time) string {
	switch hostapi.InstanceState(i.State) {
	case hostapi.StateStopped, hostapi.StateFailed:
		return "STOPPED"
	case hostapi.StateActive, hostapi.StateStandby, hostapi.StateDraining:
		if now.Sub(i.SeenAt) <= silentAfter {
			return "READY"
		}
	case hostapi.StateStarting:
	}
	return "UNKNOWN"
}

// listAudit lists what was done on the path's scope and below it, newest first.
func (a *API) listAudit(ctx context.Context, c *call) (reply, error) {
	page, err := c.pageOf()
	if err != nil {
		return reply{}, err
	}
	all, next, err := a.Store.Audit(ctx, scopeOf(c.params), page)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, e := range all {
		items = append(items, map[string]any{
			"id": e.ID, "time": timeOrNull(e.At), "principal": e.Principal, "action": e.Action, "scope": e.Scope,
			"outcome": e.Outcome, "detail": e.Detail, "clientIp": e.ClientIP, "requestId": e.RequestID,
		})
	}
	return a.listReply(c, items, next), nil
}

func (a *API) listNodes(ctx context.Context, c *call) (reply, error) {
	if _, err := a.subscription(ctx, c); err != nil {
		return reply{}, err
	}
	if a.Nodes == nil {
		return reply{}, azfunc.Errorf(azfunc.Unsupported, "this manager does not know the nodes: it runs without the rollout role")
	}
	all, err := a.Nodes.Nodes(ctx)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, n := range all {
		items = append(items, nodeJSON(n))
	}
	return a.listReply(c, items, ""), nil
}

// nodeJSON leaves out a node's attributes: they hold addresses and versions that are the platform's business.
func nodeJSON(n scheduler.Node) map[string]any {
	return map[string]any{
		"id": n.ID, "name": n.Name, "type": "Nightshift.Runtime/nodes", "properties": map[string]any{
			"os": n.OS, "arch": n.Arch, "ready": n.Ready, "eligible": n.Eligible, "draining": n.Draining,
			"cpuCores": n.CPUCores, "memoryMB": n.MemoryMB,
		},
	}
}
