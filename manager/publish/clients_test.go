package publish_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/store"
)

// follow polls a Location as the clients do, as soon as something changes.
func (r *rig) follow(t *testing.T, location string) deployed {
	t.Helper()
	if !strings.HasPrefix(location, r.server.URL+"/scm/") {
		t.Fatalf("Location %q is not absolute in the client's form", location)
	}
	var d deployed
	r.eventually(t, "an end of the deployment", func() bool {
		req := request(t, http.MethodGet, location, nil)
		req.SetBasicAuth("$"+appName, password)
		got := send(t, req)
		got.decode(t, &d)
		switch {
		case got.status == http.StatusAccepted && (d.Status == 0 || d.Status == 2):
			return false
		case got.status == http.StatusOK && (d.Status == 3 || d.Status == 4):
			return true
		}
		t.Fatalf("poll: %d with status %d", got.status, d.Status)
		return false
	})
	return d
}

// Visual Studio and dotnet publish, all implementations.
func TestDotnetZipDeploy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.rollout(t, store.StatusSuccess, "live")
	got := r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp())),
		"Content-Type", "application/zip; charset=utf-8", "Content-Encoding", "utf-8", "User-Agent", "websdk/WebSdk_VisualStudio_17.0").
		want(t, http.StatusAccepted)
	var d deployed
	got.decode(t, &d) // the newest SDK reads the first answer, too
	if got.header.Get("SCM-DEPLOYMENT-ID") != d.ID || got.header.Get("Retry-After") == "" {
		t.Errorf("headers %v for deployment %q", got.header, d.ID)
	}
	end := r.follow(t, got.header.Get("Location"))
	if end.ID != d.ID || end.Status != 4 || !end.Complete || !end.Active || end.State != "Succeeded" || end.EndTime == nil {
		t.Errorf("ended as %+v", end)
	}
}

// Azure/functions-action with a publish profile.
func TestFunctionsAction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.rollout(t, store.StatusSuccess, "live")
	for range 2 {
		r.do(t, http.MethodGet, "/api/settings", nil).want(t, http.StatusOK, "FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsStorage")
	}
	for _, name := range []string{"SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD"} {
		r.do(t, http.MethodPost, "/api/settings", strings.NewReader(fmt.Sprintf(`{%q:"false"}`, name)), "Content-Type", "application/json").
			want(t, http.StatusNoContent)
		var settings map[string]string
		r.do(t, http.MethodGet, "/api/settings", nil).want(t, http.StatusOK).decode(t, &settings)
		if settings[name] != "false" {
			t.Errorf("setting %s reads %q", name, settings[name])
		}
	}
	message := `{"type":"deployment","sha":"abc","repoName":"o/r","actor":"me","slotName":"production"}`
	got := r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true&deployer=GITHUB_ZIP_DEPLOY_FUNCTIONS_V1&message="+url.QueryEscape(message),
		chunked(zipOf(t, goodApp())), "Content-Type", "application/octet-stream").want(t, http.StatusAccepted)
	end := r.follow(t, got.header.Get("Location"))
	if end.Status != 4 || end.Message != message || end.Deployer != "GITHUB_ZIP_DEPLOY_FUNCTIONS_V1" {
		t.Errorf("ended as %+v", end)
	}
	var one deployed
	r.do(t, http.MethodGet, "/api/deployments/"+end.ID, nil).want(t, http.StatusOK).decode(t, &one)
	if diff := cmp.Diff(end, one); diff != "" {
		t.Error(diff)
	}
	var lines []struct {
		LogTime    time.Time `json:"log_time"`
		ID         string    `json:"id"`
		Message    string    `json:"message"`
		Type       int       `json:"type"`
		DetailsURL *string   `json:"details_url"`
	}
	r.do(t, http.MethodGet, strings.TrimPrefix(one.LogURL, r.url("")), nil).want(t, http.StatusOK).decode(t, &lines)
	if len(lines) < 4 || lines[0].LogTime.IsZero() || lines[0].DetailsURL != nil {
		t.Errorf("log %+v", lines)
	}
	r.do(t, http.MethodGet, "/api/deployments/"+end.ID+"/log/"+lines[0].ID, nil).want(t, http.StatusOK, "[]")
	r.do(t, http.MethodGet, "/api/vfs/site/deployments/"+end.ID+"/manifest", nil).want(t, http.StatusNotFound, "Message")
	for _, name := range []string{"SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD"} {
		r.do(t, http.MethodDelete, "/api/settings/"+name, nil).want(t, http.StatusNoContent)
	}
	got = r.do(t, http.MethodGet, "/api/settings", nil).want(t, http.StatusOK)
	if strings.Contains(string(got.body), "ORYX") {
		t.Errorf("the SCM settings are still there: %s", got.body)
	}
}

// az functionapp deployment source config-zip: anything but 202 is an error, then it polls latest without a query.
func TestAzConfigZip(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.rollout(t, store.StatusSuccess, "live")
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp())), "Content-Type", "application/octet-stream").
		want(t, http.StatusAccepted)
	if end := r.follow(t, r.url("/api/deployments/latest")); end.Status != 4 {
		t.Errorf("ended as %+v", end)
	}
	var list []deployed
	r.do(t, http.MethodGet, "/api/deployments/", nil).want(t, http.StatusOK).decode(t, &list) // az webapp log deployment list
	if len(list) != 1 || list[0].SiteName != appName {
		t.Errorf("deployments %+v", list)
	}
}

// func azure functionapp publish: a bearer token, a synchronous zipdeploy, paths without /api.
func TestCoreTools(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.rollout(t, store.StatusSuccess, "live")
	token := r.bearer(t, "contributor")
	got := r.do(t, http.MethodPost, "/api/zipdeploy", bytes.NewReader(zipOf(t, goodApp())),
		"Authorization", token, "If-Match", "*", "Content-Type", "application/zip").want(t, http.StatusOK)
	var d deployed
	got.decode(t, &d)
	if d.Status != 4 || !d.Complete || got.header.Get("Location") != "" {
		t.Errorf("answered %+v, %v", d, got.header)
	}
	for _, path := range []string{"/deployments", "/deployments/" + d.ID, "/deployments/" + d.ID + "/log", "/api//deployments/latest/"} {
		r.do(t, http.MethodGet, path, nil, "Authorization", token).want(t, http.StatusOK)
	}
}

func TestOneDeploy(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		query  string
		status int
		answer string
	}{
		"zip":                {"?type=zip&async=true", 202, `"status":`},
		"zip, synchronous":   {"?type=zip", 200, `"status":4`},
		"flex dialect":       {"?RemoteBuild=false&Deployer=az_cli", 202, `"`},
		"remote build":       {"?RemoteBuild=true", 501, "remote build"},
		"war":                {"?type=war", 501, "type=zip"},
		"unknown type":       {"?type=tar", 400, `"type=\"tar\"`},
		"into a folder":      {"?type=zip&path=some/where", 501, "path"},
		"on top":             {"?type=zip&clean=false", 501, "clean"},
		"the usual root":     {"?type=zip&path=/home/site/wwwroot", 200, `"status":4`},
		"core tools dialect": {"?isAsync=true&author=me&Deployer=core_tools", 202, `"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.rollout(t, store.StatusSuccess, "live")
			got := r.do(t, http.MethodPost, "/api/publish"+tt.query, bytes.NewReader(zipOf(t, goodApp())), "Content-Type", "application/zip").
				want(t, tt.status, tt.answer)
			if tt.status != http.StatusAccepted {
				return
			}
			if end := r.follow(t, got.header.Get("Location")); end.Status != 4 {
				t.Errorf("ended as %+v", end)
			}
			if strings.Contains(tt.query, "type") {
				return
			}
			var id string
			got.decode(t, &id)
			r.do(t, http.MethodGet, "/api/deployments/"+id, nil).want(t, http.StatusOK)
		})
	}
}

// The names and types that System.Text.Json clients read; a wrong case is a missing field to them.
func TestDeployResultFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true&author=Ann&authorEmail=a@b.c&deployer=D&message=M",
		bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
	var fields map[string]any
	got.decode(t, &fields)
	id, _ := fields["id"].(string)
	want := map[string]any{
		"id": id, "status": float64(2), "status_text": fields["status_text"], "author_email": "a@b.c", "author": "Ann",
		"deployer": "D", "message": "M", "progress": fields["progress"], "received_time": fields["received_time"],
		"start_time": fields["start_time"], "end_time": nil, "last_success_end_time": nil, "complete": false, "active": false,
		"is_temp": false, "is_readonly": true, "url": r.server.URL + "/scm/orders/api/deployments/" + id,
		"log_url": r.server.URL + "/scm/orders/api/deployments/" + id + "/log", "site_name": appName, "provisioningState": "InProgress",
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"received_time", "start_time"} {
		text, _ := fields[name].(string)
		if at, err := time.Parse(time.RFC3339Nano, text); err != nil || !strings.HasSuffix(text, "Z") || at.IsZero() {
			t.Errorf("%s is %q", name, text)
		}
	}
	r.do(t, http.MethodGet, "/api/isdeploying", nil).want(t, http.StatusOK, `"value":"True"`)
	ok(t, r.db.EndDeployment(t.Context(), id, store.StatusSuccess, ""))
	r.do(t, http.MethodGet, "/api/isdeploying", nil).want(t, http.StatusOK, `"value":"False"`)
}

func TestSmallRoutes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tests := []struct {
		method, path string
		status       int
		part         string
	}{
		{"GET", "/api/environment", 200, `"version":`},
		{"GET", "/api/deployments/latest", 404, `"Message":`},
		{"GET", "/api/deployments/nope", 404, `"Message":`},
		{"GET", "/api/deployments/nope/log", 404, `"Message":`},
		{"GET", "/api/functions", 200, "[]"},
		{"POST", "/api/functions/synctriggers", 200, `{"status":"success"}`},
		{"GET", "/api/settings/functions_worker_runtime", 200, `"node"`},
		{"GET", "/api/settings/nope", 404, `"Message":`},
		{"POST", "/api/command", 501, `"Message":`},
		{"POST", "/msdeploy.axd?site=orders", 501, "Zip Deploy"},
		{"GET", "/api/nope", 404, `"Message":`},
		{"GET", "/", 404, `"Message":`},
		{"PATCH", "/api/zipdeploy", 405, `"Message":`},
		{"DELETE", "/api/deployments/x", 405, `"Message":`},
	}
	for _, tt := range tests {
		got := r.do(t, tt.method, tt.path, nil).want(t, tt.status, tt.part)
		if got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Content-Security-Policy") != "sandbox; default-src 'none'" {
			t.Errorf("%s %s: headers %v", tt.method, tt.path, got.header)
		}
		if len(got.header.Values("Set-Cookie")) != 0 {
			t.Errorf("%s %s sets a cookie", tt.method, tt.path)
		}
	}
}

func TestFunctionsOfServingRevision(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
	ok(t, r.db.PutTriggers(t.Context(), r.app.ID, 1, json.RawMessage(`{"functions":[{"name":"hello","config":{"bindings":[]}}]}`)))
	var list []map[string]any
	r.do(t, http.MethodGet, "/api/functions", nil).want(t, http.StatusOK).decode(t, &list)
	if len(list) != 1 || list[0]["name"] != "hello" {
		t.Errorf("functions %v", list)
	}
}

func TestHistoryIsTagged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	got := r.do(t, http.MethodGet, "/api/deployments", nil).want(t, http.StatusOK, "[]")
	tag := got.header.Get("ETag")
	r.do(t, http.MethodGet, "/api/deployments", nil, "If-None-Match", tag).want(t, http.StatusNotModified)
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
	r.do(t, http.MethodGet, "/api/deployments", nil, "If-None-Match", tag).want(t, http.StatusOK)
}

// TestLogOfTheLatest: whoever saw a failure asks for the newest log without looking an id up first.
func TestLogOfTheLatest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(t, http.MethodGet, "/api/deployments/latest/log", nil).want(t, http.StatusNotFound)
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
	r.do(t, http.MethodGet, "/api/deployments/latest/log", nil).want(t, http.StatusOK, "Received a package")
}

func TestSettingForms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tests := []struct {
		body   string
		status int
	}{
		{`{"key":"A","value":"1"}`, 204},
		{`{"B":"2","C":true,"D":3}`, 204},
		{`{"functions_worker_runtime":"over"}`, 204},
		{`{"E":{"x":1}}`, 400},
		{`{"F":null}`, 400},
		{`{"":"x"}`, 400},
		{`[]`, 400},
		{`{"G":"` + strings.Repeat("x", 9<<10) + `"}`, 400},
		{`{"H":"` + strings.Repeat("x", 70<<10) + `"}`, 413},
	}
	for _, tt := range tests {
		r.do(t, http.MethodPost, "/settings", strings.NewReader(tt.body), "Content-Type", "application/json").want(t, tt.status)
	}
	var got map[string]string
	r.do(t, http.MethodGet, "/api/settings", nil).want(t, http.StatusOK).decode(t, &got)
	want := map[string]string{"A": "1", "B": "2", "C": "true", "D": "3", "functions_worker_runtime": "over", "AzureWebJobsStorage": "secret-storage"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	settings, _, err := r.db.Settings(t.Context(), r.app.ID)
	ok(t, err)
	if settings["FUNCTIONS_WORKER_RUNTIME"] != "node" || len(settings) != 2 {
		t.Errorf("the app's own settings became %v", settings)
	}
}

func TestHostForm(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	host := serve(t, r.svc.HostForm("orders"))
	req := request(t, http.MethodPost, host+"/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp())))
	req.SetBasicAuth("$"+appName, password)
	req.Header.Set("X-Forwarded-Proto", "https")
	req.Header.Set("X-Forwarded-Host", "elsewhere")
	got := send(t, req).want(t, http.StatusAccepted)
	if location := got.header.Get("Location"); !strings.HasPrefix(location, host+"/api/deployments/latest?") {
		t.Errorf("Location %q", location)
	}
}
