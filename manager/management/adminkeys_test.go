package management_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAdminKeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	app := d.site("shop")
	d.publish(app)
	host := d.admin(200, post, sites+"shop/host/default/listkeys", "")
	master, _ := host.at("masterKey").(string)
	functionKey, _ := host.at("functionKeys", "default").(string)
	call := func(status int, method, path, body string) answer {
		t.Helper()
		a := d.do("", method, "/shop/admin"+path, body, "X-Functions-Key", master)
		if a.Code != status {
			t.Fatalf("%s %s: %d, want %d: %s", method, path, a.Code, status, a.Body)
		}
		return a
	}
	for name, header := range map[string]string{"none": "", "wrong": "nope", "a function key": functionKey, "another case": strings.ToLower(master)} {
		if a := d.do("", get, "/shop/admin/host/keys", "", "X-Functions-Key", header); a.Code != 401 || a.Body.Len() != 0 {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	if a := d.do("admin", get, "/shop/admin/host/keys", ""); a.Code != 401 {
		t.Errorf("a bearer token opens the app's own API: %d", a.Code)
	}
	if a := d.do("", get, "/shop/admin/host/keys?code="+master, ""); a.Code != 200 {
		t.Errorf("by code: %d", a.Code)
	}
	if got := keyNames(call(200, get, "/host/keys", "")); !cmp.Equal(got, []string{"default", "_master"}) {
		t.Errorf("%v", got)
	}
	if a := call(200, get, "/host/systemkeys/_master", ""); a.json["value"] != master {
		t.Errorf("%s", a.Body)
	}
	if a := call(201, post, "/host/functionkeys/ci", ""); a.json["name"] != "ci" || len(a.json["value"].(string)) < 40 {
		t.Errorf("%s", a.Body)
	}
	call(200, put, "/host/keys/ci", `{"name":"ci","value":"c1"}`)
	if a := call(200, get, "/host/functionkeys/ci", ""); a.json["value"] != "c1" {
		t.Errorf("%s", a.Body)
	}
	call(400, put, "/host/keys/ci", `{}`)
	call(204, "DELETE", "/host/keys/ci", "")
	call(404, "DELETE", "/host/keys/ci", "")
	call(404, get, "/host/keys/ci", "")
	call(201, put, "/host/systemkeys/eventgrid_extension", `{"value":"e1"}`)
	if got := keyNames(call(200, get, "/host/systemkeys", "")); !cmp.Equal(got, []string{"_master", "eventgrid_extension"}) {
		t.Errorf("%v", got)
	}
	if got := keyNames(call(200, get, "/functions/hello/keys", "")); !cmp.Equal(got, []string{"default"}) {
		t.Errorf("%v", got)
	}
	call(201, post, "/functions/Hello/keys/k1", "")
	call(204, "DELETE", "/functions/hello/keys/k1", "")
	call(404, get, "/functions/nope/keys", "")
	call(400, "DELETE", "/host/keys/_master", "")
	call(201, post, "/host/systemkeys/_master", "")
	if a := d.do("", get, "/shop/admin/host/keys", "", "X-Functions-Key", master); a.Code != 401 {
		t.Errorf("the old master key still opens: %d", a.Code)
	}
	row := d.find("master key master")
	if row.Principal != "master key of shop" || row.Scope != shopScope || strings.Contains(d.log.String(), master) {
		t.Errorf("%+v", row)
	}
}

func keyNames(a answer) []string {
	var all []string
	items, _ := a.json["keys"].([]any)
	for _, i := range items {
		m, _ := i.(map[string]any)
		name, _ := m["name"].(string)
		all = append(all, name)
	}
	return all
}
