package metadata

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Model is the programming model that an app follows.
type Model string

// The models. Those of one runtime differ in who lists the functions.
const (
	NodeV4         Model = "node v4"             // the app's entry files register the functions
	NodeV3         Model = "node v3"             // function.json
	PythonV2       Model = "python v2"           // function_app.py registers the functions
	PythonV1       Model = "python v1"           // function.json
	DotnetIsolated Model = "dotnet-isolated"     // functions.metadata, written by dotnet publish
	CustomHandler  Model = "custom handler"      // function.json, or routes in host.json
	OwnWorker      Model = "own language worker" // worker.config.json in the app
	FunctionJSON   Model = "function.json"       // Java, PowerShell and languages that the installation adds
)

// Support says which trigger and binding types this release runs, in any case. A nil map stands for all of them.
type Support struct {
	Triggers map[string]bool
	Bindings map[string]bool
}

// Input is what Read looks at. Nothing of it is changed or kept.
type Input struct {
	Content  fs.FS
	Settings map[string]string // the app's settings
	Runtimes map[string]string // runtime -> description of what is installed; nil leaves the check out
	Unusable map[string]string // runtime -> why what is installed cannot run it: too old, incomplete
	Support  Support
}

// Report is what an app is.
type Report struct {
	Runtime     string // FUNCTIONS_WORKER_RUNTIME as declared, or as the content tells
	Inferred    bool   // the setting is absent, Runtime was told by the content
	Installed   string // what runs it, from Input.Runtimes
	Model       Model
	Platform    string // "windows" or "linux" when the app holds a program for that system only, else ""
	HostJSON    azfunc.HostJSON
	Functions   []FunctionReport // known from the content, in order of their names
	Indexed     bool             // the language worker lists the functions when it starts; the content cannot tell
	EntryFiles  []string         // node v4: the files that "main" matches, in order
	Executables []string         // files that must be executable to run the app, for archive's Extract
	Warnings    []string
}

// FunctionReport is one function and why it does not run, if so.
type FunctionReport struct {
	Name     string
	Trigger  string // the trigger's type, "" when there is none or several
	Disabled bool
	Problems []string // sentences without a full stop; empty when it can run
	Function azfunc.Function
}

// Read tells what the app in in.Content is. The error is Invalid or Unsupported when the app cannot run at all, and
// then its text goes to the author; other errors come from reading the content. Warnings and problems of single
// functions are no error. Files of configuration are read up to 4 MiB.
func Read(in Input) (Report, error) {
	r := &reader{in: in}
	for _, step := range []func() error{r.list, r.readHostJSON, r.readFunctions, r.readWorkerConfig, r.decideRuntime, r.readModel, r.judge} {
		if err := step(); err != nil {
			return Report{}, err
		}
	}
	return r.report, nil
}

// reader carries what the steps of Read find out for each other.
type reader struct {
	in     Input
	report Report

	files   map[string]bool // names at the root -> whether it is a folder
	functs  []FunctionReport
	worker  *workerConfig
	project packageJSON
}

func (r *reader) warn(format string, args ...any) {
	r.report.Warnings = append(r.report.Warnings, fmt.Sprintf(format, args...))
}

func invalid(format string, args ...any) error { return azfunc.Errorf(azfunc.Invalid, format, args...) }

// judge adds what stands between a function and running, and refuses an app of which nothing runs.
func (r *reader) judge() error {
	for i := range r.report.Functions {
		f := &r.report.Functions[i]
		if trigger, ok := f.Function.Trigger(); ok {
			f.Trigger = trigger.Type
		}
		f.Disabled = f.Function.IsDisabled(r.in.Settings)
		if !r.report.HostJSON.Allows(f.Name) {
			f.Problems = append(f.Problems, `host.json lists "functions" without it`)
		}
		f.Problems = append(f.Problems, r.in.Support.problems(f.Function)...)
	}
	r.checkAllowList()
	if r.report.Indexed || r.report.runnable() > 0 {
		return nil
	}
	return r.nothingRuns()
}

// checkAllowList tells about names in host.json that no function has; only when all functions are known.
func (r *reader) checkAllowList() {
	if r.report.Indexed {
		return
	}
	known := map[string]bool{}
	for _, f := range r.report.Functions {
		known[strings.ToLower(f.Name)] = true
	}
	for _, name := range r.report.HostJSON.Functions {
		if !known[strings.ToLower(name)] {
			r.warn(`host.json: "functions" lists %q, which the package does not hold`, name)
		}
	}
}

func (r *reader) nothingRuns() error {
	if len(r.report.Functions) == 0 {
		return invalid("the package holds no function: %s", r.whereFunctionsBelong())
	}
	lines := make([]string, len(r.report.Functions))
	for i, f := range r.report.Functions {
		lines[i] = fmt.Sprintf("%s: %s", f.Name, strings.Join(f.Problems, "; "))
	}
	return invalid("no function of the package can run. %s", some(lines, ". "))
}

// some joins the first few of a list, so that a message stays one that people read.
func some(list []string, separator string) string {
	const enough = 20
	if len(list) <= enough {
		return strings.Join(list, separator)
	}
	return fmt.Sprintf("%s%sand %d more", strings.Join(list[:enough], separator), separator, len(list)-enough)
}

func (r *reader) whereFunctionsBelong() string {
	switch r.report.Model {
	case DotnetIsolated:
		return "functions.metadata lists none; build with dotnet publish -c Release and zip the publish folder"
	case CustomHandler:
		return "give each function a folder with a function.json, or list routes under customHandler.http in host.json"
	default:
		return "each function needs a folder with a function.json at the top of the package"
	}
}

// problems names the trigger and the bindings that this release lacks.
func (s Support) problems(f azfunc.Function) []string {
	var problems []string
	for _, b := range f.Bindings {
		kind, known := "binding", s.Bindings
		if b.IsTrigger() {
			kind, known = "trigger", s.Triggers
		}
		if known != nil && !has(known, b.Type) {
			problems = append(problems, fmt.Sprintf("this release of Nightshift has no %s of type %s", kind, b.Type))
		}
	}
	return problems
}

func has(set map[string]bool, name string) bool {
	for key, on := range set {
		if on && strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

func (r Report) runnable() int {
	n := 0
	for _, f := range r.Functions {
		if len(f.Problems) == 0 {
			n++
		}
	}
	return n
}

// Lines tells the report to people, one line each, for the log of a deployment.
func (r Report) Lines() []string {
	runtime := "Runtime: " + r.Runtime
	if r.Installed != "" {
		runtime += " (" + r.Installed + ")"
	}
	lines := []string{runtime + ", programming model: " + string(r.Model)}
	if r.Indexed {
		lines = append(lines, "Functions: the language worker lists them when it starts")
	}
	for _, f := range r.Functions {
		lines = append(lines, f.line())
	}
	for _, w := range r.Warnings {
		lines = append(lines, "Warning: "+w)
	}
	return lines
}

func (f FunctionReport) line() string {
	switch {
	case len(f.Problems) > 0:
		return fmt.Sprintf("Function %s does not run: %s", f.Name, strings.Join(f.Problems, "; "))
	case f.Disabled:
		return fmt.Sprintf("Function %s (%s) is disabled", f.Name, f.Trigger)
	}
	return fmt.Sprintf("Function %s (%s)", f.Name, f.Trigger)
}
