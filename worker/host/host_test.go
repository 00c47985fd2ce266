package host_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/hostapi/hostapitest"
	"github.com/nightshift-functions/nightshift/worker/host"
)

type seen = hostapitest.Seen

func hasLog(s seen, part string) bool {
	for _, l := range s.Logs {
		if strings.Contains(l.Message, part) {
			return true
		}
	}
	return false
}

func TestTokenIsRequiredEverywhere(t *testing.T) {
	t.Parallel()
	i := launch(t, options{})
	i.up(hostapi.StateStandby)
	for _, path := range []string{"/", "/api/hello", "/api/nothing", "/admin/host/ping", "/admin/host/status", "/admin/functions", "/runtime/webhooks/x", "/ADMIN/host/ready"} {
		for _, token := range []string{"", "x.y.z"} {
			if a := i.call("GET", path, "", hostapi.HeaderRequestToken, token, "X-Functions-Key", "the-master-key"); a.status != 401 {
				t.Errorf("%s with token %q: %d", path, token, a.status)
			}
		}
	}
	if a := i.call("GET", hostapi.PathReady, "", hostapi.HeaderRequestToken, ""); a.status != 200 || a.body != "" {
		t.Errorf("readiness: %+v", a)
	}
	a := i.call("GET", "/api/hello", "")
	if a.status != 200 || strings.Contains(strings.ToLower(a.body), "x-nightshift") {
		t.Errorf("the function saw the token: %+v", a)
	}
	i.Update(func(app *hostapi.App) { app.Live.GatewayKeys = nil })
	i.Await(t, "refusal after the keys changed", patient, func(seen) bool {
		return i.call("GET", "/api/hello", "").status == 401
	})
}

func TestKeys(t *testing.T) { //nolint:tparallel // the group ends before the keys change
	t.Parallel()
	i := launch(t, options{})
	i.up(hostapi.StateStandby)
	t.Run("group", func(t *testing.T) { testKeys(t, i) })
	i.Update(func(app *hostapi.App) {
		app.Live.Keys.Host = []hostapi.KeyHash{{Name: "new", Hash: hash("the-new-key")}}
	})
	i.Await(t, "the new key", patient, func(seen) bool {
		return i.call("GET", "/api/secret", "", "X-Functions-Key", "the-new-key").status == 200
	})
	if a := i.call("GET", "/api/secret", "", "X-Functions-Key", "the-host-key"); a.status != 401 {
		t.Errorf("the old key: %+v", a)
	}
}

func testKeys(t *testing.T, i *instance) {
	t.Helper()
	for _, c := range []struct {
		name, path, key string
		want            int
	}{
		{"anonymous without a key", "/api/hello", "", 200},
		{"anonymous with a wrong key", "/api/hello", "nonsense", 200},
		{"function without a key", "/api/secret", "", 401},
		{"function with a wrong key", "/api/secret", "nonsense", 401},
		{"function with its own key", "/api/secret", "the-secret-key", 200},
		{"function with another function's key", "/api/secret", "the-hello-key", 401},
		{"function with a host key", "/api/secret", "the-host-key", 200},
		{"function with the master key", "/api/secret", "the-master-key", 200},
		{"key in the query", "/api/secret?code=the-secret-key", "", 200},
		{"the header comes first", "/api/secret?code=the-secret-key", "nonsense", 401},
		{"admin with a host key", "/api/top", "the-host-key", 401},
		{"admin with the master key", "/api/top", "the-master-key", 200},
		{"a key's hash is no key", "/api/secret", hash("the-secret-key"), 401},
		{"disabled", "/api/off", "the-host-key", 404},
		{"disabled, master", "/api/off", "the-master-key", 200},
		{"unknown", "/api/unknown", "the-master-key", 404},
		{"admin API with a host key", "/admin/functions", "the-host-key", 401},
		{"admin API", "/admin/functions", "the-master-key", 200},
		{"ping", "/admin/host/ping", "", 200},
		{"status without a key", "/admin/host/status", "", 401},
		{"status", "/admin/host/status", "the-master-key", 200},
		{"home page", "/", "", 200},
		{"webhooks", "/runtime/webhooks/x", "the-master-key", 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if a := i.call("GET", c.path, "", "X-Functions-Key", c.key); a.status != c.want {
				t.Errorf("want %d, got %+v", c.want, a)
			}
		})
	}
}

func TestWhatFunctionsGetAndGive(t *testing.T) {
	t.Parallel()
	files := fakeApp()
	files["host.json"] = `{"version":"2.0","extensions":{"http":{"routePrefix":"v1","customHeaders":{"X-Frame":"deny"}}}}`
	i := launch(t, options{files: files})
	r := i.up(hostapi.StateStandby)
	a := i.call("POST", "/v1/hello/7?a=1&a=2", "text", "X-Multi", "one", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "hello.example.com")
	var got struct {
		Method, URL, Body string
		Headers, Params   map[string]string
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("%v in %+v", err, a)
	}
	if got.Method != "POST" || got.URL != "https://hello.example.com/v1/hello/7?a=1&a=2" || got.Body != "text" ||
		got.Headers["x-multi"] != "one" || got.Headers["host"] != "hello.example.com" || got.Params["id"] != "7" {
		t.Errorf("the function got %+v", got)
	}
	if a.header.Get("X-Frame") != "deny" || a.header.Get("X-Fake") != "1" || a.header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("headers %v", a.header)
	}
	if r.Functions[0].InvokeURL != "http://localhost:7081/hello/v1/hello/{id:int?}" {
		t.Errorf("invoke url %q", r.Functions[0].InvokeURL)
	}
	for name, c := range map[string]struct {
		path string
		want int
	}{"throws": {"/v1/boom", 500}, "did not load": {"/v1/badload", 500}, "old prefix": {"/api/hello", 404}} {
		if a := i.call("GET", c.path, ""); a.status != c.want || a.body != "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	seen := i.Await(t, "records", patient, func(s seen) bool { return len(s.Invocations) >= 3 && hasLog(s, "kaboom") })
	for _, inv := range seen.Invocations {
		if want := inv.Function == "hello"; inv.Success != want || inv.ID == "" || inv.InstanceID != "i-1" || inv.Trigger != "httpTrigger" {
			t.Errorf("record %+v", inv)
		}
	}
	if !hasLog(seen, "user log of id-hello") {
		t.Errorf("logs %+v", seen.Logs)
	}
}

func TestReportNamesWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	i := launch(t, options{})
	r := i.up(hostapi.StateStandby)
	problems := map[string]string{}
	for _, f := range r.Functions {
		problems[f.Name] = f.Error
		if f.Disabled != (f.Name == "off") {
			t.Errorf("disabled: %+v", f)
		}
	}
	if len(r.Functions) != 12 || !strings.Contains(problems["onqueue"], "no trigger of type queueTrigger") ||
		!strings.Contains(problems["badload"], "its module throws") || problems["hello"] != "" {
		t.Errorf("functions %+v", r.Functions)
	}
	if r.Runtime != "fake 99.1" || r.RSSBytes == 0 || len(r.LanguageWorkers) != 1 || r.LanguageWorkers[0].PID == 0 {
		t.Errorf("report %+v", r)
	}
	triggers := i.Await(t, "triggers", patient, func(s seen) bool { return len(s.Triggers) > 0 }).Triggers[0]
	if len(triggers.Functions) != 12 || len(triggers.Triggers) != 9 || !strings.Contains(string(triggers.Triggers[0]), `"functionName":"hello"`) {
		t.Errorf("triggers %s %d", triggers.Triggers, len(triggers.Functions))
	}
}

func TestEnvironmentIsScrubbed(t *testing.T) {
	t.Parallel()
	i := launch(t, options{
		settings: map[string]string{"MY_SETTING": "mine", "NIGHTSHIFT_X": "no", "Nomad_Token": "no", "CONSUL_HTTP_TOKEN": "no"},
		change:   func(c *host.Config) { c.Base["LANG"] = "C.UTF-8" },
	})
	i.up(hostapi.StateStandby)
	var list []string
	if err := json.Unmarshal([]byte(i.call("GET", "/api/env", "").body), &list); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for _, pair := range list {
		name, v, _ := strings.Cut(pair, "=")
		env[name] = v
		for _, prefix := range []string{"NIGHTSHIFT_", "NOMAD_", "CONSUL_", "VAULT_", "GO"} {
			if strings.HasPrefix(strings.ToUpper(name), prefix) {
				t.Errorf("function code sees %s", name)
			}
		}
	}
	for name, want := range map[string]string{
		"MY_SETTING": "mine", "LANG": "C.UTF-8", "WEBSITE_SITE_NAME": "hello", "WEBSITE_INSTANCE_ID": "i-1", "WEBSITE_HOSTNAME": "localhost:7081",
		"FUNCTIONS_WORKER_RUNTIME": "node", "HOME": i.work, "AzureWebJobsScriptRoot": i.work + "/wwwroot", "FUNCTIONS_APPLICATION_DIRECTORY": i.work + "/wwwroot",
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	if env["PATH"] == "" {
		t.Error("no PATH")
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	i := launch(t, options{process: map[string]any{"processRestartInterval": "00:00:01"}})
	i.up(hostapi.StateStandby)
	var group sync.WaitGroup
	group.Go(func() {
		if a := i.call("GET", "/api/slow", ""); a.status != 500 { // in flight when the language worker dies
			t.Errorf("slow: %+v", a)
		}
	})
	i.Await(t, "the slow call in flight", patient, func(seen) bool { return inFlight(i) })
	if a := i.call("GET", "/api/crash", ""); a.status != 500 {
		t.Errorf("crash: %+v", a)
	}
	group.Wait()
	if a := i.call("GET", "/api/hello", ""); a.status != 200 { // waits for the restart
		t.Errorf("after the crash: %+v", a)
	}
	i.Await(t, "the reason", patient, func(s seen) bool {
		for _, inv := range s.Invocations {
			if inv.Function == "crash" && strings.Contains(inv.Error, "exit code 9") && strings.Contains(inv.Error, "out of luck") {
				return true
			}
		}
		return false
	})
	// Two more crashes spend the budget: the instance fails and says why.
	for range 2 {
		i.call("GET", "/api/crash", "")
	}
	if err := i.wait(); err == nil || !strings.Contains(err.Error(), "too often") {
		t.Errorf("Run returned %v", err)
	}
	r := i.AwaitState(t, hostapi.StateFailed, patient)
	if r.LastError == nil || r.LastError.Permanent || !strings.Contains(r.LastError.Message, "exit code 9") ||
		!strings.Contains(strings.Join(r.LastError.StderrLines, "\n"), "out of luck") {
		t.Errorf("last error %+v", r.LastError)
	}
}

func TestStartFailures(t *testing.T) {
	t.Parallel()
	noHostJSON := fakeApp()
	noHostJSON["host.json"] = `{"version":"2.0",,}`
	short := map[string]any{"processStartupTimeout": "00:00:01", "initializationTimeout": "00:00:01"}
	for _, c := range []struct {
		name      string
		o         options
		message   string
		stderr    string
		permanent bool
	}{
		{"never connects", options{mode: "silent", process: short}, "did not connect within 1s", "I will not connect", false},
		{"dies before it connects", options{mode: "dies"}, "exit code 7", "something is missing", false},
		{"says garbage", options{mode: "garbage"}, "ended before it connected", "must be StartStream", false},
		{"says it is somebody else", options{mode: "stranger"}, "ended before it connected", "expected", false},
		{"hangs in init", options{mode: "hangs-in-init", process: short}, "did not answer its initialisation within 1s", "", false},
		{"entry point throws", options{mode: "fails-in-init"}, "unable to load entry point: boom", "", true},
		{"gives no verdict", options{mode: "no-verdict"}, "it gave no reason", "", true},
		{"index fails", options{mode: "fails-in-index"}, "two functions are called hello", "", true},
		{"no functions", options{mode: "no-functions"}, "0 functions found; looked for", "Cannot find module", true},
		{"nothing that this release runs", options{mode: "unsupported"}, "no trigger of type queueTrigger", "", true},
		{"hangs in load", options{mode: "hangs-in-load", limits: hostapi.Limits{StartTimeoutSeconds: 2}}, "did not load function", "", false},
		{"old runtime", options{mode: "old-node"}, "Node.js 18.20.1", "", true},
		{"host.json is wrong", options{files: noHostJSON}, "host.json is not valid JSON", "", true},
		{"no language worker", options{languages: t.TempDir()}, `no language worker for FUNCTIONS_WORKER_RUNTIME "node"`, "", true},
		{"not a zip", options{zip: []byte("<html>")}, "zip", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			i := launch(t, c.o)
			if err := i.wait(); err == nil {
				t.Error("Run returned no error")
			}
			reports := i.Now().Reports
			last := reports[len(reports)-1]
			if last.State != hostapi.StateFailed || last.LastError == nil {
				t.Fatalf("last report %+v", last)
			}
			if !strings.Contains(last.LastError.Message, c.message) || last.LastError.Permanent != c.permanent {
				t.Errorf("last error %+v", last.LastError)
			}
			if all := strings.Join(last.LastError.StderrLines, "\n"); !strings.Contains(all, c.stderr) {
				t.Errorf("stderr %q", all)
			}
		})
	}
}

func TestRuntimeIsMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/node", 0o700); err != nil {
		t.Fatal(err)
	}
	config := `{"description":{"language":"node","extensions":[".js"],"defaultExecutablePath":"no-such-node","workerIndexing":"true"}}`
	if err := os.WriteFile(dir+"/node/worker.config.json", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	i := launch(t, options{languages: dir})
	err := i.wait()
	if err == nil || !strings.Contains(err.Error(), `"no-such-node" was looked for`) {
		t.Errorf("got %v", err)
	}
}

func TestSecondStreamIsRefused(t *testing.T) {
	t.Parallel()
	i := launch(t, options{mode: "twice"})
	i.up(hostapi.StateStandby)
	i.Await(t, "refusal", patient, func(s seen) bool { return hasLog(s, "second stream: rpc error") })
	if a := i.call("GET", "/api/hello", ""); a.status != 200 {
		t.Errorf("the first stream: %+v", a)
	}
}

func TestFunctionTimeout(t *testing.T) {
	t.Parallel()
	files := fakeApp()
	files["host.json"] = `{"version":"2.0","functionTimeout":"00:00:01"}`
	i := launch(t, options{files: files})
	before := i.up(hostapi.StateStandby).LanguageWorkers[0].PID
	if a := i.call("GET", "/api/never", ""); a.status != 500 {
		t.Errorf("never: %+v", a)
	}
	a := i.call("GET", "/api/hello", "") // by a language worker that is new
	if a.status != 200 || strings.Contains(a.body, `"pid":`+strconv.Itoa(before)) {
		t.Errorf("after the timeout: %+v, the first process was %d", a, before)
	}
	i.Await(t, "the reason", patient, func(s seen) bool { return hasLog(s, "longer than functionTimeout") })
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	i := launch(t, options{})
	i.up(hostapi.StateStandby)
	key := []string{"X-Functions-Key", "the-master-key"}
	var status struct{ ID, State, Version, InstanceID string }
	if err := json.Unmarshal([]byte(i.call("GET", "/admin/host/status", "", key...).body), &status); err != nil {
		t.Fatal(err)
	}
	if status.ID != "hello" || status.State != "Running" || !strings.HasPrefix(status.Version, "4.") || status.InstanceID != "i-1" {
		t.Errorf("status %+v", status)
	}
	for _, c := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"a function", "GET", "/admin/functions/HELLO", "", 200},
		{"an unknown function", "GET", "/admin/functions/nope", "", 404},
		{"run a timer", "POST", "/admin/functions/tick", `{"input":""}`, 202},
		{"run without a body", "POST", "/admin/functions/tick", ``, 400},
		{"run an HTTP function", "POST", "/admin/functions/hello", `{"input":""}`, 400},
		{"run what cannot run", "POST", "/admin/functions/onqueue", `{"input":""}`, 400},
		{"run an unknown function", "POST", "/admin/functions/nope", `{}`, 404},
		{"sync triggers", "POST", "/admin/host/synctriggers", "", 200},
		{"what is the manager's", "GET", "/admin/host/keys", "", 404},
	} {
		if a := i.call(c.method, c.path, c.body, key...); a.status != c.want {
			t.Errorf("%s: want %d, got %+v", c.name, c.want, a)
		}
	}
	i.Await(t, "the timer's run", patient, func(s seen) bool {
		return hasLog(s, `tick {"Schedule"`) && len(s.Invocations) > 0 && s.Invocations[0].Function == "tick"
	})
}

func TestClientDisconnectCancels(t *testing.T) {
	t.Parallel()
	i := launch(t, options{limits: hostapi.Limits{DrainTimeoutSeconds: 1}})
	i.up(hostapi.StateStandby)
	token, err := i.signer.Token("hello")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.url+"/api/never", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(hostapi.HeaderRequestToken, token)
	c := &http.Client{Timeout: 300 * time.Millisecond}
	if res, err := c.Do(req); err == nil {
		_ = res.Body.Close()
		t.Fatal("never answered")
	}
	i.Await(t, "cancellation", patient, func(s seen) bool { return hasLog(s, "cancelled ") })
}
