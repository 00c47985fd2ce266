package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/internal/store/sqlite"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

const (
	base     = "https://localhost:7443"
	azClient = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	password = "correct horse battery"
)

// desk is a service on a real store, with a clock that the test moves.
type desk struct {
	t         testing.TB
	db        *store.DB
	service   *identity.Service
	directory *identity.Directory
	key       *ecdsa.PrivateKey

	mu  sync.Mutex
	now time.Time
}

func newDesk(t testing.TB) *desk {
	t.Helper()
	sealer, err := keys.NewSealer([32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sealer, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	passwords, err := identity.NewPasswords(t.Context(), identity.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}, 2)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, db: db, key: key, now: time.Now(), directory: identity.NewDirectory(db, passwords)}
	d.service, err = identity.New(identity.Config{PublicURL: base, TokenKey: key, Now: d.clock}, db, passwords, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *desk) advance(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func (d *desk) user(name string) store.User {
	d.t.Helper()
	u, err := d.directory.Create(d.t.Context(), identity.Principal{Name: "test"}, name, password)
	if err != nil {
		d.t.Fatal(err)
	}
	return u
}

func (d *desk) assign(name, role, scope string) {
	d.t.Helper()
	if err := d.directory.Assign(d.t.Context(), identity.Principal{Name: "test"}, name, role, scope); err != nil {
		d.t.Fatal(err)
	}
}

// post sends a form to the token endpoint from loopback.
func (d *desk) post(form url.Values, change ...func(*http.Request)) (*httptest.ResponseRecorder, map[string]any) {
	d.t.Helper()
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, "/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = "127.0.0.1:1234"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	d.service.Handler().ServeHTTP(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		d.t.Fatalf("%d %q: %v", w.Code, w.Body, err)
	}
	return w, body
}

func passwordForm(name, pass string) url.Values {
	return url.Values{"grant_type": {"password"}, "client_id": {azClient}, "username": {name}, "password": {pass}, "scope": {"openid profile offline_access " + base + "//.default"}}
}

func bearer(t *testing.T, token string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/subscriptions", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func text(v any) string { s, _ := v.(string); return s }

func TestPasswordGrant(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	u := d.user("Ada")
	w, body := d.post(passwordForm("ada", password))
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", w.Code, body)
	}
	p, err := d.service.Authenticate(bearer(t, text(body["access_token"])))
	want := identity.Principal{ID: u.ID, Name: "Ada", Kind: identity.KindUser, Address: "192.0.2.1"}
	if diff := cmp.Diff(want, p); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	var claims jwt.MapClaims
	// Read with the published key set alone, as a client would.
	set := httptest.NewRecorder()
	d.service.Handler().ServeHTTP(set, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/discovery/keys", nil))
	token, err := jwt.ParseWithClaims(text(body["access_token"]), &claims, func(tok *jwt.Token) (any, error) {
		if !strings.Contains(set.Body.String(), text(tok.Header["kid"])) {
			t.Errorf("kid %v is not in %s", tok.Header["kid"], set.Body)
		}
		return &d.key.PublicKey, nil
	})
	if err != nil || token.Method.Alg() != "ES256" {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"aud": []any{base + "/"}, "iss": base + "/adfs", "oid": u.ID, "sub": u.ID, "tid": "adfs", "upn": "Ada", "unique_name": "Ada", "appid": azClient,
	} {
		if diff := cmp.Diff(want, claims[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	var id jwt.MapClaims
	if _, _, err := jwt.NewParser().ParseUnverified(text(body["id_token"]), &id); err != nil || id["preferred_username"] != "Ada" || id["tid"] != "adfs" {
		t.Errorf("id token %v: %v", id, err)
	}
	if aud, _ := id.GetAudience(); len(aud) != 1 || aud[0] != azClient {
		t.Errorf("the id token is for %v, not for the client", aud)
	}
}

func TestTokenEndpointRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.user("ada")
	d.user("gone")
	if err := d.directory.SetDisabled(t.Context(), identity.Principal{}, "gone", true); err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) url.Values {
		f := passwordForm("ada", password)
		f.Set(name, value)
		return f
	}
	for _, tc := range []struct {
		name   string
		form   url.Values
		change func(*http.Request)
		status int
		code   string
	}{
		{"wrong password", passwordForm("ada", "wrong"), nil, 400, "invalid_grant"},
		{"unknown user", passwordForm("bob", password), nil, 400, "invalid_grant"},
		{"disabled user", passwordForm("gone", password), nil, 400, "invalid_grant"},
		{"empty password", passwordForm("ada", ""), nil, 400, "invalid_grant"},
		{"very long password", passwordForm("ada", strings.Repeat("x", 50_000)), nil, 400, "invalid_grant"},
		{"unknown client", with("client_id", "11111111-1111-1111-1111-111111111111"), nil, 401, "invalid_client"},
		{"no client", with("client_id", ""), nil, 401, "invalid_client"},
		{"other grant", with("grant_type", "client_credentials"), nil, 400, "unsupported_grant_type"},
		{"scope that is no address", with("scope", "urn:x/.default"), nil, 400, "invalid_resource"},
		{"huge form", with("password", strings.Repeat("x", 100_000)), nil, 400, "invalid_request"},
		{"plain http from elsewhere", passwordForm("ada", password), func(r *http.Request) { r.RemoteAddr = "192.0.2.9:99" }, 403, "invalid_request"},
		{"plain http, forwarded header is not asked", passwordForm("ada", password), func(r *http.Request) {
			r.RemoteAddr = "192.0.2.9:99"
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
			r.Header.Set("X-Forwarded-Proto", "https")
		}, 403, "invalid_request"},
		{"password in the address", nil, func(r *http.Request) { r.URL.RawQuery = passwordForm("ada", password).Encode() }, 401, "invalid_client"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.change == nil {
				tc.change = func(*http.Request) {}
			}
			w, body := d.post(tc.form, tc.change)
			if w.Code != tc.status || body["error"] != tc.code || text(body["error_description"]) == "" || body["access_token"] != nil {
				t.Errorf("%d %v, want %d %s", w.Code, body, tc.status, tc.code)
			}
		})
	}
	_, unknown := d.post(passwordForm("nobody", password))
	_, wrong := d.post(passwordForm("ada", "wrong-again"))
	if unknown["error_description"] != wrong["error_description"] {
		t.Error("an unknown user can be told from a wrong password")
	}
}

func TestTokensThatAreNotGood(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.user("ada")
	d.user("bob")
	_, body := d.post(passwordForm("ada", password))
	good := text(body["access_token"])
	otherKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	forge := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		var c jwt.MapClaims
		if _, _, err := jwt.NewParser().ParseUnverified(good, &c); err != nil {
			t.Fatal(err)
		}
		change(c)
		s, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	same := func(jwt.MapClaims) {}
	elsewhere := passwordForm("ada", password)
	elsewhere.Set("scope", "https://vault.example.com/.default")
	_, other := d.post(elsewhere)
	for name, token := range map[string]string{
		"empty":                    "",
		"not a token":              "abc",
		"another key":              forge(jwt.SigningMethodES256, otherKey, same),
		"no signature":             forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"public key as a secret":   forge(jwt.SigningMethodHS256, publicBytes(t, d.key), same),
		"another issuer":           forge(jwt.SigningMethodES256, d.key, func(c jwt.MapClaims) { c["iss"] = "https://evil/adfs" }),
		"no end":                   forge(jwt.SigningMethodES256, d.key, func(c jwt.MapClaims) { delete(c, "exp") }),
		"user that is not there":   forge(jwt.SigningMethodES256, d.key, func(c jwt.MapClaims) { c["sub"] = "x" }),
		"id token":                 text(body["id_token"]),
		"refresh token":            text(body["refresh_token"]),
		"token for something else": text(other["access_token"]),
		"cut":                      good[:len(good)-4],
	} {
		if p, err := d.service.Authenticate(bearer(t, token)); azfunc.CodeOf(err) != azfunc.Unauthenticated || p.Kind != identity.KindAnonymous {
			t.Errorf("%s: %+v, %v", name, p, err)
		} else if token != "" && strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error repeats the token", name)
		}
	}
	if _, err := d.service.Authenticate(bearer(t, good)); err != nil {
		t.Fatal(err)
	}
	d.advance(time.Hour + time.Second)
	if _, err := d.service.Authenticate(bearer(t, good)); azfunc.CodeOf(err) != azfunc.Unauthenticated {
		t.Errorf("after an hour: %v", err)
	}
}

func TestTokensEndWithTheUser(t *testing.T) {
	t.Parallel()
	by := identity.Principal{Name: "test"}
	for name, end := range map[string]func(*desk) error{
		"password set": func(d *desk) error { return d.directory.SetPassword(d.t.Context(), by, "ada", password+"2") },
		"disabled":     func(d *desk) error { return d.directory.SetDisabled(d.t.Context(), by, "ada", true) },
		"deleted":      func(d *desk) error { return d.directory.Delete(d.t.Context(), by, "ada") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.user("ada")
			_, body := d.post(passwordForm("ada", password))
			if err := end(d); err != nil {
				t.Fatal(err)
			}
			if _, err := d.service.Authenticate(bearer(t, text(body["access_token"]))); azfunc.CodeOf(err) != azfunc.Unauthenticated {
				t.Errorf("the access token: %v", err)
			}
			w, _ := d.post(url.Values{"grant_type": {"refresh_token"}, "client_id": {azClient}, "refresh_token": {text(body["refresh_token"])}})
			if w.Code != http.StatusBadRequest {
				t.Errorf("the refresh token: %d", w.Code)
			}
		})
	}
}

func TestRefreshEndsTwelveHoursAfterTheSignIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.user("ada")
	_, body := d.post(passwordForm("ada", password))
	refresh := func() int {
		w, next := d.post(url.Values{"grant_type": {"refresh_token"}, "client_id": {azClient}, "refresh_token": {text(body["refresh_token"])}})
		if w.Code == http.StatusOK {
			body = next
			if _, err := d.service.Authenticate(bearer(t, text(body["access_token"]))); err != nil {
				t.Error(err)
			}
		}
		return w.Code
	}
	for range 11 {
		d.advance(time.Hour)
		if got := refresh(); got != http.StatusOK {
			t.Fatalf("refused at %s", d.clock())
		}
	}
	w, _ := d.post(url.Values{"grant_type": {"refresh_token"}, "client_id": {"nightshift"}, "refresh_token": {text(body["refresh_token"])}})
	if w.Code == http.StatusOK {
		t.Error("another client used the refresh token")
	}
	for _, use := range []string{"access_token", "id_token"} {
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {azClient}, "refresh_token": {text(body[use])}}
		if w, _ := d.post(form); w.Code != http.StatusBadRequest {
			t.Errorf("an %s was taken for a refresh token", use)
		}
	}
	d.advance(time.Hour + time.Second)
	if got := refresh(); got != http.StatusBadRequest {
		t.Errorf("after twelve hours: %d", got)
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.user("ada")
	for i := range 5 {
		if w, _ := d.post(passwordForm("ada", "wrong")); w.Code != http.StatusBadRequest {
			t.Fatalf("try %d: %d", i, w.Code)
		}
	}
	w, body := d.post(passwordForm("ADA", password))
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Fatalf("%d, Retry-After %q, %v", w.Code, w.Header().Get("Retry-After"), body)
	}
	if w, _ := d.post(passwordForm("ada", password), func(r *http.Request) { r.RemoteAddr = "[::1]:5" }); w.Code != http.StatusOK {
		t.Errorf("somebody at another address is locked out: %d", w.Code)
	}
	d.advance(time.Second)
	if w, _ := d.post(passwordForm("ada", "wrong")); w.Code != http.StatusBadRequest {
		t.Errorf("after waiting: %d", w.Code)
	}
	if w, _ := d.post(passwordForm("ada", "wrong")); w.Header().Get("Retry-After") != "2" {
		t.Errorf("the delay does not grow: %q", w.Header().Get("Retry-After"))
	}
	d.advance(2 * time.Second)
	if w, _ := d.post(passwordForm("ada", password)); w.Code != http.StatusOK {
		t.Errorf("the right password after the delay: %d", w.Code)
	}
}

func TestSignInsAreRecorded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.user("ada")
	d.post(passwordForm("ada", "wrong-secret"))
	d.post(passwordForm("ada", password))
	all, _, err := d.db.Audit(t.Context(), "/", store.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range all {
		got = append(got, e.Principal+" "+e.Action+" "+e.Outcome+" "+e.ClientIP)
		if strings.Contains(e.Detail+e.Principal, "secret") || strings.Contains(e.Detail, password) {
			t.Errorf("a password in %+v", e)
		}
	}
	want := []string{
		"ada Nightshift.Runtime/users/signin/action allowed 127.0.0.1",
		"ada Nightshift.Runtime/users/signin/action refused 127.0.0.1",
		"test Nightshift.Runtime/users/write allowed ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDiscovery(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := httptest.NewRecorder()
	d.service.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/.well-known/openid-configuration", nil))
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"issuer": base + "/adfs", "token_endpoint": base + "/adfs/oauth2/token",
		"authorization_endpoint": base + "/adfs/oauth2/authorize", "jwks_uri": base + "/adfs/discovery/keys",
	} {
		if body[name] != want {
			t.Errorf("%s is %v, want %s", name, body[name], want)
		}
	}
}

func publicBytes(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
