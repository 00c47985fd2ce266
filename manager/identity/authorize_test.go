package identity_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

const sub = "11111111-2222-3333-4444-555555555555"

func (d *desk) app(name, publishPassword string) store.App {
	d.t.Helper()
	ctx := d.t.Context()
	if err := d.db.PutSubscription(ctx, store.Subscription{ID: sub, Name: "team"}); err != nil {
		d.t.Fatal(err)
	}
	if err := d.db.PutResourceGroup(ctx, store.ResourceGroup{SubscriptionID: sub, Name: "rg", Location: "local"}); err != nil {
		d.t.Fatal(err)
	}
	app, err := d.db.CreateApp(ctx, store.App{Name: name, SubscriptionID: sub, ResourceGroup: "rg", Kind: "functionapp", PublishPassword: publishPassword})
	if err != nil {
		d.t.Fatal(err)
	}
	return app
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.app("shop", "p")
	site, other := identity.SiteScope(sub, "rg", "shop"), identity.SiteScope(sub, "rg", "shop2")
	for name, role := range map[string][2]string{
		"reader": {identity.Reader, identity.SubscriptionScope(sub)}, "operator": {"operator", site},
		"contributor": {identity.Contributor, site + "/"}, "owner": {identity.Owner, strings.ToUpper(identity.GroupScope(sub, "rg"))},
		"admin": {identity.PlatformAdministrator, "/"},
	} {
		d.user(name)
		d.assign(name, role[0], role[1])
		d.assign(name, role[0], role[1]) // again: no error
	}
	d.user("nobody")
	publisher := identity.Principal{Name: "$shop", Kind: identity.KindPublisher, App: "shop"}
	for _, tc := range []struct {
		who, action, scope string
		want               azfunc.Code
	}{
		{"reader", identity.ActionReadSite, site, ""},
		{"reader", identity.ActionReadSite, "/", azfunc.Forbidden},
		{"reader", identity.ActionListConfig, site, azfunc.Forbidden},
		{"reader", identity.ActionPublishXML, site, azfunc.Forbidden},
		{"reader", identity.ActionListHostKeys, site, azfunc.Forbidden},
		{"operator", identity.ActionRestart, site, ""},
		{"operator", identity.ActionRestart, other, azfunc.Forbidden},
		{"contributor", identity.ActionListConfig, strings.ToUpper(site), ""},
		{"contributor", identity.ActionListConfig, other, azfunc.Forbidden},
		{"contributor", identity.ActionReadSite, identity.GroupScope(sub, "rg"), azfunc.Forbidden},
		{"owner", identity.ActionDeleteSite, other, ""},
		{"owner", identity.ActionDeleteSite, identity.SiteScope(sub, "rg2", "shop"), azfunc.Forbidden},
		{"admin", identity.ActionMakeUser, "/", ""},
		{"nobody", identity.ActionReadSite, site, azfunc.Forbidden},
		{"$shop", identity.ActionPublish, site, ""},
		{"$shop", identity.ActionPublish, other, azfunc.Forbidden},
		{"$shop", identity.ActionReadSite, site, azfunc.Forbidden},
		{"$shop", identity.ActionListHostKeys, site, azfunc.Forbidden},
		{"", identity.ActionReadSite, site, azfunc.Unauthenticated},
	} {
		t.Run(tc.who+" "+tc.action+" "+tc.scope, func(t *testing.T) {
			t.Parallel()
			p := identity.Principal{Kind: identity.KindAnonymous}
			switch tc.who {
			case "":
			case "$shop":
				p = publisher
			default:
				u, err := d.db.UserByName(t.Context(), tc.who)
				if err != nil {
					t.Fatal(err)
				}
				p = identity.Principal{ID: u.ID, Name: u.Name, Kind: identity.KindUser}
			}
			if got := azfunc.CodeOf(d.service.Authorize(t.Context(), p, tc.action, tc.scope)); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestRefusalsAreRecorded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	u := d.user("ada")
	scope := identity.SiteScope(sub, "rg", "shop")
	p := identity.Principal{ID: u.ID, Name: "ada", Kind: identity.KindUser, Address: "192.0.2.5"}
	if err := d.service.Authorize(t.Context(), p, identity.ActionListConfig, scope); azfunc.CodeOf(err) != azfunc.Forbidden {
		t.Fatal(err)
	}
	all, _, err := d.db.Audit(t.Context(), scope, store.Page{})
	if err != nil || len(all) != 1 || all[0].Outcome != identity.OutcomeRefused || all[0].Principal != "ada" || all[0].ClientIP != "192.0.2.5" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAssignRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.user("ada")
	for name, tc := range map[string]struct {
		user, role, scope string
		want              azfunc.Code
	}{
		"unknown role":         {"ada", "God", "/", azfunc.Invalid},
		"built-in role":        {"ada", "publisher", "/", azfunc.Invalid},
		"unknown user":         {"bob", identity.Reader, "/", azfunc.NotFound},
		"platform, not on /":   {"ada", identity.PlatformAdministrator, "/subscriptions/x", azfunc.Invalid},
		"scope that is no one": {"ada", identity.Reader, "shop", azfunc.Invalid},
	} {
		if err := d.directory.Assign(t.Context(), identity.Principal{}, tc.user, tc.role, tc.scope); azfunc.CodeOf(err) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	d.assign("ada", identity.Reader, "/")
	if err := d.directory.Unassign(t.Context(), identity.Principal{}, "ada", "reader", "/"); err != nil {
		t.Error(err)
	}
	if err := d.directory.Unassign(t.Context(), identity.Principal{}, "ada", "reader", "/"); azfunc.CodeOf(err) != azfunc.NotFound {
		t.Error(err)
	}
}

func TestCreateRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.user("ada")
	for name, tc := range map[string]struct {
		user, password string
		want           azfunc.Code
	}{
		"taken":          {"ADA", password, azfunc.Conflict},
		"publishing":     {"$shop", password, azfunc.Invalid},
		"empty":          {"", password, azfunc.Invalid},
		"colon":          {"a:b", password, azfunc.Invalid},
		"short password": {"bob", "short", azfunc.Invalid},
		"line break":     {"bob", "correct horse\nbattery", azfunc.Invalid},
	} {
		if _, err := d.directory.Create(t.Context(), identity.Principal{}, tc.user, tc.password); azfunc.CodeOf(err) != tc.want {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), tc.password) {
			t.Errorf("%s: the error repeats the password", name)
		}
	}
}

func basic(user, pass string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+pass))
}

func TestAuthenticateSCM(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.app("Shop", "shop-password")
	d.app("other", "other-password")
	d.app("bare", "")
	d.user("ada")
	_, body := d.post(passwordForm("ada", password))
	for _, tc := range []struct {
		name, header, app, want string
	}{
		{"publishing credentials", basic("$Shop", "shop-password"), "shop", "$Shop"},
		{"other case", basic("$sHOP", "shop-password"), "SHOP", "$Shop"},
		{"scheme in other case", strings.Replace(basic("$Shop", "shop-password"), "Basic", "bASIC", 1), "shop", "$Shop"},
		{"as in FTP profiles", basic(`Shop\$Shop`, "shop-password"), "shop", "$Shop"},
		{"bearer", "Bearer " + text(body["access_token"]), "shop", "ada"},
		{"another app's credentials", basic("$other", "other-password"), "shop", ""},
		{"another app's password", basic("$Shop", "other-password"), "shop", ""},
		{"another app's name", basic("$other", "shop-password"), "shop", ""},
		{"no dollar", basic("Shop", "shop-password"), "shop", ""},
		{"a user by basic", basic("ada", password), "shop", ""},
		{"empty password", basic("$bare", ""), "bare", ""},
		{"unknown app", basic("$nope", "x"), "nope", ""},
		{"no header", "", "shop", ""},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("$Shop")), "shop", ""},
		{"not base64", "Basic ???", "shop", ""},
		{"other scheme", "Digest x", "shop", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Authorization", tc.header)
			p, err := d.service.AuthenticateSCM(r, tc.app)
			if tc.want == "" {
				if azfunc.CodeOf(err) != azfunc.Unauthenticated || p.Kind != identity.KindAnonymous {
					t.Errorf("%+v, %v", p, err)
				}
				return
			}
			if err != nil || p.Name != tc.want {
				t.Errorf("%+v, %v", p, err)
			}
			if p.Kind == identity.KindPublisher && p.App != "Shop" {
				t.Errorf("%+v", p)
			}
		})
	}
}

func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"", "Basic", "Basic JHNob3A6eA==", "basic  JHNob3A6eA== ", "Bearer a.b.c", "Bearer", "Basic JHNob3A=", "\x00", "Basic " + strings.Repeat("A", 5000)} {
		f.Add(seed)
	}
	d := newDesk(f)
	d.app("shop", "the password that no input has")
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header["Authorization"] = []string{header}
		if p, err := d.service.AuthenticateSCM(r, "shop"); azfunc.CodeOf(err) != azfunc.Unauthenticated || p.Kind != identity.KindAnonymous || p.ID != "" {
			t.Errorf("%q became %+v, %v", header, p, err)
		}
	})
}
