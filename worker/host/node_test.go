package host_test

import (
	"bufio"
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
)

// nodeApp is a v4 app with the library it needs.
func nodeApp(t testing.TB, code string) map[string]string {
	t.Helper()
	files := map[string]string{
		"host.json": hostJSON, "package.json": `{"main":"src/app.js","dependencies":{"@azure/functions":"^4.0.0"}}`, "src/app.js": code,
	}
	modules := filepath.Join(languages(t), "node", "node_modules")
	for _, name := range []string{"@azure/functions", "@azure/functions-extensions-base", "cookie"} {
		root := filepath.Join(modules, name)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || (filepath.Ext(path) != ".js" && filepath.Ext(path) != ".json") {
				return err
			}
			raw, err := os.ReadFile(path)
			rel, _ := filepath.Rel(modules, path)
			files["node_modules/"+filepath.ToSlash(rel)] = string(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

const nodeCode = `
const { app } = require('@azure/functions');
app.http('hello', { methods: ['GET', 'POST'], authLevel: 'anonymous', route: 'hello/{id:int?}', handler: async (req, ctx) => {
  ctx.log('hello was called');
  const body = await req.text();
  return { status: 201, jsonBody: { hi: req.query.get('name'), id: req.params.id, body, token: req.headers.get('x-nightshift-token') },
    cookies: [{ name: 'c', value: 'v 1', maxAge: 60 }], headers: { 'x-a': 'b' } };
}});
app.http('boom', { authLevel: 'anonymous', handler: async () => { throw new Error('kaboom'); } });
app.http('locked', { authLevel: 'function', handler: async () => ({ body: 'in' }) });
app.http('leave', { authLevel: 'anonymous', handler: async () => { console.error('fatal: leaving'); process.exit(4); } });
app.timer('tick', { schedule: '* * * * * *', handler: (t, ctx) => { ctx.log('tick pastDue=' + t.isPastDue); } });
`

func TestNode(t *testing.T) {
	t.Parallel()
	i := launch(t, options{files: nodeApp(t, nodeCode), languages: languages(t)})
	r := i.up(hostapi.StateStandby)
	if !strings.HasPrefix(r.Runtime, "node ") || len(r.Functions) != 5 || len(r.Phases) != 6 {
		t.Errorf("report %+v", r)
	}
	a := i.call("POST", "/api/hello/42?name=Go", `{"x":1}`, "Content-Type", "application/json")
	if a.status != 201 || a.body != `{"hi":"Go","id":"42","body":"{\"x\":1}","token":null}` || a.header.Get("X-A") != "b" ||
		a.header.Get("Content-Type") != "application/json" || !strings.HasPrefix(a.header.Get("Set-Cookie"), "c=v%201; max-age=60; path=/") {
		t.Errorf("got %+v", a)
	}
	if a := i.call("GET", "/api/hello/abc", ""); a.status != 404 {
		t.Errorf("a value that is no int: %+v", a)
	}
	if a := i.call("DELETE", "/api/hello", ""); a.status != 404 {
		t.Errorf("a wrong method: %+v", a)
	}
	if a := i.call("GET", "/api/boom", ""); a.status != 500 || a.body != "" {
		t.Errorf("boom: %+v", a)
	}
	if a := i.call("GET", "/api/locked", ""); a.status != 401 || a.body != "" {
		t.Errorf("locked: %+v", a)
	}
	if a := i.call("GET", "/api/locked?code=the-host-key", ""); a.status != 200 || a.body != "in" {
		t.Errorf("unlocked: %+v", a)
	}
	i.Update(func(app *hostapi.App) { app.Live.Phase = hostapi.Active })
	i.Await(t, "tick in the log", patient, func(s seen) bool { return hasLog(s, "tick pastDue=false") })
	if a := i.call("GET", "/api/leave", ""); a.status != 500 {
		t.Errorf("leave: %+v", a)
	}
	if a := i.call("GET", "/api/hello?name=again", ""); a.status != 201 {
		t.Errorf("after the restart: %+v", a)
	}
	seen := i.Await(t, "records", patient, func(s seen) bool { return len(s.Invocations) >= 6 })
	if !hasLog(seen, "hello was called") || !hasLog(seen, "kaboom") {
		t.Errorf("logs: %+v", seen.Logs)
	}
	if err := i.end(); err != nil {
		t.Error(err)
	}
	i.AwaitState(t, hostapi.StateStopped, patient)
}

const streamCode = `
const { app } = require('@azure/functions');
const { Readable } = require('node:stream');
app.setup({ enableHttpStream: true });
app.http('pipe', { methods: ['POST'], authLevel: 'anonymous', route: 'pipe/{id}', handler: async (req, ctx) => {
  ctx.log('piping');
  async function* twice() { yield req.params.id + ' ' + req.headers.get('x-in') + '\n'; for await (const c of req.body) yield Buffer.from(c).toString().toUpperCase(); }
  return { status: 202, body: Readable.from(twice()), headers: { 'x-out': 'y' } };
}});
app.http('locked', { authLevel: 'function', handler: async () => ({ body: 'in' }) });
app.http('boom', { authLevel: 'anonymous', handler: async () => { throw new Error('kaboom'); } });
`

func TestNodeStreams(t *testing.T) {
	t.Parallel()
	i := launch(t, options{files: nodeApp(t, streamCode), languages: languages(t)})
	i.up(hostapi.StateStandby)
	token, err := i.signer.Token("hello")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	body, feed := io.Pipe()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, i.url+"/api/pipe/7", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(hostapi.HeaderRequestToken, token)
	req.Header.Set("X-In", "x")
	go func() { _, _ = io.WriteString(feed, "first ") }()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewReader(res.Body)
	if line, err := lines.ReadString('\n'); err != nil || line != "7 x\n" || res.StatusCode != 202 || res.Header.Get("X-Out") != "y" {
		t.Fatalf("%q %v %v", line, err, res)
	}
	if res.Header.Get("X-Ms-Invocation-Id") != "" {
		t.Error("the invocation id left the instance")
	}
	_, _ = io.WriteString(feed, "second") // while the answer is under way
	_ = feed.Close()
	if rest, err := io.ReadAll(lines); err != nil || string(rest) != "FIRST SECOND" {
		t.Errorf("%q %v", rest, err)
	}
	if a := i.call("GET", "/api/boom", ""); a.status != 500 {
		t.Errorf("boom: %+v", a)
	}
	if a := i.call("GET", "/api/locked", ""); a.status != 401 {
		t.Errorf("locked: %+v", a)
	}
	if a := i.call("GET", "/api/locked?code=the-host-key", ""); a.status != 200 || a.body != "in" {
		t.Errorf("unlocked: %+v", a)
	}
	i.Await(t, "records and logs", patient, func(s seen) bool {
		return len(s.Invocations) == 3 && hasLog(s, "piping") && hasLog(s, "kaboom")
	})
}
