package management

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// extensionVersion is the setting that says which major version of the host an app is for.
const extensionVersion = "FUNCTIONS_EXTENSION_VERSION"

// The bounds of settings, in bytes. All of an app's settings travel to each of its instances and become part of a
// process's environment, which on Windows holds 32767 characters a variable.
const (
	maxSettingName  = 256
	maxSettingValue = 32 << 10
	maxSettingsSize = 256 << 10
)

// validateSettings says what is wrong with settings, naming the setting and never its value. The error is Invalid.
func validateSettings(settings map[string]string) error {
	total := 0
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if err := validateSetting(name, settings[name]); err != nil {
			return err
		}
		if twin, ok := seen[strings.ToLower(name)]; ok {
			return azfunc.Errorf(azfunc.Invalid, "the settings %q and %q differ in case only; Windows has one environment variable for both, so keep one", twin, name)
		}
		seen[strings.ToLower(name)] = name
		total += len(name) + len(settings[name])
	}
	if total > maxSettingsSize {
		return azfunc.Errorf(azfunc.TooLarge, "the settings have %d bytes together, the most is %d; keep large values in a file of the app", total, maxSettingsSize)
	}
	return validateRuntime(settings)
}

func validateSetting(name, value string) error {
	if name == "" || len(name) > maxSettingName {
		return azfunc.Errorf(azfunc.Invalid, "the setting %.80q has a name of %d bytes; use 1 to %d", name, len(name), maxSettingName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == '=' || r == 0x7f }) || strings.TrimSpace(name) != name {
		return azfunc.Errorf(azfunc.Invalid, "the setting %q cannot become an environment variable: leave out =, control characters and spaces around the name", name)
	}
	for _, prefix := range []string{"NIGHTSHIFT_", "NOMAD_"} {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) {
			return azfunc.Errorf(azfunc.Invalid, "the setting %q begins with %s, which is kept for the instance itself; use another name", name, prefix)
		}
	}
	if len(value) > maxSettingValue {
		return azfunc.Errorf(azfunc.TooLarge, "the setting %q has a value of %d bytes, the most is %d; keep large values in a file of the app", name, len(value), maxSettingValue)
	}
	if strings.ContainsRune(value, 0) {
		return azfunc.Errorf(azfunc.Invalid, "the value of the setting %q holds a zero byte, which no environment variable can", name)
	}
	return nil
}

// validateRuntime refuses, already here, what no package could make run.
func validateRuntime(settings map[string]string) error {
	runtime := azfunc.Setting(settings, azfunc.RuntimeSetting)
	switch {
	case runtime == azfunc.RuntimeDotnet:
		return azfunc.Errorf(azfunc.Invalid, "%s is %q, in-process .NET, which runs inside Microsoft's own host only; move the app to the isolated worker model and use %q",
			azfunc.RuntimeSetting, runtime, azfunc.RuntimeDotnetIsolated)
	case runtime != "" && !slices.Contains(azfunc.KnownRuntimes(), runtime):
		return azfunc.Errorf(azfunc.Invalid, "%s is %.80q, which Azure Functions does not know; use one of %s",
			azfunc.RuntimeSetting, runtime, strings.Join(slices.DeleteFunc(azfunc.KnownRuntimes(), func(r string) bool { return r == azfunc.RuntimeDotnet }), ", "))
	}
	return nil
}

// describeChange says for the audit which settings were added, changed and removed, by name.
func describeChange(before, after map[string]string) string {
	var added, changed, removed []string
	for name, value := range after {
		old, ok := before[name]
		switch {
		case !ok:
			added = append(added, name)
		case old != value:
			changed = append(changed, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			removed = append(removed, name)
		}
	}
	var parts []string
	for _, p := range []struct {
		what  string
		names []string
	}{{"added", added}, {"changed", changed}, {"removed", removed}} {
		if len(p.names) > 0 {
			slices.Sort(p.names)
			parts = append(parts, fmt.Sprintf("%s %s", p.what, strings.Join(p.names, ", ")))
		}
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return strings.Join(parts, "; ")
}
