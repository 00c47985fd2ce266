package management

import (
	"context"
	"net"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// masterKeyAlias is how the admin API names the master key.
const masterKeyAlias = "_master"

// maxAdminBody bounds what is read of one key.
const maxAdminBody = 64 << 10

// AdminKeys serves the keys part of an app's own admin API: /admin/host/{keys,functionkeys,systemkeys}[/name] and
// /admin/functions/{function}/keys[/name], with the statuses of Azure's host. The gateway hands it requests whose path
// begins there, whatever address they came by. Callers show the app's master key, in x-functions-key or ?code=.
func (a *API) AdminKeys(app string) http.Handler {
	r := chi.NewRouter()
	for _, root := range []string{"/admin/host/{set:(?i:keys|functionkeys|systemkeys)}", "/admin/functions/{function}/keys"} {
		r.Get(root, a.adminRoute(app, (*adminCall).list))
		r.Get(root+"/{name}", a.adminRoute(app, (*adminCall).get))
		r.Post(root+"/{name}", a.adminRoute(app, (*adminCall).post))
		r.Put(root+"/{name}", a.adminRoute(app, (*adminCall).put))
		r.Delete(root+"/{name}", a.adminRoute(app, (*adminCall).remove))
	}
	return httpserver.NormalizePath(nil)(r)
}

// adminCall is one authenticated request for keys of an app.
type adminCall struct {
	api  *API
	w    http.ResponseWriter
	r    *http.Request
	app  store.App
	all  []store.Key
	want store.Key // kind, function and name that the path says; no value
}

type keyJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (a *API) adminRoute(name string, handle func(*adminCall, context.Context) (reply, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		c := &adminCall{api: a, w: w, r: r}
		known, err := c.authenticate(ctx, name)
		if err == nil && !known {
			w.WriteHeader(http.StatusUnauthorized) // with an empty body, as the host answers
			return
		}
		var out reply
		if err == nil {
			out, err = c.run(ctx, handle)
		}
		if err != nil {
			httpserver.WriteError(w, r, err)
			return
		}
		a.answer(w, r, out)
	}
}

// authenticate finds the app and compares the caller's key with its master key.
func (c *adminCall) authenticate(ctx context.Context, name string) (bool, error) {
	given := c.r.Header.Get("X-Functions-Key")
	if given == "" {
		given = c.r.URL.Query().Get("code")
	}
	app, err := c.api.Store.App(ctx, name)
	if azfunc.CodeOf(err) == azfunc.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if c.all, err = c.api.Store.Keys(ctx, app.ID); err != nil {
		return false, err
	}
	c.app = app
	for _, k := range c.all {
		if k.Kind == identity.KeyMaster && given != "" && keys.Equal(k.Value, given) {
			return true, nil
		}
	}
	return false, nil
}

// run serves the call and records it before the answer goes out.
func (c *adminCall) run(ctx context.Context, handle func(*adminCall, context.Context) (reply, error)) (reply, error) {
	if err := c.readPath(ctx); err != nil {
		return reply{}, err
	}
	out, err := handle(c, ctx)
	event := identity.Event{
		Action: c.action(), Scope: identity.SiteScope(c.app.SubscriptionID, c.app.ResourceGroup, c.app.Name),
		Outcome: identity.OutcomeAllowed, Detail: describeKey(c.want),
	}
	if err != nil {
		event.Outcome = identity.OutcomeFailed
	}
	who := identity.Principal{Name: "master key of " + c.app.Name, Address: remoteAddress(c.r)}
	if row := c.api.Gate.Record(ctx, who, event); row != nil {
		return reply{}, row
	}
	return out, err
}

func (c *adminCall) readPath(ctx context.Context) error {
	c.want = store.Key{Kind: identity.KeyHost, Name: chi.URLParam(c.r, "name")}
	if fn := chi.URLParam(c.r, "function"); fn != "" {
		found, err := c.api.function(ctx, c.app, fn)
		if err != nil {
			return err
		}
		c.want.Kind, c.want.Function = identity.KeyFunction, found.name
		return nil
	}
	if strings.EqualFold(chi.URLParam(c.r, "set"), "systemkeys") {
		c.want.Kind = identity.KeySystem
	}
	if c.want.Name == masterKeyAlias {
		c.want.Kind, c.want.Name = identity.KeyMaster, identity.MasterKeyName
	}
	return nil
}

func (c *adminCall) action() string {
	ofFunction := c.want.Kind == identity.KeyFunction
	switch {
	case c.r.Method == http.MethodGet && ofFunction:
		return identity.ActionListFunctionKeys
	case c.r.Method == http.MethodGet:
		return identity.ActionListHostKeys
	case c.r.Method == http.MethodDelete && ofFunction:
		return identity.ActionDeleteFunctionKey
	case c.r.Method == http.MethodDelete:
		return identity.ActionDeleteHostKey
	case ofFunction:
		return identity.ActionWriteFunctionKey
	}
	return identity.ActionWriteHostKey
}

// list answers the keys of the path's set; the host's sets show the master key too, as Azure's host does.
func (c *adminCall) list(context.Context) (reply, error) {
	found := []keyJSON{}
	for _, k := range c.all {
		switch {
		case k.Kind == identity.KeyMaster && c.want.Kind != identity.KeyFunction:
			found = append(found, keyJSON{masterKeyAlias, k.Value})
		case k.Kind == c.want.Kind && strings.EqualFold(k.Function, c.want.Function):
			found = append(found, keyJSON{k.Name, k.Value})
		}
	}
	return reply{body: map[string]any{"keys": found, "links": c.links()}}, nil
}

func (c *adminCall) get(context.Context) (reply, error) {
	for _, k := range c.all {
		if k.Kind == c.want.Kind && strings.EqualFold(k.Function, c.want.Function) && strings.EqualFold(k.Name, c.want.Name) {
			return c.keyReply(http.StatusOK, k), nil
		}
	}
	return reply{}, azfunc.Errorf(azfunc.NotFound, "there is no key %q", chi.URLParam(c.r, "name"))
}

// post makes a new value.
func (c *adminCall) post(ctx context.Context) (reply, error) {
	_, k, err := setKey(ctx, c.api.Store, c.app.ID, c.want)
	return c.keyReply(http.StatusCreated, k), err
}

// put sets the value of the body.
func (c *adminCall) put(ctx context.Context) (reply, error) {
	var in keyJSON
	if err := httpserver.ReadJSON(c.w, c.r, maxAdminBody, &in); err != nil {
		return reply{}, err
	}
	if in.Value == "" {
		return reply{}, azfunc.Errorf(azfunc.Invalid, `the body has no value; send {"name":"...","value":"..."}, or POST to have one made`)
	}
	k := c.want
	k.Value = in.Value
	created, k, err := setKey(ctx, c.api.Store, c.app.ID, k)
	if created {
		return c.keyReply(http.StatusCreated, k), err
	}
	return c.keyReply(http.StatusOK, k), err
}

func (c *adminCall) remove(ctx context.Context) (reply, error) {
	return reply{status: http.StatusNoContent}, dropKey(ctx, c.api.Store, c.app.ID, c.want)
}

func (c *adminCall) keyReply(status int, k store.Key) reply {
	name := k.Name
	if k.Kind == identity.KeyMaster {
		name = masterKeyAlias
	}
	return reply{status: status, body: map[string]any{"name": name, "value": k.Value, "links": c.links()}}
}

func (c *adminCall) links() []any {
	return []any{map[string]any{"rel": "self", "href": c.api.addresses.appURL(c.app.Name) + c.r.URL.EscapedPath()}}
}

func remoteAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
