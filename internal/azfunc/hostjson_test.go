package azfunc_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const fullHostJSON = "\xef\xbb\xbf" + `// our host
{
  "Version": "2.0",
  "functions": ["Order"], /* only this
  one */
  "functionTimeout": "00:10:00",
  "logging": {"logLevel": {"default": "Information", "Function.Order": "Debug"}},
  "extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
  "extensions": {
    "HTTP": {"routePrefix": "/v1/", "maxOutstandingRequests": "20", "maxConcurrentRequests": 5, "dynamicThrottlesEnabled": "True",
      "customHeaders": {"X-Frame-Options": "DENY"}},
    "queues": {"batchSize": 8, "visibilityTimeout": "00:00:30"},
  },
  "customHandler": {
    "description": {"defaultExecutablePath": "bin/handler", "arguments": ["--a", "http://x//y"], "workingDirectory": "bin"},
    "enableForwardingHttpRequest": true,
    "http": {"defaultAuthorizationLevel": "anonymous", "routes": [{"route": "{*path}"}]}
  }
}`

func TestParseHostJSON(t *testing.T) {
	t.Parallel()
	h, err := azfunc.ParseHostJSON([]byte(fullHostJSON))
	if err != nil {
		t.Fatal(err)
	}
	want := azfunc.HostJSON{
		Functions: []string{"Order"}, FunctionTimeout: 10 * time.Minute,
		HTTP: azfunc.HTTPOptions{RoutePrefix: "v1", MaxOutstandingRequests: 20, MaxConcurrentRequests: 5,
			DynamicThrottlesEnabled: true, CustomHeaders: map[string]string{"X-Frame-Options": "DENY"}},
		LogLevel:        map[string]string{"default": "Information", "Function.Order": "Debug"},
		ExtensionBundle: azfunc.ExtensionBundle{ID: "Microsoft.Azure.Functions.ExtensionBundle", Version: "[4.*, 5.0.0)"},
		CustomHandler: &azfunc.CustomHandler{Executable: "bin/handler", Arguments: []string{"--a", "http://x//y"}, WorkingDirectory: "bin",
			EnableForwardingHTTPRequest: true, InitializationTimeout: 30 * time.Second,
			HTTPDefaultAuthorizationLevel: "anonymous", HTTPRoutes: []azfunc.CustomRoute{{Route: "{*path}"}}},
	}
	got := h
	got.Properties, got.Raw = nil, nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	queues, err := h.Extension("Queues")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := queues.Int("batchSize", 16); n != 8 || err != nil {
		t.Errorf("batchSize = %d, %v", n, err)
	}
	if d, err := queues.Duration("visibilityTimeout", 0); d != 30*time.Second || err != nil {
		t.Errorf("visibilityTimeout = %v, %v", d, err)
	}
	if !h.Allows("order") || h.Allows("Other") || !json.Valid(h.Raw) {
		t.Errorf("allow list or raw wrong: %s", h.Raw)
	}
}

func TestDefaultHostJSON(t *testing.T) {
	t.Parallel()
	h := azfunc.DefaultHostJSON()
	if h.HTTP.RoutePrefix != "api" || h.HTTP.MaxOutstandingRequests != azfunc.Unlimited || h.ExtensionBundle.ID == "" || !h.Allows("any") {
		t.Errorf("default = %+v", h)
	}
}

func TestParseHostJSONRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, in, want string }{
		{"empty", " \n", "host.json is empty"},
		{"only a comment", "// nothing", "host.json is empty"},
		{"syntax", "{\n  // ü\n  \"version\": 2.0x\n}", "host.json is not valid JSON: line 3, column 17"},
		{"position after a comment", "{\n /* ü */ \"version\": oops}", "line 2, column 21"},
		{"unterminated comment", "{ \"version\": \"2.0\" /* }", "line 1, column 20"},
		{"cut off", `{"version": "2.0"`, "line 1, column 18: it ends too early"},
		{"two documents", `{"version": "2.0"} {}`, "line 1, column 20"},
		{"list", "[]", "not a list"},
		{"null", "null", "not null"},
		{"no version", "{}", `host.json: "version" is missing`},
		{"version 1", `{"version": "1.0"}`, `"version" is "1.0"`},
		{"version object", `{"version": {}}`, `must be the text "2.0", not an object`},
		{"version null", `{"version": null}`, `must be the text "2.0", not null`},
		{"functions", `{"version": "2.0", "functions": {}}`, `"functions" must be a list`},
		{"functions without end", `{"version": "2.0", "functions": ["a"` + strings.Repeat(`,"a"`, 1000) + `]}`, "lists 1001 names, 1000 is the limit"},
		{"timeout words", `{"version": "2.0", "functionTimeout": "5 minutes"}`, `"functionTimeout": "5 minutes" is not a time span`},
		{"timeout too short", `{"version": "2.0", "functionTimeout": "00:00:00.5"}`, "at least one second"},
		{"extensions list", `{"version": "2.0", "extensions": []}`, `"extensions" must be an object, not a list`},
		{"http text", `{"version": "2.0", "extensions": {"http": "api"}}`, `extensions: "http" must be an object, not "api"`},
		{"prefix object", `{"version": "2.0", "extensions": {"http": {"routePrefix": {}}}}`, `extensions.http: "routePrefix" must be text`},
		{"outstanding", `{"version": "2.0", "extensions": {"http": {"maxOutstandingRequests": "many"}}}`, `must be a whole number, not "many"`},
		{"header injection", `{"version": "2.0", "extensions": {"http": {"customHeaders": {"a": "b\r\nc: d"}}}}`, `"a" is not an HTTP header`},
		{"log level", `{"version": "2.0", "logging": {"logLevel": "Debug"}}`, `logging: "logLevel" must be an object`},
		{"handler text", `{"version": "2.0", "customHandler": "x"}`, `"customHandler" must be an object`},
		{"handler without program", `{"version": "2.0", "customHandler": {}}`, "defaultExecutablePath is missing"},
		{"handler port", `{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "x"}, "port": 70000}}`, `"port" is 70000`},
		{"handler routes", `{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "x"}, "http": {"routes": ["a"]}}}`, "a list of objects"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := azfunc.ParseHostJSON([]byte(c.in))
			wantError(t, err, c.want)
		})
	}
}

func TestHostJSONNumberVersion(t *testing.T) {
	t.Parallel()
	if _, err := azfunc.ParseHostJSON([]byte(`{"version": 2.0}`)); err != nil {
		t.Errorf("a configuration reader sees 2.0 as the text 2.0: %v", err)
	}
}

func TestApplyOverrides(t *testing.T) {
	t.Parallel()
	const base = `{"version":"2.0","functions":["A","B"],"extensions":{"http":{"maxOutstandingRequests":5,"dynamicThrottlesEnabled":false}}}`
	raw, err := azfunc.ApplyOverrides([]byte(base), map[string]string{
		"AzureFunctionsJobHost__extensions__http__routePrefix":            "v2",
		"azurefunctionsjobhost__EXTENSIONS__HTTP__MaxOutstandingRequests": "007",
		"AzureFunctionsJobHost:extensions:http:dynamicThrottlesEnabled":   "True",
		"AzureFunctionsJobHost__functions__1":                             "C",
		"AzureFunctionsJobHost__functions__2":                             "D",
		"AzureFunctionsJobHost__functions__10":                            "L",
		"AzureFunctionsJobHost__functions__3":                             "E", "AzureFunctionsJobHost__functions__4": "F",
		"AzureFunctionsJobHost__functions__5": "G", "AzureFunctionsJobHost__functions__6": "H", "AzureFunctionsJobHost__functions__7": "I",
		"AzureFunctionsJobHost__functions__8": "J", "AzureFunctionsJobHost__functions__9": "K",
		"AzureFunctionsJobHost__watchFiles__0":              "x.txt",
		"AzureFunctionsJobHost__Logging__LogLevel__Default": "Warning",
		"AzureFunctionsJobHost__":                           "ignored",
		"AzureFunctionsJobHost__a____b":                     "ignored",
		"OTHER":                                             "ignored",
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Logging":{"LogLevel":{"Default":"Warning"}},"extensions":{"http":{"dynamicThrottlesEnabled":true,"maxOutstandingRequests":7,"routePrefix":"v2"}},"functions":["A","C","D","E","F","G","H","I","J","K","L"],"version":"2.0","watchFiles":["x.txt"]}`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Error(diff)
	}
	h, err := azfunc.ParseHostJSON(raw)
	if err != nil || h.HTTP.RoutePrefix != "v2" || h.LogLevel["Default"] != "Warning" {
		t.Errorf("host.json after overrides: %+v, %v", h, err)
	}
}

func TestApplyOverridesRefuses(t *testing.T) {
	t.Parallel()
	_, err := azfunc.ApplyOverrides([]byte(`{"functions":["A"]}`), map[string]string{"AzureFunctionsJobHost__functions__7": "X"})
	wantError(t, err, `app setting AzureFunctionsJobHost__functions__7: "7" is not a place in a list of 1 entries`)
}

func FuzzParseHostJSON(f *testing.F) {
	for _, seed := range []string{fullHostJSON, `{"version":"2.0"}`, "{", "//", "/*", `{"version":"2.0",}`, `{"version":"2.0","customHandler":null}`, "\xef\xbb\xbf"} {
		f.Add([]byte(seed), "extensions__http__routePrefix", "v9")
	}
	f.Fuzz(func(t *testing.T, raw []byte, path, value string) {
		plain := azfunc.PlainJSON(raw)
		if len(plain) != len(raw) || bytes.Count(plain, []byte("\n")) != bytes.Count(raw, []byte("\n")) {
			t.Fatalf("positions moved: %q became %q", raw, plain)
		}
		if json.Valid(raw) && !json.Valid(plain) {
			t.Fatalf("valid JSON %q became invalid %q", raw, plain)
		}
		h, err := azfunc.ParseHostJSON(raw)
		if err != nil {
			if azfunc.CodeOf(err) != azfunc.Invalid {
				t.Fatalf("code %s: %v", azfunc.CodeOf(err), err)
			}
			return
		}
		again, err := azfunc.ParseHostJSON(h.Raw)
		if diff := cmp.Diff(h, again); err != nil || diff != "" {
			t.Fatalf("host.json does not read itself back: %v %s", err, diff)
		}
		if out, err := azfunc.ApplyOverrides(raw, map[string]string{azfunc.OverridePrefix + path: value}); err == nil && !json.Valid(out) {
			t.Fatalf("override of %q with %q made %q", path, value, out)
		}
	})
}
