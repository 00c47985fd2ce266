package host

import (
	"fmt"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/metadata"
	"github.com/nightshift-functions/nightshift/internal/ncrontab"
	"github.com/nightshift-functions/nightshift/worker/channel"
	"github.com/nightshift-functions/nightshift/worker/process"
	"github.com/nightshift-functions/nightshift/worker/trigger"
)

// judge notes on each function why it does not run, and whether it is disabled.
func judge(functions []*channel.Function, host azfunc.HostJSON, settings map[string]string) {
	for _, f := range functions {
		f.Disabled = f.IsDisabled(settings)
		if f.Problem != "" {
			continue
		}
		problems := f.Problems()
		if !host.Allows(f.Name) {
			problems = append(problems, `host.json lists "functions" without it`)
		}
		problems = append(problems, unsupported(f)...)
		if err := checkTrigger(f, host, settings); err != nil && len(problems) == 0 {
			problems = append(problems, err.Error())
		}
		f.Problem = strings.Join(problems, "; ")
	}
}

// unsupported names what this release cannot run. A function with an output that nobody writes would lose its messages
// in silence, so it does not run at all.
func unsupported(f *channel.Function) []string {
	s := metadata.Release()
	var problems []string
	for _, b := range f.Bindings {
		kind, known := "binding", s.Bindings
		if b.IsTrigger() {
			kind, known = "trigger", s.Triggers
		}
		if !hasFold(known, b.Type) {
			problems = append(problems, fmt.Sprintf("this release of Nightshift has no %s of type %s", kind, b.Type))
		}
	}
	return problems
}

func hasFold(set map[string]bool, name string) bool {
	for key := range set {
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

func checkTrigger(f *channel.Function, host azfunc.HostJSON, settings map[string]string) error {
	t, ok := f.Trigger()
	switch {
	case !ok:
		return nil // Problems says so
	case t.Is("httpTrigger"):
		if _, err := levelOf(t); err != nil {
			return err
		}
		if _, err := t.List("methods"); err != nil {
			return err // names binding and property
		}
		return trigger.CheckTemplate(host.HTTP.RoutePrefix, routeOf(f, t)) // says what is wrong
	case t.Is("timerTrigger"):
		_, err := scheduleOf(t, settings)
		return err
	}
	return nil
}

// routeOf is the function's route, its name when the trigger has none.
func routeOf(f *channel.Function, t azfunc.Binding) string {
	if route := t.Text("route", ""); route != "" {
		return route
	}
	return f.Name
}

func levelOf(t azfunc.Binding) (Level, error) {
	text, err := t.Enum("authLevel", "function", "anonymous", "function", "admin", "system", "user")
	if err != nil {
		return Admin, err // names binding and property
	}
	switch text {
	case "anonymous":
		return Anonymous, nil
	case "function":
		return FunctionLevel, nil
	}
	return Admin, nil
}

func scheduleOf(t azfunc.Binding, settings map[string]string) (*ncrontab.Schedule, error) {
	text, err := ncrontab.Resolve(t.Text("schedule", ""), settings)
	if err != nil {
		return nil, err // names the setting
	}
	zone, err := ncrontab.Location(azfunc.Setting(settings, "WEBSITE_TIME_ZONE"))
	if err != nil {
		return nil, err // names the setting
	}
	return ncrontab.Parse(text, zone) // repeats the schedule
}

// httpFunction is what the router finds.
type httpFunction struct {
	*channel.Function
	level Level
}

func newRouter(functions []*channel.Function, host azfunc.HostJSON) (*trigger.Router[*httpFunction], error) {
	var routes []trigger.Route[*httpFunction]
	for _, f := range functions {
		t, ok := f.Trigger()
		if !ok || !t.Is("httpTrigger") || trigger.CheckTemplate(host.HTTP.RoutePrefix, routeOf(f, t)) != nil {
			continue
		}
		level, err := levelOf(t)
		if err != nil {
			level = Admin
		}
		methods, _ := t.List("methods")
		routes = append(routes, trigger.Route[*httpFunction]{
			Template: routeOf(f, t), Methods: methods, Target: &httpFunction{Function: f, level: level},
		})
	}
	return trigger.NewRouter(host.HTTP.RoutePrefix, routes) // names the route
}

// statuses describes the functions for the manager.
func statuses(functions []*channel.Function, host azfunc.HostJSON, spec hostapi.Spec) []hostapi.FunctionStatus {
	list := make([]hostapi.FunctionStatus, len(functions))
	for i, f := range functions {
		s := hostapi.FunctionStatus{Name: f.Name, Disabled: f.Disabled, Error: f.Problem}
		if t, ok := f.Trigger(); ok {
			s.Trigger = t.Type
			s.Description = describe(t)
			if t.Is("httpTrigger") {
				s.InvokeURL = invokeURL(spec.PublicURL, host.HTTP.RoutePrefix, routeOf(f, t))
			}
		}
		list[i] = s
	}
	return list
}

func describe(t azfunc.Binding) string {
	if t.Is("timerTrigger") {
		return t.Text("schedule", "")
	}
	methods, err := t.List("methods")
	if !t.Is("httpTrigger") || err != nil {
		return ""
	}
	if len(methods) == 0 {
		return "any method"
	}
	return strings.ToUpper(strings.Join(methods, ", "))
}

func invokeURL(public, prefix, route string) string {
	path := strings.Trim(prefix+"/"+strings.Trim(route, "/"), "/")
	return strings.ToLower(public + "/" + path)
}

// nothingRuns is the failure of an app of which no function runs; nil when one does.
func nothingRuns(functions []*channel.Function, where string) error {
	if len(functions) == 0 {
		return &process.Error{Message: "0 functions found; looked for " + where, Permanent: true}
	}
	var problems []string
	for _, f := range functions {
		if f.Problem == "" {
			return nil
		}
		problems = append(problems, f.Name+": "+f.Problem)
	}
	return &process.Error{Message: "none of the app's functions runs. " + strings.Join(problems, ". "), Permanent: true}
}

// whereFunctionsBelong says what was looked for, by programming model.
func whereFunctionsBelong(r metadata.Report, c channel.Config) string {
	switch r.Model {
	case metadata.NodeV4:
		return "functions that the entry files register (" + strings.Join(r.EntryFiles, ", ") + `, by "main" in package.json) and for function.json files`
	case metadata.PythonV2:
		return "functions that function_app.py registers and for function.json files"
	case metadata.CustomHandler:
		return "function.json files in folders at the top of the package, and routes in host.json"
	case metadata.NodeV3, metadata.PythonV1, metadata.DotnetIsolated, metadata.OwnWorker, metadata.FunctionJSON:
	}
	return "functions that the " + c.Language + " language worker lists and for function.json files in folders at the top of the package"
}
