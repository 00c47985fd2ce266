package azfunc

import (
	"encoding/json"
	"strings"
	"time"
)

// defaultHostJSON is what Azure's host writes when an app has no host.json.
const defaultHostJSON = `{
  "version": "2.0",
  "extensionBundle": {
    "id": "Microsoft.Azure.Functions.ExtensionBundle",
    "version": "[4.*, 5.0.0)"
  }
}`

// Unlimited is what -1 means in maxOutstandingRequests and maxConcurrentRequests.
const Unlimited = -1

// maxAllowList bounds "functions", which is compared with every function of the app.
const maxAllowList = 1000

// HostJSON is an app's host.json with Azure's defaults filled in: the parts that Nightshift acts on as fields, all of
// it in Properties for whoever knows more, such as a trigger that reads its own extension's section.
type HostJSON struct {
	Functions       []string          // allow list; nil means all
	FunctionTimeout time.Duration     // Unbounded for "-1"; 0 when the file is silent, so that the plan's default holds
	HTTP            HTTPOptions       // extensions.http
	CustomHandler   *CustomHandler    // nil when the app has none
	LogLevel        map[string]string // logging.logLevel: category -> level as written
	ExtensionBundle ExtensionBundle   // zero when the app asks for none
	Retry           json.RawMessage   // the app-wide retry policy, nil when absent
	TelemetryMode   string
	Properties      Properties      // everything, overrides included
	Raw             json.RawMessage // the same as strict JSON
}

// HTTPOptions is extensions.http.
type HTTPOptions struct {
	RoutePrefix             string // without slashes at its ends; "" means none
	MaxOutstandingRequests  int    // Unlimited, or the number above which requests get 429
	MaxConcurrentRequests   int    // Unlimited, or the number that run at a time
	DynamicThrottlesEnabled bool
	CustomHeaders           map[string]string // added to every answer
}

// ExtensionBundle is extensionBundle: the range of Azure's extension package that the app was written for.
type ExtensionBundle struct {
	ID      string
	Version string
}

// CustomHandler is customHandler: the app brings its own web server and the host calls it.
type CustomHandler struct {
	Executable                    string // description.defaultExecutablePath, as written
	WorkerPath                    string // description.defaultWorkerPath
	Arguments                     []string
	WorkerArguments               []string
	WorkingDirectory              string
	EnableForwardingHTTPRequest   bool          // rebuild the caller's request for functions that are HTTP in and out only
	EnableProxyingHTTPRequest     bool          // the same, streaming
	InitializationTimeout         time.Duration // 30 s by default
	Port                          int           // 0: the host picks one
	HTTPRoutes                    []CustomRoute // routes without a function.json
	HTTPDefaultAuthorizationLevel string        // "" when the file is silent
}

// CustomRoute is one entry of customHandler.http.routes.
type CustomRoute struct {
	Route              string
	AuthorizationLevel string // "" means the default level
}

// DefaultHostJSON is the configuration of an app without a host.json.
func DefaultHostJSON() HostJSON {
	h, err := ParseHostJSON([]byte(defaultHostJSON))
	if err != nil {
		return HostJSON{Properties: Properties{}}
	}
	return h
}

// ParseHostJSON reads a host.json: JSON with comments, keys in any case, numbers and booleans also as text. The error
// is Invalid, says what is wrong where, and is meant for the app's author.
func ParseHostJSON(raw []byte) (HostJSON, error) {
	props, err := ParseObject("host.json", raw)
	if err != nil {
		return HostJSON{}, err
	}
	return HostJSONFrom(props)
}

// HostJSONFrom reads a host.json that is parsed already, for instance by ApplyOverrides.
func HostJSONFrom(props Properties) (HostJSON, error) {
	h := HostJSON{Properties: props}
	for _, read := range []func(Properties) error{h.readVersion, h.readTop, h.readHTTP, h.readLogging, h.readCustomHandler} {
		if err := read(props); err != nil {
			return HostJSON{}, Errorf(Invalid, "host.json: %w", err)
		}
	}
	raw, err := json.Marshal(props)
	if err != nil {
		return HostJSON{}, Errorf(Invalid, "host.json: %w", err)
	}
	h.Raw = raw
	return h, nil
}

func (*HostJSON) readVersion(props Properties) error {
	v, ok := props.Get("version")
	switch version, _ := scalarText(v); {
	case version == "2.0":
		return nil
	case !ok:
		return Errorf(Invalid, `"version" is missing: add "version": "2.0"`)
	case version != "":
		return Errorf(Invalid, `"version" is %q: this host runs "2.0", the host.json of Azure Functions 2.x to 4.x`, shorten(version))
	}
	return Errorf(Invalid, `"version" must be the text "2.0", not %s`, kindOf(v))
}

func (h *HostJSON) readTop(props Properties) error {
	var err error
	if h.Functions, err = props.List("functions"); err != nil {
		return err
	}
	if len(h.Functions) > maxAllowList {
		return Errorf(Invalid, `"functions" lists %d names, %d is the limit`, len(h.Functions), maxAllowList)
	}
	if h.FunctionTimeout, err = props.Duration("functionTimeout", 0); err != nil {
		return err
	}
	if h.FunctionTimeout != Unbounded && h.FunctionTimeout != 0 && h.FunctionTimeout < time.Second {
		return Errorf(Invalid, `"functionTimeout" must be at least one second ("00:00:01"), or -1 for no limit`)
	}
	if h.TelemetryMode, err = props.Text("telemetryMode", ""); err != nil {
		return err
	}
	h.Retry = props.Raw("retry")
	bundle, err := props.Section("extensionBundle")
	if err != nil {
		return err
	}
	if h.ExtensionBundle.ID, err = bundle.Text("id", ""); err != nil {
		return err
	}
	h.ExtensionBundle.Version, err = bundle.Text("version", "")
	return err
}

func (h *HostJSON) readHTTP(props Properties) error {
	section, err := nested(props, "extensions", "http")
	if err != nil {
		return err
	}
	prefix, err := section.Text("routePrefix", "api")
	if err != nil {
		return within("extensions.http", err)
	}
	h.HTTP.RoutePrefix = strings.Trim(prefix, "/")
	if h.HTTP.MaxOutstandingRequests, err = section.Int("maxOutstandingRequests", Unlimited); err != nil {
		return within("extensions.http", err)
	}
	if h.HTTP.MaxConcurrentRequests, err = section.Int("maxConcurrentRequests", Unlimited); err != nil {
		return within("extensions.http", err)
	}
	if h.HTTP.DynamicThrottlesEnabled, err = section.Bool("dynamicThrottlesEnabled", false); err != nil {
		return within("extensions.http", err)
	}
	h.HTTP.CustomHeaders, err = texts(section, "customHeaders")
	if err != nil {
		return within("extensions.http", err)
	}
	return checkHeaders(h.HTTP.CustomHeaders)
}

// checkHeaders refuses what would make every answer of the app malformed.
func checkHeaders(headers map[string]string) error {
	for name, value := range headers {
		if name == "" || strings.ContainsAny(name, " \t\r\n:") || strings.ContainsAny(value, "\r\n") {
			return Errorf(Invalid, "extensions.http.customHeaders: %q is not an HTTP header", shorten(name))
		}
	}
	return nil
}

func (h *HostJSON) readLogging(props Properties) error {
	section, err := props.Section("logging")
	if err != nil {
		return err
	}
	h.LogLevel, err = texts(section, "logLevel")
	return within("logging", err)
}

// Extension returns the section of one extension, such as "queues" or "rabbitMQ"; empty when absent. The error is
// Invalid and says what is there instead of an object.
func (h HostJSON) Extension(name string) (Properties, error) {
	section, err := nested(h.Properties, "extensions", name)
	if err != nil {
		return Properties{}, Errorf(Invalid, "host.json: %w", err)
	}
	return section, nil
}

// Allows reports whether the allow list "functions" lets a function run.
func (h HostJSON) Allows(function string) bool {
	for _, name := range h.Functions {
		if strings.EqualFold(name, function) {
			return true
		}
	}
	return len(h.Functions) == 0
}

func nested(props Properties, outer, inner string) (Properties, error) {
	section, err := props.Section(outer)
	if err != nil {
		return Properties{}, err
	}
	section, err = section.Section(inner)
	return section, within(outer, err)
}

func within(path string, err error) error {
	if err == nil {
		return nil
	}
	return Errorf(Invalid, "%s: %w", path, err)
}

// texts reads an object whose values are all texts, nil when absent.
func texts(props Properties, key string) (map[string]string, error) {
	section, err := props.Section(key)
	if err != nil || len(section) == 0 {
		return nil, err
	}
	out := make(map[string]string, len(section))
	for name := range section {
		if out[name], err = section.Text(name, ""); err != nil {
			return nil, within(key, err)
		}
	}
	return out, nil
}
