package publish_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/internal/store/sqlite"
	"github.com/nightshift-functions/nightshift/manager/identity"
	"github.com/nightshift-functions/nightshift/manager/publish"
)

const (
	subscription = "11111111-2222-3333-4444-555555555555"
	group        = "rg"
	appName      = "Orders"
	password     = "publishpassword0123456789publishpassword0123456789publish60"
	userPassword = "correct horse battery staple"
)

// rig is the SCM face over a real store and a real identity service, without a rollout: tests end deployments.
type rig struct {
	db     *store.DB
	svc    *publish.Service
	guard  *identity.Service
	server *httptest.Server
	app    store.App
	folder string // of the database
	cfg    publish.Config
	wrap   func(*store.DB) publish.Store
}

type choice func(*rig)

func withConfig(change func(*publish.Config)) choice { return func(r *rig) { change(&r.cfg) } }

func inFolder(folder string) choice { return func(r *rig) { r.folder = folder } }

func newRig(t *testing.T, choices ...choice) *rig {
	t.Helper()
	r := &rig{folder: t.TempDir()}
	r.cfg = publish.Config{IncomingDir: filepath.Join(t.TempDir(), "incoming"), RolloutWait: 20 * time.Second}
	for _, choose := range choices {
		choose(r)
	}
	sealer, err := keys.NewSealer([32]byte{1})
	ok(t, err)
	r.db, err = sqlite.Open(t.Context(), filepath.Join(r.folder, "nightshift.db"), sealer, sqlite.Options{Log: zerolog.Nop()})
	ok(t, err)
	t.Cleanup(func() { _ = r.db.Close() })
	r.app = r.createApp(t, appName)
	r.guard = newGuard(t, r.db)
	var st publish.Store = r.db
	if r.wrap != nil {
		st = r.wrap(r.db)
	}
	r.svc, err = publish.New(r.cfg, st, r.guard, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel))
	ok(t, err)
	router := httpserver.NewRouter(httpserver.RouterConfig{Face: "test", Logger: zerolog.Nop()})
	router.Mount("/scm", r.svc)
	router.Mount("/adfs", r.guard.Handler())
	r.server = httptest.NewServer(router)
	t.Cleanup(r.server.Close)
	return r
}

func (r *rig) createApp(t *testing.T, name string) store.App {
	t.Helper()
	ok(t, r.db.PutSubscription(t.Context(), store.Subscription{ID: subscription, Name: "team"}))
	ok(t, r.db.PutResourceGroup(t.Context(), store.ResourceGroup{SubscriptionID: subscription, Name: group, Location: "here"}))
	app, err := r.db.CreateApp(t.Context(), store.App{
		Name: name, SubscriptionID: subscription, ResourceGroup: group, Kind: "functionapp", PublishPassword: password,
	})
	ok(t, err)
	_, _, err = r.db.ReplaceSettings(t.Context(), app.ID, map[string]string{
		"FUNCTIONS_WORKER_RUNTIME": "node", "AzureWebJobsStorage": "secret-storage",
	}, 0, false)
	ok(t, err)
	return app
}

func newGuard(t *testing.T, db *store.DB) *identity.Service {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	passwords := newPasswords(t)
	guard, err := identity.New(identity.Config{PublicURL: "https://localhost:7443", TokenKey: key}, db, passwords, zerolog.Nop())
	ok(t, err)
	hash, err := passwords.Hash(t.Context(), userPassword)
	ok(t, err)
	for name, role := range map[string]string{"contributor": identity.Contributor, "reader": identity.Reader, "nobody": ""} {
		user, err := db.CreateUser(t.Context(), store.User{Name: name, PasswordHash: hash})
		ok(t, err)
		if role == "" {
			continue
		}
		_, err = db.AssignRole(t.Context(), store.RoleAssignment{PrincipalID: user.ID, Role: role, Scope: "/subscriptions/" + subscription})
		ok(t, err)
	}
	return guard
}

// bearer signs a user in as az does and returns the Authorization header.
func (r *rig) bearer(t *testing.T, user string) string {
	t.Helper()
	form := url.Values{
		"grant_type": {"password"}, "client_id": {"04b07795-8ddb-461a-bbee-02f9e1bf7b46"}, "username": {user},
		"password": {userPassword}, "scope": {"https://localhost:7443/.default"},
	}
	req := request(t, http.MethodPost, r.server.URL+"/adfs/oauth2/token", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := send(t, req)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	ok(t, json.Unmarshal(got.body, &answer))
	if answer.AccessToken == "" {
		t.Fatalf("sign in %q: %d %s", user, got.status, got.body)
	}
	return "Bearer " + answer.AccessToken
}

func (r *rig) url(path string) string { return r.server.URL + "/scm/orders" + path }

// do sends a request with the app's publishing credentials.
func (r *rig) do(t *testing.T, method, path string, body io.Reader, headers ...string) response {
	t.Helper()
	req := request(t, method, r.url(path), body)
	req.SetBasicAuth("$"+appName, password)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return send(t, req)
}

type response struct {
	status int
	header http.Header
	body   []byte
}

func (r response) decode(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%v in %d %q", err, r.status, r.body)
	}
}

func (r response) want(t *testing.T, status int, parts ...string) response {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	for _, part := range parts {
		if !strings.Contains(string(r.body), part) {
			t.Errorf("answer lacks %q: %s", part, r.body)
		}
	}
	return r
}

func request(t *testing.T, method, address string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, body)
	ok(t, err)
	return req
}

func send(t *testing.T, req *http.Request) response {
	t.Helper()
	client := &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	ok(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	ok(t, err)
	return response{resp.StatusCode, resp.Header, body}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// deployed is what clients read of a DeployResult.
type deployed struct {
	ID         string  `json:"id"`
	Status     int     `json:"status"`
	StatusText string  `json:"status_text"`
	Author     string  `json:"author"`
	Deployer   string  `json:"deployer"`
	Message    string  `json:"message"`
	Complete   bool    `json:"complete"`
	Active     bool    `json:"active"`
	EndTime    *string `json:"end_time"`
	URL        string  `json:"url"`
	LogURL     string  `json:"log_url"`
	SiteName   string  `json:"site_name"`
	State      string  `json:"provisioningState"`
}

func (r *rig) log(t *testing.T, id string) string {
	t.Helper()
	lines, _, err := r.db.DeploymentLogs(t.Context(), id, store.Page{})
	ok(t, err)
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.Message + "\n")
	}
	return text.String()
}

func (r *rig) latest(t *testing.T) store.Deployment {
	t.Helper()
	d, err := r.db.LatestDeployment(t.Context(), r.app.ID)
	ok(t, err)
	return d
}

// rollout ends every deployment that is accepted from now on, as the rollout would, until the test ends.
func (r *rig) rollout(t *testing.T, status int, text string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		topic := store.AppTopic(r.app.ID)
		for ctx.Err() == nil {
			version := r.db.Version(topic)
			if d, err := r.db.LatestDeployment(ctx, r.app.ID); err == nil && d.Revision != 0 && !d.Complete() {
				_ = r.db.EndDeployment(ctx, d.ID, status, text)
			}
			_, _ = r.db.Wait(ctx, topic, version)
		}
	}()
	t.Cleanup(func() { cancel(); <-stopped })
}

// eventually waits for a condition on the app.
func (r *rig) eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	topic := store.AppTopic(r.app.ID)
	for {
		version := r.db.Version(topic)
		if holds() {
			return
		}
		if _, err := r.db.Wait(ctx, topic, version); err != nil {
			t.Fatalf("never came: %s", what)
		}
	}
}

// goodApp is a small app of the older Node.js model, whose functions can be told from the content.
func goodApp() map[string]string {
	return map[string]string{
		"host.json":           `{"version":"2.0"}`,
		"hello/function.json": `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"},{"type":"http","direction":"out","name":"res"}]}`,
		"hello/index.js":      "module.exports = async c => { c.res = 'hi' }",
	}
}

func zipOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create(name)
		ok(t, err)
		_, err = io.WriteString(w, files[name])
		ok(t, err)
	}
	ok(t, z.Close())
	return buf.Bytes()
}

// chunked hides a body's length, as functions-action does.
func chunked(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func newPasswords(t *testing.T) *identity.Passwords {
	t.Helper()
	passwords, err := identity.NewPasswords(t.Context(), identity.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}, 2)
	ok(t, err)
	return passwords
}
