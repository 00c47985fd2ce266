package management_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/scheduler"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/internal/store/sqlite"
	"github.com/nightshift-functions/nightshift/manager/identity"
	"github.com/nightshift-functions/nightshift/manager/management"
)

const (
	sub      = "11111111-2222-3333-4444-555555555555"
	group    = "/subscriptions/" + sub + "/resourceGroups/rg"
	sites    = group + "/providers/Microsoft.Web/sites/"
	password = "correct horse battery"
)

func pathForm() management.Addresses {
	return management.Addresses{
		Management: "https://localhost:7443", SCM: "https://localhost:7443/scm", App: "http://localhost:7081", Domain: "functions.localhost",
	}
}

// desk is the whole face on a real store: router, sign-in, roles, log.
type desk struct {
	t       testing.TB
	db      *store.DB
	dir     *identity.Directory
	api     *management.API
	handler http.Handler
	tokens  map[string]string // by user
	log     *lockedBuffer

	mu        sync.Mutex
	restarted []string
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (d *desk) RestartApp(_ context.Context, app store.App) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.restarted = append(d.restarted, app.Name)
	return nil
}

func (d *desk) Nodes(context.Context) ([]scheduler.Node, error) {
	return []scheduler.Node{{ID: "n1", Name: "spare-pc", OS: "windows", Ready: true, CPUCores: 4, Attributes: map[string]string{"ip": "10.0.0.1"}}}, nil
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	return newDeskAt(t, pathForm())
}

func newDeskAt(t testing.TB, addresses management.Addresses) *desk {
	t.Helper()
	sealer, err := keys.NewSealer([32]byte{1})
	must(t, err)
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sealer, sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	passwords, err := identity.NewPasswords(t.Context(), identity.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}, 2)
	must(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	d := &desk{t: t, db: db, dir: identity.NewDirectory(db, passwords), tokens: map[string]string{}, log: &lockedBuffer{}}
	log := zerolog.New(d.log)
	gate, err := identity.New(identity.Config{PublicURL: addresses.Management, TokenKey: key}, db, passwords, log)
	must(t, err)
	d.api, err = management.New(addresses, management.Deps{Store: db, Gate: gate, Restarter: d, Nodes: d, Log: log})
	must(t, err)
	router := httpserver.NewRouter(httpserver.RouterConfig{Face: "management", Logger: log})
	d.api.Mount(router)
	router.Mount("/adfs", gate.Handler())
	router.Handle("/shop/admin/*", http.StripPrefix("/shop", d.api.AdminKeys("shop")))
	d.handler = router
	must(t, db.PutSubscription(t.Context(), store.Subscription{ID: sub, Name: "team"}))
	must(t, db.PutResourceGroup(t.Context(), store.ResourceGroup{SubscriptionID: sub, Name: "rg", Location: "local"}))
	d.user("admin", identity.PlatformAdministrator, "/")
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// user makes a user with roles (role, scope, role, scope, ...) and signs it in through the token endpoint.
func (d *desk) user(name string, roles ...string) {
	d.t.Helper()
	by := identity.Principal{Name: "test"}
	_, err := d.dir.Create(d.t.Context(), by, name, password)
	must(d.t, err)
	for i := 0; i < len(roles); i += 2 {
		must(d.t, d.dir.Assign(d.t.Context(), by, name, roles[i], roles[i+1]))
	}
	form := url.Values{"grant_type": {"password"}, "client_id": {"nightshift"}, "username": {name}, "password": {password}}
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, "https://localhost:7443/adfs/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	var body struct {
		AccessToken string `json:"access_token"`
	}
	must(d.t, json.Unmarshal(w.Body.Bytes(), &body))
	if body.AccessToken == "" {
		d.t.Fatalf("sign-in of %s: %d %s", name, w.Code, w.Body)
	}
	d.tokens[name] = body.AccessToken
}

type answer struct {
	*httptest.ResponseRecorder
	json map[string]any
}

// at walks into the JSON: at("properties", "state").
func (a answer) at(path ...string) any {
	var v any = a.json
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	return v
}

func (a answer) code() string { s, _ := a.at("error", "code").(string); return s }

// do sends a request as a user ("" = nobody), with header pairs.
func (d *desk) do(user, method, path, body string, header ...string) answer {
	d.t.Helper()
	if !strings.Contains(path, "api-version") && !strings.Contains(path, "noversion") {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "api-version=2022-03-01"
	}
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(d.t.Context(), method, path, in)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		r.Header.Set("Authorization", "Bearer "+d.tokens[user])
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	a := answer{ResponseRecorder: w}
	_ = json.Unmarshal(w.Body.Bytes(), &a.json)
	return a
}

// admin is do as the administrator, and checks the status.
func (d *desk) admin(status int, method, path, body string, header ...string) answer {
	d.t.Helper()
	a := d.do("admin", method, path, body, header...)
	if a.Code != status {
		d.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.Code, status, a.Body)
	}
	return a
}

func (d *desk) site(name string) store.App {
	d.t.Helper()
	d.admin(http.StatusOK, http.MethodPut, sites+name, `{"location":"local","properties":{"siteConfig":{"appSettings":[{"name":"FUNCTIONS_WORKER_RUNTIME","value":"node"},{"name":"SECRET","value":"s3cr3t-setting"}]}}}`)
	app, err := d.db.App(d.t.Context(), name)
	must(d.t, err)
	return app
}

// publish makes a revision with two functions, one of which does not load, and an instance that reports so.
func (d *desk) publish(app store.App) {
	d.t.Helper()
	ctx := d.t.Context()
	revision := d.accept(app)
	triggers, err := json.Marshal(hostapi.Triggers{Functions: []json.RawMessage{
		json.RawMessage(`{"name":"Hello","language":"node","isDisabled":false,"config":{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"}]},"invoke_url_template":"http://localhost:7081/shop/api/hello"}`),
		json.RawMessage(`{"name":"Off","isDisabled":true,"config":{"bindings":[{"type":"timerTrigger","name":"t"}]}}`),
	}})
	must(d.t, err)
	must(d.t, d.db.PutTriggers(ctx, app.ID, revision, triggers))
	must(d.t, identity.EnsureFunctionKeys(ctx, d.db, app.ID, []string{"Hello", "Off"}))
	report, err := json.Marshal(hostapi.InstanceReport{State: hostapi.StateActive, Functions: []hostapi.FunctionStatus{
		{Name: "Hello", Trigger: "httpTrigger"}, {Name: "Off", Disabled: true}, {Name: "Broken", Trigger: "queueTrigger", Error: "cannot find module 'x'"},
	}})
	must(d.t, err)
	must(d.t, d.db.PutInstance(ctx, store.Instance{ID: "i-1", AppID: app.ID, Revision: revision, State: string(hostapi.StateActive), Report: report}))
}

// accept publishes a package of one byte, as package publish would, and returns its revision, which is made active.
func (d *desk) accept(app store.App) int64 {
	d.t.Helper()
	ctx := d.t.Context()
	content := []byte("x")
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	must(d.t, d.db.PutPackage(ctx, digest, 1, bytes.NewReader(content)))
	begun, err := d.db.BeginDeployment(ctx, store.Deployment{ID: "d-1", AppID: app.ID, Deployer: "az_cli", Author: "ada"})
	must(d.t, err)
	made, err := d.db.AcceptDeployment(ctx, begun.ID, store.AcceptInput{PackageSHA256: digest, PackageSize: 1, Runtime: "node"})
	must(d.t, err)
	must(d.t, d.db.AppendDeploymentLog(ctx, begun.ID, 0, "staged"))
	must(d.t, d.db.EndDeployment(ctx, begun.ID, store.StatusSuccess, "live"))
	epoch, err := d.db.TakeEpoch(ctx, "test")
	must(d.t, err)
	must(d.t, d.db.SetPhase(ctx, epoch, app.ID, made.Number, store.PhaseStandby, ""))
	must(d.t, d.db.SetPhase(ctx, epoch, app.ID, made.Number, store.PhaseActive, ""))
	return made.Number
}

// param fills a route's pattern in with the names that these tests use.
func param(pattern string) string {
	return strings.NewReplacer("{sub}", sub, "{group}", "rg", "{site}", "shop", "{function}", "Hello", "{key}", "k1", "{keytype}", "functionKeys",
		"{deployment}", "d-1", "{policy}", "scm", "{plan}", "default").Replace(pattern)
}
