package azfunc

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Function is one function of an app, from a function.json, from functions.metadata or from a language worker's index.
type Function struct {
	Name                string          `json:"name"`
	Directory           string          `json:"directory,omitempty"`  // relative to the app's root, slash-separated
	ScriptFile          string          `json:"scriptFile,omitempty"` // as written: relative to Directory, "" when left out
	EntryPoint          string          `json:"entryPoint,omitempty"`
	Language            string          `json:"language,omitempty"` // a FUNCTIONS_WORKER_RUNTIME value, "" when the script file does not tell
	Bindings            []Binding       `json:"bindings"`
	Disabled            bool            `json:"disabled,omitempty"`        // function.json says "disabled": true
	DisabledSetting     string          `json:"disabledSetting,omitempty"` // app setting that function.json asks instead
	Excluded            bool            `json:"excluded,omitempty"`        // kept in the package but not part of the app
	Retry               json.RawMessage `json:"retry,omitempty"`
	ConfigurationSource string          `json:"configurationSource,omitempty"`
	GeneratedBy         string          `json:"generatedBy,omitempty"`
}

// ParseFunctionJSON reads the function.json of the function called name (its folder's name). It refuses what cannot be
// read; whether the function can run is Problems' business, so that one bad function does not take the app down. The
// error is Invalid and begins with the file's path.
func ParseFunctionJSON(name string, raw []byte) (Function, error) {
	file := name + "/function.json"
	props, err := ParseObject(file, raw)
	if err != nil {
		return Function{}, err
	}
	f, err := FunctionFrom(name, props)
	if err != nil {
		return Function{}, Errorf(Invalid, "%s: %w", file, err)
	}
	f.Directory = name
	return f, nil
}

// FunctionFrom makes a function of an object with function.json's keys, such as an entry of functions.metadata. The
// error is Invalid.
func FunctionFrom(name string, props Properties) (Function, error) {
	f := Function{Name: name, Retry: props.Raw("retry")}
	for key, target := range map[string]*string{
		"scriptFile": &f.ScriptFile, "entryPoint": &f.EntryPoint, "language": &f.Language,
		"configurationSource": &f.ConfigurationSource, "generatedBy": &f.GeneratedBy,
	} {
		text, err := props.Text(key, "")
		if err != nil {
			return Function{}, err
		}
		*target = text
	}
	if f.Language == "" {
		f.Language = RuntimeOf(f.ScriptFile)
	}
	var err error
	if f.Excluded, err = props.Bool("excluded", false); err != nil {
		return Function{}, err
	}
	f.readDisabled(props)
	f.Bindings, err = bindingsFrom(props)
	return f, err
}

// readDisabled takes "disabled": a boolean, or the name of an app setting, bare or between percent signs.
func (f *Function) readDisabled(props Properties) {
	if disabled, err := props.Bool("disabled", false); err == nil {
		f.Disabled = disabled
		return
	}
	text, err := props.Text("disabled", "")
	if err == nil {
		f.DisabledSetting = strings.Trim(text, "%")
	}
}

func bindingsFrom(props Properties) ([]Binding, error) {
	v, _ := props.Get("bindings")
	array, ok := v.([]any)
	if !ok && v != nil {
		return nil, wrongKind("bindings", "a list", v)
	}
	bindings := make([]Binding, 0, len(array))
	for i, item := range array {
		object, ok := item.(Properties)
		if !ok {
			return nil, wrongKind(fmt.Sprintf("bindings[%d]", i), "an object", item)
		}
		raw, err := json.Marshal(object)
		if err != nil {
			return nil, Errorf(Invalid, "bindings[%d]: %w", i, err)
		}
		b, err := newBinding(object, raw)
		if err != nil {
			return nil, err
		}
		bindings = append(bindings, b)
	}
	return bindings, nil
}

// Trigger returns the binding that starts the function; false when it has none or several.
func (f Function) Trigger() (Binding, bool) {
	triggers := f.triggers()
	if len(triggers) != 1 {
		return Binding{}, false
	}
	return triggers[0], true
}

func (f Function) triggers() []Binding {
	var found []Binding
	for _, b := range f.Bindings {
		if b.IsTrigger() {
			found = append(found, b)
		}
	}
	return found
}

// IsHTTP reports whether HTTP requests start the function.
func (f Function) IsHTTP() bool {
	trigger, ok := f.Trigger()
	return ok && trigger.Is("httpTrigger")
}

// Problems says, in sentences without a full stop, why the function cannot run, whatever the release: its name, its
// bindings' names, no trigger or several. The host of Azure reports the same as a function error and runs the others.
func (f Function) Problems() []string {
	var problems []string
	if err := ValidateFunctionName(f.Name); err != nil {
		problems = append(problems, err.Error())
	}
	switch triggers := f.triggers(); {
	case len(f.Bindings) == 0:
		problems = append(problems, "it has no bindings, so no trigger")
	case len(triggers) == 0:
		problems = append(problems, "it has no trigger: one binding must have a type that ends with Trigger, such as httpTrigger")
	case len(triggers) > 1:
		problems = append(problems, fmt.Sprintf("it has %d triggers (%s), a function must have exactly one", len(triggers), typesOf(triggers)))
	}
	seen := map[string]bool{}
	for _, b := range f.Bindings {
		if err := ValidateBindingName(b.Name); err != nil {
			problems = append(problems, err.Error())
		}
		if key := strings.ToLower(b.Name); seen[key] {
			problems = append(problems, fmt.Sprintf("two bindings are called %q", b.Name))
		} else {
			seen[key] = true
		}
	}
	return problems
}

func typesOf(bindings []Binding) string {
	types := make([]string, len(bindings))
	for i, b := range bindings {
		types[i] = b.Type
	}
	return strings.Join(types, ", ")
}

// IsDisabled reports whether the function is switched off: by its own "disabled", or by the app setting
// AzureWebJobs.<function>.Disabled (or AzureWebJobs_<function>_Disabled, for systems that allow no dots).
func (f Function) IsDisabled(settings map[string]string) bool {
	return f.Disabled ||
		(f.DisabledSetting != "" && isTrue(Setting(settings, f.DisabledSetting))) ||
		isTrue(Setting(settings, "AzureWebJobs."+f.Name+".Disabled")) ||
		isTrue(Setting(settings, "AzureWebJobs_"+f.Name+"_Disabled"))
}

func isTrue(text string) bool { return text == "1" || strings.EqualFold(text, "true") }

// Setting returns an app setting's value, "" when absent; an exact match wins over one that differs in case, and of
// several such the first in order is taken.
func Setting(settings map[string]string, name string) string {
	if v, ok := settings[name]; ok {
		return v
	}
	found := ""
	for key := range settings {
		if strings.EqualFold(key, name) && (found == "" || key < found) {
			found = key
		}
	}
	return settings[found]
}
