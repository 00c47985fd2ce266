package publish_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// everyRoute lists each route once, as a caller with the right would use it.
func everyRoute() []struct{ method, path string } {
	return []struct{ method, path string }{
		{"POST", "/api/zipdeploy"}, {"PUT", "/zipdeploy"}, {"POST", "/api/zipdeploy/validate"}, {"POST", "/api/publish?type=zip"},
		{"GET", "/api/deployments"}, {"GET", "/api/deployments/latest"}, {"GET", "/api/deployments/x"}, {"PUT", "/api/deployments/x"},
		{"GET", "/api/deployments/x/log"}, {"GET", "/api/deployments/x/log/1"}, {"GET", "/api/isdeploying"}, {"GET", "/api/settings"},
		{"GET", "/api/settings/x"}, {"POST", "/api/settings"}, {"DELETE", "/api/settings/x"}, {"GET", "/api/environment"},
		{"GET", "/api/functions"}, {"POST", "/api/functions/synctriggers"}, {"POST", "/api/command"}, {"POST", "/msdeploy.axd"},
		{"GET", "/api/nope"}, {"PATCH", "/api/zipdeploy"},
	}
}

// ask sends a request with an Authorization header of the test's choice and a body that is a good package.
func (r *rig) ask(t *testing.T, method, address, authorization string) response {
	t.Helper()
	req := request(t, method, address, bytes.NewReader(zipOf(t, goodApp())))
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return send(t, req)
}

func basic(user, password string) string {
	req := &http.Request{Header: http.Header{}}
	req.SetBasicAuth(user, password)
	return req.Header.Get("Authorization")
}

// Without good credentials every route says the same, for an app that exists and for one that does not.
func TestUnauthenticated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := r.createApp(t, "other")
	ok(t, updatePassword(t, r.db, other, strings.Repeat("o", 60)))
	credentials := map[string]string{
		"none": "", "wrong password": basic("$"+appName, "wrong"), "empty password": basic("$"+appName, ""),
		"no dollar": basic(appName, password), "another app's": basic("$other", strings.Repeat("o", 60)),
		"a forged token": "Bearer abc.def.ghi", "another scheme": "Digest x",
	}
	for name, authorization := range credentials {
		for _, route := range everyRoute() {
			got := r.ask(t, route.method, r.url(route.path), authorization)
			if got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != `Basic realm="site"` {
				t.Errorf("%s: %s %s: %d %v", name, route.method, route.path, got.status, got.header)
			}
			missing := r.ask(t, route.method, r.server.URL+"/scm/missing"+route.path, authorization)
			if missing.status != got.status || !bytes.Equal(missing.body, got.body) {
				t.Errorf("%s: %s %s: an app that does not exist answers %d %s, one that does %d %s",
					name, route.method, route.path, missing.status, missing.body, got.status, got.body)
			}
		}
	}
	if _, err := r.db.LatestDeployment(t.Context(), r.app.ID); err == nil {
		t.Error("somebody began a deployment")
	}
}

func updatePassword(t *testing.T, db *store.DB, app store.App, password string) error {
	t.Helper()
	app.PublishPassword = password
	_, err := db.UpdateApp(t.Context(), app, 0)
	return err
}

// Who is signed in without a role is refused everywhere; a reader may not look in either, because SCM shows secrets.
func TestForbidden(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, user := range []string{"nobody", "reader"} {
		token := r.bearer(t, user)
		for _, route := range everyRoute() {
			if got := r.ask(t, route.method, r.url(route.path), token); got.status != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d %s", user, route.method, route.path, got.status, got.body)
			}
		}
	}
	if _, err := r.db.LatestDeployment(t.Context(), r.app.ID); err == nil {
		t.Error("somebody began a deployment")
	}
	r.ask(t, http.MethodGet, r.server.URL+"/scm/missing/api/settings", r.bearer(t, "contributor")).want(t, http.StatusNotFound)
	r.ask(t, http.MethodGet, r.server.URL+"/scm/", "").want(t, http.StatusNotFound)
}

// A refused client reads its answer although it sends everything before it looks.
func TestWrongPasswordWithLargeBody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.sendFirst(t, basic("$"+appName, "wrong")).want(t, http.StatusUnauthorized, `"Message":`)
}

// sendFirst publishes like clients that write the whole body before they read (Python, PowerShell): a connection
// that is closed in between is all that they would see.
func (r *rig) sendFirst(t *testing.T, authorization string) response {
	t.Helper()
	const size = 16 << 20
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.server.Listener.Addr().String())
	ok(t, err)
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /scm/orders/api/zipdeploy?isAsync=true HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n", authorization, size)
	ok(t, err)
	piece := make([]byte, 64<<10)
	for sent := 0; sent < size; sent += len(piece) {
		_, err := conn.Write(piece)
		ok(t, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	ok(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	ok(t, err)
	return response{resp.StatusCode, resp.Header, body}
}

// A page of another site cannot publish with the credentials that a browser remembers.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(t, http.MethodPost, "/api/zipdeploy", bytes.NewReader(zipOf(t, goodApp())), "Sec-Fetch-Site", "cross-site").want(t, http.StatusForbidden)
	r.do(t, http.MethodDelete, "/api/settings/x", nil, "Origin", "https://evil.example").want(t, http.StatusForbidden)
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp())),
		"Sec-Fetch-Site", "cross-site", "Authorization", r.bearer(t, "contributor")).want(t, http.StatusAccepted)
}

// Publishing and reading settings leave rows in the audit, without a value in them.
func TestAudit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
	r.do(t, http.MethodGet, "/api/settings", nil).want(t, http.StatusOK)
	r.do(t, http.MethodPost, "/api/settings", strings.NewReader(`{"A":"secret-value"}`)).want(t, http.StatusNoContent)
	rows, _, err := r.db.Audit(t.Context(), "/subscriptions/"+subscription, store.Page{})
	ok(t, err)
	seen := map[string]string{}
	for _, row := range rows {
		seen[row.Action] = row.Principal + " " + row.Outcome
		if strings.Contains(row.Detail, "secret") {
			t.Errorf("a value in the audit: %+v", row)
		}
	}
	for _, action := range []string{identity.ActionPublish, identity.ActionPublishSettings, identity.ActionPublishConfigure} {
		if seen[action] != "$"+appName+" allowed" {
			t.Errorf("%s: %q", action, seen[action])
		}
	}
}
