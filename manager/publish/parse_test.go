package publish

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestRoutePath(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"/api/zipdeploy": "/zipdeploy", "/zipdeploy": "/zipdeploy", "//api//zipdeploy/": "/zipdeploy", "/API/ZipDeploy": "/zipdeploy",
		"/api/zipdeploy/validate": "/zipdeploy/validate", "/api/deployments/": "/deployments", "/api/settings/My_Key": "/settings/My_Key",
		"/": "/", "": "/", "/api": "/", "/api/": "/", "/api/api/x": "/api/x", "/apix": "/apix",
	}
	for in, want := range tests {
		if got := routePath(in); got != want {
			t.Errorf("routePath(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzPathForm(f *testing.F) {
	for _, seed := range []string{"/scm/orders/api/zipdeploy", "//scm//orders//", "/scm/../x", "/scm", "scm/a/b", "/scm/a/../b/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, p string) {
		name, rest, ok := splitPathForm(p)
		if !ok {
			return
		}
		if name == "" || name == "." || name == ".." || strings.Contains(name, "/") || !strings.HasPrefix(rest, "/") || strings.Contains(rest, "//") {
			t.Errorf("splitPathForm(%q) = %q, %q", p, name, rest)
		}
		if once := routePath(rest); !strings.HasPrefix(once, "/") || strings.Contains(once, "//") || strings.Contains(once, "/../") {
			t.Errorf("routePath(%q) = %q", rest, once)
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("isAsync=true&deployer=x")
	f.Add("ISASYNC=True&Author=%ff%fe&type=zip&path=/")
	f.Add("remoteBuild=TRUE")
	f.Fuzz(func(t *testing.T, raw string) {
		values, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		q := parseQuery(values)
		o := q.options("d", "m")
		for _, text := range []string{o.author, o.authorEmail, o.deployer, o.message} {
			if text == "" || len(text) > maxText || !utf8.ValidString(text) {
				t.Errorf("%q from %q", text, raw)
			}
		}
		if _, err := q.oneDeploy(); err != nil && err.Error() == "" {
			t.Errorf("a refusal without a word for %q", raw)
		}
	})
}

func FuzzSettings(f *testing.F) {
	for _, seed := range []string{`{"A":"1"}`, `{"key":"A","value":"1"}`, `{"key":"A"}`, `{"A":true,"B":1.5e3}`, `{"A":null}`, `{"":""}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var body map[string]any
		if json.Unmarshal([]byte(raw), &body) != nil {
			return
		}
		got, err := readSettings(body)
		if err != nil {
			return
		}
		for name, value := range got {
			if name == "" || len(name) > maxSettingName || len(value) > maxSettingValue {
				t.Errorf("%q: %q from %q", name, value, raw)
			}
		}
	})
}

func TestReadSettings(t *testing.T) {
	t.Parallel()
	tests := map[string]map[string]string{
		`{"A":"1","B":true,"C":12}`:       {"A": "1", "B": "true", "C": "12"},
		`{"key":"A","value":"1"}`:         {"A": "1"},
		`{"key":"A","value":"1","B":"2"}`: {"key": "A", "value": "1", "B": "2"},
		`{"key":"A"}`:                     {"key": "A"},
		`{}`:                              {},
	}
	for raw, want := range tests {
		var body map[string]any
		if err := json.Unmarshal([]byte(raw), &body); err != nil {
			t.Fatal(err)
		}
		got, err := readSettings(body)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
}

func TestUnused(t *testing.T) {
	t.Parallel()
	got := unused(map[string]string{"website_run_from_package": "https://x/y.zip", "SCM_DO_BUILD_DURING_DEPLOYMENT": "true", "ENABLE_ORYX_BUILD": "false"})
	if len(got) != 2 {
		t.Errorf("warnings %q", got)
	}
	if got := unused(map[string]string{"WEBSITE_RUN_FROM_PACKAGE": "1"}); got != nil {
		t.Errorf("warnings %q", got)
	}
}
