package metadata

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// clue is one thing in the content that tells a runtime.
type clue struct{ runtime, because string }

// decideRuntime compares what the app declares with what its content looks like and with what is installed.
func (r *reader) decideRuntime() error {
	if err := r.readProject(); err != nil {
		return err
	}
	declared := strings.ToLower(strings.TrimSpace(azfunc.Setting(r.in.Settings, azfunc.RuntimeSetting)))
	clues := r.clues()
	if declared == "" {
		inferred, err := r.infer(clues)
		if err != nil {
			return err
		}
		declared, r.report.Inferred = inferred, true
	}
	r.report.Runtime = declared
	r.warnVersion()
	for _, check := range []func([]clue) error{r.checkKnown, r.checkSource, r.checkInProcess, r.checkMatch, r.checkInstalled} {
		if err := check(clues); err != nil {
			return err
		}
	}
	return nil
}

// clues lists what the content tells, the surest first.
func (r *reader) clues() []clue {
	var clues []clue
	if r.report.HostJSON.CustomHandler != nil {
		clues = append(clues, clue{azfunc.RuntimeCustom, "host.json has a customHandler"})
	}
	if r.isFile("functions.metadata") {
		clues = append(clues, clue{azfunc.RuntimeDotnetIsolated, "it has functions.metadata"})
	}
	if r.worker != nil {
		clues = append(clues, clue{strings.ToLower(r.worker.language), "worker.config.json says so"})
	}
	for _, f := range r.functs {
		if in := inProcess(f.Function); in != "" {
			clues = append(clues, clue{azfunc.RuntimeDotnet, in})
		} else if f.Function.Language != "" {
			clues = append(clues, clue{f.Function.Language, fmt.Sprintf("function %s runs %s", f.Name, f.Function.ScriptFile)})
		}
	}
	if script := r.pythonScript(); r.isFile(script) {
		clues = append(clues, clue{azfunc.RuntimePython, "it has " + script})
	}
	if r.project.main != "" {
		clues = append(clues, clue{azfunc.RuntimeNode, fmt.Sprintf("package.json has \"main\": %q", r.project.main)})
	}
	if len(clues) == 0 {
		return r.weakClues()
	}
	return clues
}

// weakClues are files that often come with a runtime; they count only when nothing surer is there.
func (r *reader) weakClues() []clue {
	var clues []clue
	for _, weak := range []struct {
		runtime string
		endings []string
	}{
		{azfunc.RuntimeDotnetIsolated, projectEndings()},
		{azfunc.RuntimeNode, []string{"package.json"}},
		{azfunc.RuntimePython, []string{"requirements.txt", ".py"}},
		{azfunc.RuntimeJava, []string{"pom.xml", "build.gradle", ".jar"}},
		{azfunc.RuntimePowerShell, []string{"profile.ps1", "requirements.psd1", ".ps1"}},
	} {
		if file := r.atRoot(weak.endings...); file != "" && file != "extensions.csproj" {
			clues = append(clues, clue{weak.runtime, "it has " + file})
		}
	}
	return clues
}

// infer tells the runtime from the content of an app without the setting. A custom handler decides alone, because its
// program may be written in anything.
func (r *reader) infer(clues []clue) (string, error) {
	if r.report.HostJSON.CustomHandler != nil {
		clues = clues[:1]
	}
	found := map[string]bool{}
	for _, c := range clues {
		found[c.runtime] = true
	}
	if len(found) == 1 {
		if clues[0].runtime != azfunc.RuntimeDotnet { // which is refused anyway
			r.warn("the app setting %s is missing; the content looks like %s (%s); set it: %s", azfunc.RuntimeSetting, clues[0].runtime, clues[0].because, setCommand(clues[0].runtime))
		}
		return clues[0].runtime, nil
	}
	if len(found) == 0 {
		return "", invalid("the app setting %s is missing and the content does not tell the runtime: there is no function.json, package.json, function_app.py, functions.metadata or customHandler; set it: %s", azfunc.RuntimeSetting, setCommand("<runtime>"))
	}
	return "", invalid("the app setting %s is missing and the content may be %s; set it: %s", azfunc.RuntimeSetting, strings.Join(slices.Sorted(maps.Keys(found)), " or "), setCommand("<runtime>"))
}

func setCommand(runtime string) string {
	return fmt.Sprintf("az functionapp config appsettings set --name <app> --resource-group <group> --settings %s=%s", azfunc.RuntimeSetting, runtime)
}

func (r *reader) checkKnown([]clue) error {
	runtime := r.report.Runtime
	_, installed := r.in.Runtimes[runtime]
	if installed || slices.Contains(azfunc.KnownRuntimes(), runtime) || (r.worker != nil && strings.EqualFold(r.worker.language, runtime)) {
		return nil
	}
	return invalid("the app setting %s is %q, which is no runtime of Azure Functions; known are %s; set it: %s", azfunc.RuntimeSetting, runtime, strings.Join(azfunc.KnownRuntimes(), ", "), setCommand("<runtime>"))
}

// checkInProcess refuses in-process .NET: its functions are loaded into Microsoft's own host, which this is not.
func (r *reader) checkInProcess(clues []clue) error {
	because := ""
	for _, c := range clues {
		if c.runtime == azfunc.RuntimeDotnet {
			because = c.because
		}
	}
	isNet := r.report.Runtime == azfunc.RuntimeDotnet || r.report.Runtime == azfunc.RuntimeDotnetIsolated
	switch {
	case isNet && because != "":
		return azfunc.Errorf(azfunc.Unsupported, "this is an in-process .NET app (%s), which runs only inside Microsoft's host: move it to the isolated worker model, set %s=%s and publish again; see the isolated worker model guide", because, azfunc.RuntimeSetting, azfunc.RuntimeDotnetIsolated)
	case r.report.Runtime == azfunc.RuntimeDotnet && r.isFile("functions.metadata"):
		return invalid("the app setting %s is %q, but the content is an isolated .NET app; set it: %s", azfunc.RuntimeSetting, azfunc.RuntimeDotnet, setCommand(azfunc.RuntimeDotnetIsolated))
	case r.report.Runtime == azfunc.RuntimeDotnet:
		return azfunc.Errorf(azfunc.Unsupported, "the app setting %s is %q: in-process .NET runs only inside Microsoft's host; move the app to the isolated worker model and set %s; see the isolated worker model guide", azfunc.RuntimeSetting, azfunc.RuntimeDotnet, azfunc.RuntimeDotnetIsolated)
	}
	return nil
}

// checkMatch refuses content that tells of other runtimes only.
// checkSource comes before what else is wrong with C# source: whoever zipped it must build it first whatever the
// settings say.
func (r *reader) checkSource(clues []clue) error {
	if len(clues) == 0 || clues[0].runtime != azfunc.RuntimeDotnetIsolated || r.isFile("functions.metadata") || r.worker != nil {
		return nil
	}
	if file := r.atRoot(projectEndings()...); file != "" && file != "extensions.csproj" {
		return sourceError("the package is C# source (" + file + ")")
	}
	return nil
}

func (r *reader) checkMatch(clues []clue) error {
	if r.report.Runtime == azfunc.RuntimeCustom && r.report.HostJSON.CustomHandler == nil {
		return invalid("the app setting %s is %q, but host.json has no customHandler: add customHandler.description.defaultExecutablePath, or set the runtime that the app is written for", azfunc.RuntimeSetting, azfunc.RuntimeCustom)
	}
	for _, c := range clues {
		if c.runtime == r.report.Runtime {
			if r.report.Runtime != azfunc.RuntimeCustom && r.report.HostJSON.CustomHandler != nil {
				r.warn("host.json has a customHandler, which is not used because %s is %s", azfunc.RuntimeSetting, r.report.Runtime)
			}
			return nil
		}
	}
	if len(clues) == 0 {
		return nil
	}
	return invalid("the app setting %s is %q, but the content looks like %s (%s): publish the right folder, or change the setting: %s", azfunc.RuntimeSetting, r.report.Runtime, clues[0].runtime, clues[0].because, setCommand(clues[0].runtime))
}

func (r *reader) checkInstalled([]clue) error {
	installed, ok := r.in.Runtimes[r.report.Runtime]
	if r.in.Runtimes == nil || ok {
		r.report.Installed = installed
		return nil
	}
	if why, ok := r.in.Unusable[r.report.Runtime]; ok {
		return invalid("the app needs the runtime %s, which this installation cannot run: %s", r.report.Runtime, why)
	}
	var list []string
	for _, runtime := range slices.Sorted(maps.Keys(r.in.Runtimes)) {
		list = append(list, strings.TrimSuffix(fmt.Sprintf("%s (%s)", runtime, r.in.Runtimes[runtime]), " ()"))
	}
	have := "no runtime at all"
	if len(list) > 0 {
		have = strings.Join(list, ", ")
	}
	return invalid("the app needs the runtime %s, which this installation does not have; it has %s: ask your administrator to install it", r.report.Runtime, have)
}

// warnVersion tells when the app asks for another major version of the host than the one we imitate.
func (r *reader) warnVersion() {
	version := strings.TrimPrefix(azfunc.Setting(r.in.Settings, "FUNCTIONS_EXTENSION_VERSION"), "~")
	if version != "" && version != "4" && !strings.HasPrefix(version, "4.") {
		r.warn("the app setting FUNCTIONS_EXTENSION_VERSION asks for host version %s; it runs as version 4", version)
	}
}
