package e2e_test

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestFunctionCodeIsShutIn: as root each app has its own account; function code reads neither the data folder nor
// another app's files, and sees none of the platform's variables.
func TestFunctionCodeIsShutIn(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: accounts per app need root; run the tests as root to see this one")
	}
	data := t.TempDir()
	m := start(t, data)
	spy := zipOf(t, map[string]string{
		"host.json":    `{"version":"2.0"}`,
		"package.json": `{"main":"index.js"}`,
		"index.js": `const { app } = require('@azure/functions'); const fs = require('fs');
app.http('uid', { authLevel: 'anonymous', handler: async () => ({ body: String(process.getuid()) }) });
app.http('env', { authLevel: 'anonymous', handler: async () => ({ jsonBody: process.env }) });
app.http('cwd', { authLevel: 'anonymous', handler: async () => ({ body: process.cwd() }) });
app.http('list', { authLevel: 'anonymous', handler: async (r) => { try { return { body: fs.readdirSync(r.query.get('path')).join() }; } catch (e) { return { body: e.code }; } } });
app.http('headers', { authLevel: 'anonymous', handler: async (r) => ({ jsonBody: Object.fromEntries(r.headers) }) });
`})
	uids := map[int]bool{}
	for _, name := range []string{"spy", "spied"} {
		publisher := m.createApp(name, nodeSettings("MINE", name))
		m.mustPublish(name, spy, publisher)
		_, body, err := m.get(m.app(name, "/api/uid"))
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(body)
		uids[uid] = true
		if uid == 0 {
			t.Errorf("%s runs as root", name)
		}
	}
	if len(uids) != 2 {
		t.Errorf("two apps share an account: %v", uids)
	}
	m.wantAnswer("spy", "/api/list?path="+data, http.StatusOK, "EACCES")
	_, cwd, _ := m.get(m.app("spied", "/api/cwd"))
	if _, body, _ := m.get(m.app("spy", "/api/list?path="+cwd)); !strings.HasPrefix(body, "E") {
		t.Errorf("one app lists another's folder %s: %s", cwd, body)
	}
	_, env, _ := m.get(m.app("spy", "/api/env"))
	for _, bad := range []string{"NIGHTSHIFT_", "NOMAD_"} {
		if strings.Contains(env, bad) {
			t.Errorf("function code sees %s variables: %s", bad, env)
		}
	}
	if !strings.Contains(env, `"MINE":"spy"`) {
		t.Errorf("function code does not see its settings: %s", env)
	}
	_, headers, _ := m.get(m.app("spy", "/api/headers"))
	if strings.Contains(strings.ToLower(headers), "x-nightshift") {
		t.Errorf("function code sees the request token: %s", headers)
	}
}

// TestInstancesAnswerTheGatewayOnly: an open port on a node gives nothing away.
func TestInstancesAnswerTheGatewayOnly(t *testing.T) {
	t.Parallel()
	m := start(t, t.TempDir())
	publisher := m.createApp("closed", nodeSettings())
	m.mustPublish("closed", nodeApp(t, "x"), publisher)
	pids := workers(t, m, "closed", "1")
	if len(pids) != 1 {
		t.Fatalf("want one worker, got %v", pids)
	}
	address := variable(t, pids[0], "NIGHTSHIFT_LISTEN")
	for _, path := range []string{"/api/version", "/", "/admin/host/status", "/admin/functions"} {
		status, body, err := m.get("http://" + address + path)
		if err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s straight at the instance: %d %q %v", path, status, body, err)
		}
	}
}
