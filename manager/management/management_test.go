package management_test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/management"
)

const (
	get   = http.MethodGet
	put   = http.MethodPut
	post  = http.MethodPost
	patch = http.MethodPatch
	del   = http.MethodDelete
)

func TestConventions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.site("Shop")
	for _, path := range []string{sites + "Shop", strings.ToUpper(sites) + "SHOP", "//subscriptions//" + sub + "/resourcegroups/RG/providers/microsoft.web/sites/shop/", sites + "shop?API-Version=x&api-version=2015-08-01"} {
		a := d.admin(http.StatusOK, get, path, "", "X-Ms-Client-Request-Id", "mine", "X-Ms-Correlation-Request-Id", "corr")
		if a.at("id") != sites+"Shop" || a.at("name") != "Shop" {
			t.Errorf("%s: id %v, name %v", path, a.at("id"), a.at("name"))
		}
		h := a.Header()
		if h.Get("X-Ms-Request-Id") == "" || h.Get("X-Ms-Client-Request-Id") != "mine" || h.Get("X-Ms-Correlation-Request-Id") != "corr" || h.Get("ETag") == "" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"no api-version", get, sites + "shop?noversion", "", 400, "MissingApiVersionParameter"},
		{"unknown app", get, sites + "nope", "", 404, "ResourceNotFound"},
		{"unknown group", get, "/subscriptions/" + sub + "/resourceGroups/nope", "", 404, "ResourceGroupNotFound"},
		{"unknown subscription", get, "/subscriptions/nope", "", 404, "SubscriptionNotFound"},
		{"unknown path", get, sites + "shop/nope", "", 404, "ResourceNotFound"},
		{"unknown method", del, sites + "shop/start", "", 404, "ResourceNotFound"},
		{"no JSON", put, sites + "shop", "{", 400, "BadRequest"},
		{"app in an unknown group", put, strings.Replace(sites, "/rg/", "/nope/", 1) + "x1", "{}", 404, "ResourceGroupNotFound"},
		{"group in an unknown subscription", put, "/subscriptions/nope/resourceGroups/x", "{}", 404, "SubscriptionNotFound"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := d.do("admin", tc.method, tc.path, tc.body)
			if a.Code != tc.status || a.code() != tc.code || a.at("error", "message") == "" || a.Header().Get("X-Ms-Error-Code") != tc.code {
				t.Errorf("%d %s, want %d %s", a.Code, a.Body, tc.status, tc.code)
			}
		})
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	a := newDesk(t).do("", get, "/metadata/endpoints?api-version=2015-01-01", "")
	if a.at("authentication", "loginEndpoint") != "https://localhost:7443/adfs" || a.Code != 200 {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if diff := cmp.Diff([]any{"https://localhost:7443/"}, a.at("authentication", "audiences")); diff != "" {
		t.Error(diff)
	}
}

func TestResourceGroups(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	path := "/subscriptions/" + sub + "/resourceGroups/Team.One"
	d.admin(404, http.MethodHead, path, "")
	a := d.admin(201, put, path, `{"location":"local"}`)
	if a.at("properties", "provisioningState") != "Succeeded" || a.at("name") != "Team.One" {
		t.Errorf("%s", a.Body)
	}
	if a := d.admin(204, http.MethodHead, strings.ToLower(path), ""); a.Body.Len() != 0 {
		t.Error("a body on HEAD")
	}
	tag := d.admin(200, get, path, "").Header().Get("ETag")
	d.admin(412, put, path, `{}`, "If-Match", `"old"`)
	d.admin(412, put, path, `{}`, "If-None-Match", "*")
	d.admin(200, put, path, `{}`, "If-Match", tag)
	d.admin(412, put, path+"2", `{}`, "If-Match", "*")
	for _, bad := range []string{"a%20b", "dot.", "a%3Fb", strings.Repeat("x", 91)} {
		d.admin(400, put, "/subscriptions/"+sub+"/resourceGroups/"+bad, `{}`)
	}
	d.admin(200, del, path, "")
	d.admin(404, del, path, "")
	d.site("shop")
	if a := d.admin(409, del, group, ""); !strings.Contains(a.Body.String(), "still holds apps") {
		t.Errorf("%s", a.Body)
	}
}

func TestSiteLife(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	app := d.site("Shop")
	if len(app.PublishPassword) != 60 || app.Kind != "functionapp" {
		t.Errorf("%+v", app)
	}
	a := d.admin(200, get, sites+"shop", "")
	properties, _ := a.at("properties").(map[string]any)
	for name, want := range map[string]any{
		"state": "Running", "enabled": true, "defaultHostName": "shop.functions.localhost", "sku": "ElasticPremium", "reserved": false,
		"isXenon": false, "hyperV": false, "httpsOnly": false, "clientAffinityEnabled": false, "resourceGroup": "rg", "repositorySiteName": "Shop",
		"availabilityState": "Normal", "usageState": "Normal", "serverFarmId": group + "/providers/Microsoft.Web/serverfarms/default",
		"hostNames": []any{"shop.functions.localhost"}, "enabledHostNames": []any{"shop.functions.localhost", "shop.scm.functions.localhost"},
	} {
		if diff := cmp.Diff(want, properties[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if !strings.Contains(a.Body.String(), `{"hostType":"Repository","name":"localhost:7443/scm/shop","sslState":"Disabled"}`) {
		t.Errorf("no repository host in %s", a.Body)
	}
	d.admin(200, get, group+"/providers/Microsoft.Web/serverfarms/default", "")
	// az reads the app and puts all of it back: settings and keys stay.
	before := d.admin(200, post, sites+"shop/config/appsettings/list", "").Body.String()
	d.admin(200, put, sites+"shop", a.Body.String())
	if after := d.admin(200, post, sites+"shop/config/appsettings/list", "").Body.String(); after != before {
		t.Errorf("putting an app back changed its settings to %s", after)
	}
	d.admin(200, patch, sites+"shop", `{"tags":{"team":"blue"}}`)
	if got := d.admin(200, get, sites+"shop", "").at("tags", "team"); got != "blue" {
		t.Errorf("tags: %v", got)
	}
	d.admin(200, post, sites+"shop/stop", "")
	d.admin(200, post, sites+"shop/stop", "")
	if got := d.admin(200, get, sites+"shop", "").at("properties", "state"); got != "Stopped" {
		t.Errorf("state after stop: %v", got)
	}
	d.admin(200, post, sites+"shop/start", "")
	if got := d.admin(200, get, sites+"shop", "").at("properties", "state"); got != "Running" {
		t.Errorf("state after start: %v", got)
	}
	d.admin(200, post, sites+"shop/restart", "")
	if diff := cmp.Diff([]string{"Shop"}, d.restarted); diff != "" {
		t.Error(diff)
	}
	d.admin(200, del, sites+"shop", "")
	d.admin(204, del, sites+"shop", "")
	d.admin(404, get, sites+"shop", "")
}

func TestSitePreconditions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.admin(412, put, sites+"shop", "{}", "If-Match", "*")
	d.site("shop")
	tag := d.admin(200, get, sites+"shop", "").Header().Get("ETag")
	d.admin(304, get, sites+"shop", "", "If-None-Match", tag)
	d.admin(412, put, sites+"shop", "{}", "If-None-Match", "*")
	if a := d.admin(412, patch, sites+"shop", `{"tags":{"a":"b"}}`, "If-Match", `"app-99"`); a.code() != "PreconditionFailed" {
		t.Errorf("%s", a.Body)
	}
	d.admin(200, patch, sites+"shop", `{"tags":{"a":"b"}}`, "If-Match", tag)
	d.admin(412, del, sites+"shop", "", "If-Match", tag)
	d.admin(200, del, sites+"shop", "", "If-Match", "*")
}

func TestSiteRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.site("shop")
	for _, tc := range []struct {
		name, site, body string
		status           int
		says             string
	}{
		{"name of ours", "SCM", "{}", 400, "Nightshift uses this name"},
		{"bad name", "a_b", "{}", 400, "letters"},
		{"web app", "web1", `{"kind":"app,linux"}`, 501, "function apps only"},
		{"unknown runtime", "app1", `{"properties":{"siteConfig":{"appSettings":[{"name":"FUNCTIONS_WORKER_RUNTIME","value":"cobol"}]}}}`, 400, "node, python, java"},
		{"in-process .NET", "app1", `{"properties":{"siteConfig":{"appSettings":[{"name":"FUNCTIONS_WORKER_RUNTIME","value":"dotnet"}]}}}`, 400, "dotnet-isolated"},
		{"kept name", "app1", `{"properties":{"siteConfig":{"appSettings":[{"name":"NIGHTSHIFT_APP","value":"v4lue"}]}}}`, 400, "kept for the instance"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := d.do("admin", put, sites+tc.site, tc.body)
			if a.Code != tc.status || !strings.Contains(a.Body.String(), tc.says) || strings.Contains(a.Body.String(), "v4lue") {
				t.Errorf("%d %s", a.Code, a.Body)
			}
			if _, err := d.db.App(t.Context(), tc.site); err == nil {
				t.Error("the app was made")
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	app := d.site("shop")
	list := d.admin(200, post, sites+"shop/config/AppSettings/list", "")
	want := map[string]any{"FUNCTIONS_EXTENSION_VERSION": "~4", "FUNCTIONS_WORKER_RUNTIME": "node", "SECRET": "s3cr3t-setting"}
	if diff := cmp.Diff(want, list.at("properties")); diff != "" {
		t.Error(diff)
	}
	tag := list.Header().Get("ETag")
	d.admin(200, put, sites+"shop/config/appsettings", `{"properties":{"A":"1","GONE":null}}`, "If-Match", tag)
	d.admin(412, put, sites+"shop/config/appsettings", `{"properties":{"A":"2"}}`, "If-Match", tag)
	if diff := cmp.Diff(map[string]any{"A": "1"}, d.admin(200, post, sites+"shop/config/appsettings/list", "").at("properties")); diff != "" {
		t.Error(diff)
	}
	big := strings.Repeat("x", 33<<10)
	for name, body := range map[string]string{
		"no properties":  `{}`,
		"nomad":          `{"properties":{"nomad_x":"v4lue"}}`,
		"nightshift":     `{"properties":{"Nightshift_x":"v4lue"}}`,
		"equals sign":    `{"properties":{"a=b":"v4lue"}}`,
		"empty name":     `{"properties":{"":"v4lue"}}`,
		"long name":      `{"properties":{"` + strings.Repeat("n", 257) + `":"v4lue"}}`,
		"number":         `{"properties":{"A":1}}`,
		"zero byte":      `{"properties":{"A":"v4lue\u0000"}}`,
		"case twins":     `{"properties":{"A":"v4lue","a":"v4lue"}}`,
		"unknown worker": `{"properties":{"FUNCTIONS_WORKER_RUNTIME":"cobol"}}`,
	} {
		if a := d.admin(400, put, sites+"shop/config/appsettings", body); strings.Contains(a.Body.String(), "v4lue") {
			t.Errorf("%s: the error repeats a value: %s", name, a.Body)
		}
	}
	d.admin(413, put, sites+"shop/config/appsettings", `{"properties":{"A":"`+big+`"}}`)
	var many []string
	for i := range 9 {
		many = append(many, fmt.Sprintf(`"A%d":"%s"`, i, big[:32<<10]))
	}
	d.admin(413, put, sites+"shop/config/appsettings", `{"properties":{`+strings.Join(many, ",")+`}}`)
	now, _, err := d.db.Settings(t.Context(), app.ID)
	must(t, err)
	if diff := cmp.Diff(map[string]string{"A": "1"}, now); diff != "" {
		t.Errorf("a refused change went through: %s", diff)
	}
}

func TestSettingsOfAPublishedAppMakeARevision(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	app := d.site("shop")
	d.publish(app)
	before, err := d.db.App(t.Context(), "shop")
	must(t, err)
	d.admin(200, put, sites+"shop/config/appsettings", `{"properties":{"A":"1"}}`)
	after, err := d.db.App(t.Context(), "shop")
	must(t, err)
	if after.DesiredRevision != before.DesiredRevision+1 {
		t.Errorf("desired revision %d, was %d", after.DesiredRevision, before.DesiredRevision)
	}
}

func TestPublishing(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		addresses        management.Addresses
		url, scm, appURL string
	}{
		"path form": {pathForm(), "https://localhost:7443/scm/shop", "https://$Shop:%s@localhost:7443/scm/shop", "http://localhost:7081/shop"},
		"host form": {
			management.Addresses{Management: "https://night.example.com", Domain: "fn.example.com"},
			"shop.scm.fn.example.com:443", "https://$Shop:%s@shop.scm.fn.example.com", "https://shop.fn.example.com",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDeskAt(t, tc.addresses)
			app := d.site("Shop")
			a := d.admin(200, post, sites+"shop/config/publishingcredentials/list", "")
			if a.at("properties", "publishingUserName") != "$Shop" || a.at("properties", "publishingPassword") != app.PublishPassword ||
				a.at("properties", "scmUri") != fmt.Sprintf(tc.scm, app.PublishPassword) {
				t.Errorf("%s", a.Body)
			}
			for _, body := range []string{"", `{"format":"WebDeploy"}`, `{}`} {
				a = d.admin(200, post, sites+"shop/publishxml", body)
				want := `<publishData><publishProfile profileName="Shop - Zip Deploy" publishMethod="ZipDeploy" publishUrl="` + tc.url +
					`" userName="$Shop" userPWD="` + app.PublishPassword + `" destinationAppUrl="` + tc.appURL +
					`" SQLServerDBConnectionString="" mySQLDBConnectionString="" hostingProviderForumLink="" controlPanelLink="` +
					tc.addresses.Management + `" webSystem="WebSites"><databases></databases></publishProfile></publishData>`
				if diff := cmp.Diff(want, a.Body.String()); diff != "" || a.Header().Get("Content-Type") != "application/xml" {
					t.Errorf("%s %s", a.Header().Get("Content-Type"), diff)
				}
				if err := xml.Unmarshal(a.Body.Bytes(), new(struct{})); err != nil {
					t.Error(err)
				}
			}
			d.admin(400, post, sites+"shop/publishxml", `{"format":"Punch cards"}`)
			d.admin(204, post, sites+"shop/newpassword", "")
			after, err := d.db.App(t.Context(), "shop")
			must(t, err)
			if after.PublishPassword == app.PublishPassword || len(after.PublishPassword) != 60 {
				t.Error("the password was not replaced")
			}
		})
	}
}

func TestPaging(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprintf("app%d", i))
		d.site(want[i])
	}
	var got []string
	path := group + "/providers/Microsoft.Web/sites?$top=2&api-version=2022-03-01"
	for pages := 1; path != ""; pages++ {
		a := d.admin(200, get, path, "")
		got = append(got, strings.Fields(names(a))...)
		next, _ := a.json["nextLink"].(string)
		if next != "" && !strings.HasPrefix(next, "https://localhost:7443/subscriptions/") || pages > 3 {
			t.Fatalf("page %d: next %q", pages, next)
		}
		path = strings.TrimPrefix(next, "https://localhost:7443")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	d.admin(400, get, group+"/providers/Microsoft.Web/sites?$top=x", "")
	d.admin(400, get, group+"/providers/Microsoft.Web/sites?$skipToken=%21", "")
}

func TestFunctions(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	app := d.site("shop")
	if got := names(d.admin(200, get, sites+"shop/functions", "")); got != "" {
		t.Errorf("before publishing: %q", got)
	}
	d.publish(app)
	if got := names(d.admin(200, get, sites+"shop/functions", "")); got != "shop/Broken shop/Hello shop/Off" {
		t.Errorf("functions: %q", got)
	}
	hello := d.admin(200, get, sites+"shop/functions/hello", "")
	for name, want := range map[string]any{
		"name": "Hello", "isDisabled": false, "language": "node", "function_app_id": sites + "shop", "errors": []any{},
		"invoke_url_template": "http://localhost:7081/shop/api/hello",
	} {
		if diff := cmp.Diff(want, hello.at("properties", name)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if a := d.admin(200, get, sites+"shop/functions/Off", ""); a.at("properties", "isDisabled") != true {
		t.Errorf("%s", a.Body)
	}
	broken := d.admin(200, get, sites+"shop/functions/Broken", "")
	if diff := cmp.Diff([]any{"cannot find module 'x'"}, broken.at("properties", "errors")); diff != "" {
		t.Error(diff)
	}
	d.admin(404, get, sites+"shop/functions/nope", "")
	d.admin(204, post, sites+"shop/host/default/sync", "")
	d.admin(204, post, sites+"shop/syncfunctiontriggers", "")
	if a := d.admin(200, get, sites+"shop/instances", ""); names(a) != "shop/i-1" || !strings.Contains(a.Body.String(), `"state":"READY"`) {
		t.Errorf("%s", a.Body)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.publish(d.site("shop"))
	fn := sites + "shop/functions/Hello"
	first := d.admin(200, post, fn+"/listKeys", "")
	value, _ := first.json["default"].(string)
	if len(first.json) != 1 || value == "" {
		t.Errorf("listkeys is not flat: %s", first.Body)
	}
	secrets := d.admin(200, post, fn+"/listsecrets", "")
	if secrets.json["key"] != value || secrets.json["trigger_url"] != "http://localhost:7081/shop/api/hello?code="+value {
		t.Errorf("%s", secrets.Body)
	}
	a := d.admin(201, put, fn+"/keys/k1", `{"properties":{"name":"k1","value":"mine"}}`)
	if a.at("properties", "value") != "mine" || a.at("properties", "name") != "k1" || a.at("name") != "shop/k1" {
		t.Errorf("%s", a.Body)
	}
	d.admin(200, put, fn+"/keys/K1", `{"name":"k1","value":"flat"}`)
	made := d.admin(201, put, fn+"/keys/made", "")
	if v, _ := made.at("properties", "value").(string); len(v) < 40 {
		t.Errorf("%s", made.Body)
	}
	all := d.admin(200, post, fn+"/listkeys", "").json
	if all["k1"] != "flat" || all["default"] != value || len(all) != 3 {
		t.Errorf("%v", all)
	}
	if other := d.admin(200, post, sites+"shop/functions/Off/listkeys", "").json; len(other) != 1 || other["default"] == value {
		t.Errorf("another function's keys: %v", other)
	}
	d.admin(204, del, fn+"/keys/k1", "")
	d.admin(404, del, fn+"/keys/k1", "")
	d.admin(404, put, sites+"shop/functions/nope/keys/k1", "{}")
	host := sites + "shop/host/default/"
	before := d.admin(200, post, host+"listkeys", "")
	d.admin(200, put, host+"masterKey/_master", `{"properties":{"value":"m4ster"}}`)
	d.admin(201, put, host+"functionKeys/ci", `{"properties":{"value":"c1"}}`)
	d.admin(201, put, host+"systemkeys/durabletask_extension", "")
	after := d.admin(200, post, host+"listKeys", "")
	if after.at("masterKey") != "m4ster" || before.at("masterKey") == "m4ster" || after.at("functionKeys", "ci") != "c1" ||
		after.at("functionKeys", "default") == nil || after.at("systemKeys", "durabletask_extension") == nil {
		t.Errorf("%s", after.Body)
	}
	d.admin(204, del, host+"functionkeys/CI", "")
	d.admin(400, del, host+"masterkey/_master", "")
	d.admin(404, put, host+"otherkeys/x", "{}")
	d.admin(400, put, host+"functionkeys/a%20b", "{}")
	d.admin(400, put, host+"functionkeys/a", `{"value":"has a space"}`)
}

func TestDeployments(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.publish(d.site("shop"))
	if a := d.admin(200, get, sites+"shop/deployments", ""); names(a) != "shop/d-1" {
		t.Errorf("%s", a.Body)
	}
	a := d.admin(200, get, sites+"shop/deployments/d-1", "")
	if a.at("properties", "status") != 4.0 || a.at("properties", "active") != true || a.at("properties", "deployer") != "az_cli" ||
		a.at("properties", "end_time") == nil || a.at("properties", "provisioningState") != "Succeeded" {
		t.Errorf("%s", a.Body)
	}
	if a := d.admin(200, get, sites+"shop/deployments/d-1/log", ""); !strings.Contains(a.Body.String(), `"message":"staged"`) {
		t.Errorf("%s", a.Body)
	}
	d.site("other")
	d.admin(404, get, sites+"other/deployments/d-1", "")
	d.admin(404, get, sites+"other/deployments/d-1/log", "")
}

func TestRuntimeResources(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.site("shop")
	audit := d.admin(200, get, "/subscriptions/"+sub+"/providers/Nightshift.Runtime/audit", "")
	if !strings.Contains(audit.Body.String(), "create app shop") || strings.Contains(audit.Body.String(), "signin") {
		t.Errorf("%s", audit.Body)
	}
	if all := d.admin(200, get, "/providers/nightshift.runtime/audit", ""); !strings.Contains(all.Body.String(), "signin") {
		t.Errorf("%s", all.Body)
	}
	nodes := d.admin(200, get, "/subscriptions/"+sub+"/providers/nightshift.runtime/nodes", "")
	if names(nodes) != "spare-pc" || strings.Contains(nodes.Body.String(), "10.0.0.1") {
		t.Errorf("%s", nodes.Body)
	}
}

// Two who take the same name at once: one gets it, the other is told.
func TestConcurrentCreate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	results := make(chan int, 8)
	for range cap(results) {
		go func() { results <- d.do("admin", put, sites+"shop", `{}`).Code }()
	}
	for range cap(results) {
		if code := <-results; code != 200 && code != 409 {
			t.Errorf("%d", code)
		}
	}
	app, err := d.db.App(t.Context(), "shop")
	must(t, err)
	all, err := d.db.Keys(t.Context(), app.ID)
	must(t, err)
	if len(all) != 2 {
		t.Errorf("%d keys, want a master and a default key", len(all))
	}
	apps, _, err := d.db.Apps(t.Context(), store.AppFilter{}, store.Page{})
	must(t, err)
	if len(apps) != 1 {
		t.Errorf("%d apps", len(apps))
	}
}
