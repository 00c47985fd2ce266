package hostapi_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	link "github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/hostapi/client"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/internal/store/sqlite"
	"github.com/nightshift-functions/nightshift/manager/hostapi"
)

// tokens are the instances that have one.
type tokens map[string]hostapi.Instance

func (k tokens) Verify(_ context.Context, token string) (hostapi.Instance, error) {
	if found, known := k[token]; known {
		return found, nil
	}
	return hostapi.Instance{}, azfunc.Errorf(azfunc.Unauthenticated, "the token is not that of a running instance")
}

const (
	ordersToken = "token-of-orders"
	billsToken  = "token-of-bills"
)

// rig is the link over a real store with two apps, each with an active revision and one instance.
type rig struct {
	db     *store.DB
	svc    *hostapi.Service
	server *httptest.Server
	tokens tokens
	orders store.App
	bills  store.App
	epoch  int64

	mu      sync.Mutex
	ensured []string // names that default keys were asked for
	failKey error
}

func newRig(t *testing.T) *rig {
	t.Helper()
	sealer, err := keys.NewSealer([32]byte{2})
	ok(t, err)
	r := &rig{tokens: tokens{
		ordersToken: {ID: "instance-orders", App: "Orders", Revision: 1},
		billsToken:  {ID: "instance-bills", App: "bills", Revision: 1},
	}}
	r.db, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "nightshift.db"), sealer, sqlite.Options{Log: zerolog.Nop()})
	ok(t, err)
	t.Cleanup(func() { _ = r.db.Close() })
	r.epoch, err = r.db.TakeEpoch(t.Context(), "test")
	ok(t, err)
	r.orders, r.bills = r.createApp(t, "Orders"), r.createApp(t, "bills")
	r.svc, err = hostapi.New(hostapi.Config{
		GatewayKeys:        func() []string { return []string{"gateway-key"} },
		PublicURL:          func(app string) string { return "http://localhost:7081/" + app },
		EnsureFunctionKeys: r.ensure,
		Limits:             link.Limits{MaxBodyBytes: 5},
	}, r.db, r.tokens, zerolog.Nop())
	ok(t, err)
	r.server = httptest.NewServer(r.svc)
	t.Cleanup(r.server.Close)
	return r
}

func (r *rig) ensure(_ context.Context, appID string, functions []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range functions {
		r.ensured = append(r.ensured, appID+"/"+f)
	}
	return r.failKey
}

// createApp makes an app whose first revision is active.
func (r *rig) createApp(t *testing.T, name string) store.App {
	t.Helper()
	ctx := t.Context()
	ok(t, r.db.PutSubscription(ctx, store.Subscription{ID: "s", Name: "team"}))
	ok(t, r.db.PutResourceGroup(ctx, store.ResourceGroup{SubscriptionID: "s", Name: "g"}))
	app, err := r.db.CreateApp(ctx, store.App{Name: name, SubscriptionID: "s", ResourceGroup: "g", PublishPassword: "p"})
	ok(t, err)
	_, _, err = r.db.ReplaceSettings(ctx, app.ID, map[string]string{"SECRET": "secret of " + name}, 0, false)
	ok(t, err)
	r.publish(t, app, content(name))
	r.phase(t, app, 1, store.PhaseStandby)
	r.phase(t, app, 1, store.PhaseActive)
	return app
}

func content(name string) []byte { return bytes.Repeat([]byte("content of "+name+"\n"), 100_000) }

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// publish makes the next revision of an app.
func (r *rig) publish(t *testing.T, app store.App, content []byte) store.Revision {
	t.Helper()
	ctx, sha := t.Context(), digest(content)
	ok(t, r.db.PutPackage(ctx, sha, int64(len(content)), bytes.NewReader(content)))
	d, err := r.db.BeginDeployment(ctx, store.Deployment{AppID: app.ID})
	ok(t, err)
	rev, err := r.db.AcceptDeployment(ctx, d.ID, store.AcceptInput{PackageSHA256: sha, PackageSize: int64(len(content)), Runtime: "node"})
	ok(t, err)
	ok(t, r.db.EndDeployment(ctx, d.ID, store.StatusSuccess, ""))
	return rev
}

func (r *rig) phase(t *testing.T, app store.App, number int64, phase store.Phase) {
	t.Helper()
	ok(t, r.db.SetPhase(t.Context(), r.epoch, app.ID, number, phase, ""))
}

// worker is a real client of the link with the token.
func (r *rig) worker(t *testing.T, token string) *client.Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "identity")
	ok(t, os.WriteFile(file, []byte(token), 0o600))
	c, err := client.New(client.Config{BaseURL: r.server.URL, IdentityFile: file})
	ok(t, err)
	t.Cleanup(c.Close)
	return c
}

// call sends a request as it is.
func (r *rig) call(t *testing.T, method, path, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.server.URL+path, strings.NewReader(body))
	ok(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Timeout: time.Minute}
	resp, err := client.Do(req)
	ok(t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	ok(t, err)
	return resp.StatusCode, string(raw)
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, code azfunc.Code) {
	t.Helper()
	if got := azfunc.CodeOf(err); got != code {
		t.Fatalf("code %q, want %q: %v", got, code, err)
	}
}
