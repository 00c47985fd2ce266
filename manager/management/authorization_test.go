package management_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
	"github.com/nightshift-functions/nightshift/manager/management"
)

const shopScope = "/subscriptions/" + sub + "/resourcegroups/rg/providers/microsoft.web/sites/shop"

// prepared is a desk with the app shop, which has functions and secrets, and a user of each kind.
func prepared(t *testing.T) (*desk, []string) {
	t.Helper()
	d := newDesk(t)
	app := d.site("shop")
	d.publish(app)
	d.user("reader", identity.Reader, "/subscriptions/"+sub)
	d.user("operator", identity.Operator, shopScope)
	d.user("contributor", identity.Contributor, shopScope)
	d.user("owner", identity.Owner, "/subscriptions/"+sub)
	d.user("neighbour", identity.Owner, shopScope+"2") // of an app whose name begins alike
	d.user("nobody")
	secrets := []string{"s3cr3t-setting", app.PublishPassword, password}
	all, err := d.db.Keys(t.Context(), app.ID)
	must(t, err)
	for _, k := range all {
		secrets = append(secrets, k.Value)
	}
	for _, token := range d.tokens {
		secrets = append(secrets, token)
	}
	if len(all) != 4 { // master, default host key, one for each function
		t.Fatalf("the app has %d keys", len(all))
	}
	return d, secrets
}

func body(method string) string {
	if method == http.MethodPut || method == http.MethodPost || method == http.MethodPatch {
		return "{}"
	}
	return ""
}

// Nobody passes without a token, but where the table says so.
func TestAnonymousIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	d, _ := prepared(t)
	publicRoutes := 0
	for _, rt := range management.Routes() {
		a := d.do("", rt.Method, param(rt.Pattern), body(rt.Method))
		if rt.Public {
			publicRoutes++
			continue
		}
		if a.Code != http.StatusUnauthorized || !strings.HasPrefix(a.Header().Get("WWW-Authenticate"), `Bearer authorization_uri="https://localhost:7443/adfs"`) {
			t.Errorf("%s %s: %d %q", rt.Method, rt.Pattern, a.Code, a.Header().Get("WWW-Authenticate"))
		}
	}
	if publicRoutes != 1 {
		t.Errorf("%d routes are public, want only the metadata", publicRoutes)
	}
}

// A Reader gets no secret and changes nothing, whatever route there is.
func TestReaderReadsNoSecretAndChangesNothing(t *testing.T) {
	t.Parallel()
	d, secrets := prepared(t)
	before := d.fingerprint()
	for _, rt := range management.Routes() {
		a := d.do("reader", rt.Method, param(rt.Pattern), body(rt.Method))
		reads := rt.Method == http.MethodGet || rt.Method == http.MethodHead || rt.SignedIn
		if reads && a.Code >= 300 && rt.Pattern != "/providers/Nightshift.Runtime/audit" {
			t.Errorf("%s %s: %d %s", rt.Method, rt.Pattern, a.Code, a.Body)
		}
		if !reads && (a.Code != http.StatusForbidden || a.code() != "AuthorizationFailed") {
			t.Errorf("%s %s: %d %s", rt.Method, rt.Pattern, a.Code, a.Body)
		}
		for _, s := range secrets {
			if strings.Contains(a.Body.String(), s) {
				t.Errorf("%s %s shows a secret to a Reader", rt.Method, rt.Pattern)
			}
		}
	}
	if after := d.fingerprint(); after != before {
		t.Errorf("a Reader changed something:\n%s\n%s", before, after)
	}
}

// fingerprint is what could be changed.
func (d *desk) fingerprint() string {
	d.t.Helper()
	site := d.admin(http.StatusOK, http.MethodGet, sites+"shop", "").Body.String()
	settings := d.admin(http.StatusOK, http.MethodPost, sites+"shop/config/appsettings/list", "").Body.String()
	hostKeys := d.admin(http.StatusOK, http.MethodPost, sites+"shop/host/default/listkeys", "").Body.String()
	groups := d.admin(http.StatusOK, http.MethodGet, "/subscriptions/"+sub+"/resourceGroups", "").Body.String()
	password := d.admin(http.StatusOK, http.MethodPost, sites+"shop/config/publishingcredentials/list", "").Body.String()
	return site + settings + hostKeys + groups + password
}

// What a route asks for is what the table says: each kind of user passes exactly where its role has the action.
func TestRolesPassWhereTheTableSays(t *testing.T) {
	t.Parallel()
	d, _ := prepared(t)
	for _, rt := range management.Routes() {
		if rt.Public || rt.SignedIn || rt.Method == http.MethodDelete || strings.Contains(rt.Pattern, "newpassword") {
			continue // what destroys is tried by the tests of the resource
		}
		onSite := strings.Contains(rt.Pattern, "{site}")
		for user, role := range map[string]string{"operator": identity.Operator, "contributor": identity.Contributor, "owner": identity.Owner} {
			if user != "owner" && !onSite || strings.HasPrefix(rt.Pattern, "/providers") {
				continue
			}
			a := d.do(user, rt.Method, param(rt.Pattern), body(rt.Method))
			if want := identity.RoleAllows(role, rt.Action); (a.Code != http.StatusForbidden) != want || a.Code == http.StatusUnauthorized {
				t.Errorf("%s %s as %s: %d, allowed should be %v", rt.Method, rt.Pattern, user, a.Code, want)
			}
		}
		for _, user := range []string{"neighbour", "nobody"} {
			if a := d.do(user, rt.Method, param(rt.Pattern), body(rt.Method)); onSite && a.Code != http.StatusForbidden {
				t.Errorf("%s %s as %s: %d %s", rt.Method, rt.Pattern, user, a.Code, a.Body)
			}
		}
	}
}

// Every route that is not a plain read leaves a row, and none leaves a secret behind, in the audit or in the log.
func TestAuditAndLogHoldNoSecret(t *testing.T) {
	t.Parallel()
	d, secrets := prepared(t)
	for _, rt := range management.Routes() {
		if rt.Method == http.MethodDelete && strings.HasSuffix(rt.Pattern, "{site}") {
			continue
		}
		in := body(rt.Method)
		switch {
		case strings.HasSuffix(rt.Pattern, "config/appsettings"):
			in = `{"properties":{"NEW":"n3w-s3cr3t","SECRET":"ch4nged-s3cr3t"}}`
		case strings.Contains(rt.Pattern, "{key}") && rt.Method == http.MethodPut:
			in = `{"properties":{"name":"k1","value":"g1ven-key"}}`
		}
		before := d.auditRows()
		a := d.do("admin", rt.Method, param(rt.Pattern), in)
		grown := len(d.auditRows()) - len(before)
		recorded := rt.Action != "" && identity.Recorded(rt.Action)
		if recorded != (grown == 1) || grown > 1 {
			t.Errorf("%s %s (%d) left %d rows", rt.Method, rt.Pattern, a.Code, grown)
		}
		if recorded && d.auditRows()[0].RequestID != a.Header().Get("X-Ms-Request-Id") {
			t.Errorf("%s %s: the row has another request id", rt.Method, rt.Pattern)
		}
	}
	secrets = append(secrets, "n3w-s3cr3t", "ch4nged-s3cr3t", "g1ven-key")
	for _, s := range secrets {
		if strings.Contains(d.log.String(), s) {
			t.Error("a secret is in the log")
		}
		for _, row := range d.auditRows() {
			if strings.Contains(row.Detail+row.Scope+row.Principal, s) {
				t.Errorf("a secret is in the audit: %s", row.Action)
			}
		}
	}
	if row := d.find("changed SECRET"); row.Detail != "added NEW; changed SECRET; removed FUNCTIONS_EXTENSION_VERSION, FUNCTIONS_WORKER_RUNTIME" {
		t.Errorf("%q", row.Detail)
	}
}

func (d *desk) auditRows() []store.AuditEntry {
	d.t.Helper()
	all, _, err := d.db.Audit(d.t.Context(), "/", store.Page{Limit: 1000})
	must(d.t, err)
	return all
}

func (d *desk) find(detail string) store.AuditEntry {
	d.t.Helper()
	for _, row := range d.auditRows() {
		if strings.Contains(row.Detail, detail) {
			return row
		}
	}
	d.t.Fatalf("no row with %q", detail)
	return store.AuditEntry{}
}

// The path decides what is authorized, so an app must not be reached by the path of another group, however written.
func TestAppsAreReachedByTheirOwnPathOnly(t *testing.T) {
	t.Parallel()
	d, _ := prepared(t)
	must(t, d.db.PutResourceGroup(t.Context(), store.ResourceGroup{SubscriptionID: sub, Name: "mine", Location: "local"}))
	d.user("stranger", identity.Owner, "/subscriptions/"+sub+"/resourcegroups/mine")
	mine := "/subscriptions/" + sub + "/resourceGroups/mine/providers/Microsoft.Web/sites/"
	for _, tc := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, mine + "shop", 404},
		{http.MethodPost, mine + "shop/config/appsettings/list", 404},
		{http.MethodPost, mine + "shop/publishxml", 404},
		{http.MethodPut, mine + "shop", 409}, // the name is taken
		{http.MethodDelete, mine + "shop", 204},
		{http.MethodGet, mine + "..%2f..%2f..%2frg%2fproviders%2fmicrosoft.web%2fsites%2fshop", 400},
		{http.MethodGet, "/subscriptions/" + sub + "/resourceGroups/mine%2f..%2frg/providers/Microsoft.Web/sites/shop", 400},
		{http.MethodGet, sites + "shop", 403},
		{http.MethodGet, strings.ToUpper(sites) + "SHOP", 403},
		{http.MethodGet, "/subscriptions/" + sub + "/resourceGroups/mine/../rg/providers/Microsoft.Web/sites/shop", 404},
	} {
		if a := d.do("stranger", tc.method, tc.path, body(tc.method)); a.Code != tc.want {
			t.Errorf("%s %s: %d %s, want %d", tc.method, tc.path, a.Code, a.Body, tc.want)
		}
	}
	d.admin(http.StatusOK, http.MethodGet, sites+"shop", "") // still there
}

func TestListsLeaveOutWhatIsNotOnesOwn(t *testing.T) {
	t.Parallel()
	d, _ := prepared(t)
	d.site("private")
	must(t, d.db.PutSubscription(t.Context(), store.Subscription{ID: "99999999-0000-0000-0000-000000000000", Name: "others"}))
	for _, path := range []string{"/subscriptions/" + sub + "/providers/Microsoft.Web/sites", group + "/providers/Microsoft.Web/sites", "/subscriptions/" + sub + "/resources"} {
		if got := names(d.do("operator", http.MethodGet, path, "")); got != "shop" {
			t.Errorf("%s lists %q to who has a role on shop only", path, got)
		}
		if got := names(d.do("owner", http.MethodGet, path, "")); got != "private shop" {
			t.Errorf("%s lists %q to the owner", path, got)
		}
		if a := d.do("nobody", http.MethodGet, path, ""); a.Code != http.StatusForbidden {
			t.Errorf("%s: %d to nobody", path, a.Code)
		}
	}
	if a := d.do("operator", http.MethodGet, "/subscriptions", ""); strings.Contains(a.Body.String(), "others") || !strings.Contains(a.Body.String(), "team") {
		t.Errorf("subscriptions: %s", a.Body)
	}
	query := `{"subscriptions":["` + sub + `"],"query":"where type =~ 'Microsoft.Web/sites' and name =~ 'private' | project id"}`
	if a := d.do("operator", http.MethodPost, "/providers/Microsoft.ResourceGraph/resources", query); strings.Contains(a.Body.String(), "private") {
		t.Errorf("the query shows an app that is not one's own: %s", a.Body)
	}
	if a := d.do("owner", http.MethodPost, "/providers/Microsoft.ResourceGraph/resources", query); !strings.Contains(a.Body.String(), `"rows":[["`+sites+`private"]]`) {
		t.Errorf("query: %s", a.Body)
	}
}

// names are those of a list's items, in order.
func names(a answer) string {
	var all []string
	items, _ := a.json["value"].([]any)
	for _, i := range items {
		m, _ := i.(map[string]any)
		name, _ := m["name"].(string)
		all = append(all, name)
	}
	return strings.Join(all, " ")
}
