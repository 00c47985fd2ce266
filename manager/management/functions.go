package management

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// function is one function of an app as its hosts told: the object of the host's admin API, and what the instances
// report of it.
type function struct {
	name      string
	object    map[string]any
	disabled  bool
	errors    []string
	invokeURL string
}

// functions returns the functions of the revision that serves, or, before any does, of the newest that said.
func (a *API) functions(ctx context.Context, app store.App) ([]function, error) {
	revisions, err := a.Store.Revisions(ctx, app.ID, true)
	if err != nil {
		return nil, err
	}
	instances, err := a.Store.Instances(ctx, app.ID)
	if err != nil {
		return nil, err
	}
	for _, number := range byPrecedence(revisions) {
		document, err := a.Store.Triggers(ctx, app.ID, number)
		if err != nil && azfunc.CodeOf(err) != azfunc.NotFound {
			return nil, err
		}
		found := mergeFunctions(document, reportsOf(instances, number), a.addresses.appURL(app.Name))
		if len(found) > 0 {
			return found, nil
		}
	}
	return nil, nil
}

// byPrecedence orders revisions: those that take traffic, then the others, the newest first.
func byPrecedence(revisions []store.Revision) []int64 {
	var active, others []int64
	for _, r := range revisions {
		if r.Phase == store.PhaseActive {
			active = append(active, r.Number)
		} else {
			others = append(others, r.Number)
		}
	}
	newestFirst := func(x, y int64) int { return int(y - x) }
	slices.SortFunc(active, newestFirst)
	slices.SortFunc(others, newestFirst)
	return append(active, others...)
}

// reportsOf returns the reports of a revision's instances, oldest first. What cannot be read says nothing.
func reportsOf(instances []store.Instance, revision int64) []hostapi.InstanceReport {
	var reports []hostapi.InstanceReport
	for _, i := range instances {
		var report hostapi.InstanceReport
		if i.Revision == revision && json.Unmarshal(i.Report, &report) == nil {
			reports = append(reports, report)
		}
	}
	slices.SortFunc(reports, func(x, y hostapi.InstanceReport) int { return x.At.Compare(y.At) })
	return reports
}

// mergeFunctions joins what the host indexed with what its instances report. A function that failed to load may be in
// the reports only: it is shown, with its error. The newest report wins.
func mergeFunctions(document json.RawMessage, reports []hostapi.InstanceReport, appURL string) []function {
	var triggers hostapi.Triggers
	_ = json.Unmarshal(document, &triggers) // nothing indexed yet
	byName := map[string]*function{}
	at := func(name string) *function {
		key := strings.ToLower(name)
		if byName[key] == nil {
			byName[key] = &function{name: name, object: map[string]any{}}
		}
		return byName[key]
	}
	for _, raw := range triggers.Functions {
		var object map[string]any
		if json.Unmarshal(raw, &object) != nil {
			continue
		}
		if name, _ := object["name"].(string); name != "" {
			f := at(name)
			f.object = object
			f.disabled, _ = object["isDisabled"].(bool)
			f.invokeURL, _ = object["invoke_url_template"].(string)
		}
	}
	for _, report := range reports {
		for _, status := range report.Functions {
			at(status.Name).take(status)
		}
	}
	found := make([]function, 0, len(byName))
	for _, key := range slices.Sorted(maps.Keys(byName)) {
		f := *byName[key]
		if strings.HasPrefix(f.invokeURL, "/") {
			f.invokeURL = appURL + f.invokeURL
		}
		found = append(found, f)
	}
	return found
}

func (f *function) take(status hostapi.FunctionStatus) {
	f.disabled, f.errors = status.Disabled, nil
	if status.Error != "" {
		f.errors = []string{status.Error}
	}
	if status.InvokeURL != "" {
		f.invokeURL = status.InvokeURL
	}
	if _, ok := f.object["config"]; !ok && status.Trigger != "" {
		f.object["config"] = map[string]any{"bindings": []any{map[string]any{"type": status.Trigger, "direction": "in"}}}
	}
}

// function finds one function of an app.
func (a *API) function(ctx context.Context, app store.App, name string) (function, error) {
	all, err := a.functions(ctx, app)
	if err != nil {
		return function{}, err
	}
	for _, f := range all {
		if strings.EqualFold(f.name, name) {
			return f, nil
		}
	}
	return function{}, azfunc.Errorf(azfunc.NotFound, "app %q has no function %q", app.Name, name)
}

func (a *API) listFunctions(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	all, err := a.functions(ctx, app)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, f := range all {
		items = append(items, a.functionJSON(app, f))
	}
	return a.listReply(c, items, ""), nil
}

func (a *API) getFunction(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	f, err := a.function(ctx, app, c.params["function"])
	if err != nil {
		return reply{}, err
	}
	return reply{body: a.functionJSON(app, f)}, nil
}

// functionJSON is ARM's function: the host's object, with addresses that lead to the SCM endpoint.
func (a *API) functionJSON(app store.App, f function) map[string]any {
	properties := map[string]any{
		"files": nil, "test_data": nil, "language": nil, "config": map[string]any{"bindings": []any{}},
	}
	maps.Copy(properties, f.object)
	root := a.addresses.scmURL(app.Name) + "/api/vfs/site/wwwroot/" + f.name + "/"
	properties["name"] = f.name
	properties["function_app_id"] = siteID(app)
	properties["script_root_path_href"] = root
	properties["config_href"] = root + "function.json"
	properties["href"] = a.addresses.scmURL(app.Name) + "/api/functions/" + f.name
	properties["isDisabled"] = f.disabled
	properties["errors"] = append([]string{}, f.errors...)
	properties["invoke_url_template"] = nil
	if f.invokeURL != "" {
		properties["invoke_url_template"] = f.invokeURL
	}
	return envelope(app, "functions/"+f.name, f.name, "functions", properties)
}

// syncTriggers answers as clients want: 204. There is nothing to do, because hosts tell what they indexed by
// themselves, at every start.
func (a *API) syncTriggers(ctx context.Context, c *call) (reply, error) {
	_, err := a.site(ctx, c)
	return reply{status: http.StatusNoContent}, err
}
