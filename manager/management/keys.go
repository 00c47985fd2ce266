package management

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

const (
	maxKeyName  = 127
	maxKeyValue = 1024
)

// listFunctionKeys answers a flat object: az and func read it so. Typed SDKs look for "properties" and see nothing,
// with Azure itself too.
func (a *API) listFunctionKeys(ctx context.Context, c *call) (reply, error) {
	_, fn, all, err := a.functionKeys(ctx, c)
	if err != nil {
		return reply{}, err
	}
	c.detail = "keys of function " + fn.name
	return reply{body: valuesOf(all, identity.KeyFunction, fn.name)}, nil
}

func (a *API) listFunctionSecrets(ctx context.Context, c *call) (reply, error) {
	_, fn, all, err := a.functionKeys(ctx, c)
	if err != nil {
		return reply{}, err
	}
	c.detail = "secrets of function " + fn.name
	key := valuesOf(all, identity.KeyFunction, fn.name)[identity.DefaultKeyName]
	body := map[string]any{"key": key, "trigger_url": nil}
	if url := fn.invokeURL; url != "" {
		body["trigger_url"] = url + "?code=" + key
	}
	return reply{body: body}, nil
}

// functionKeys finds the function of the path and the app's keys.
func (a *API) functionKeys(ctx context.Context, c *call) (store.App, function, []store.Key, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return app, function{}, nil, err
	}
	fn, err := a.function(ctx, app, c.params["function"])
	if err != nil {
		return app, function{}, nil, err
	}
	all, err := a.Store.Keys(ctx, app.ID)
	return app, fn, all, err
}

// valuesOf picks keys by kind and function, by name.
func valuesOf(all []store.Key, kind, fn string) map[string]string {
	values := map[string]string{}
	for _, k := range all {
		if k.Kind == kind && strings.EqualFold(k.Function, fn) {
			values[k.Name] = k.Value
		}
	}
	return values
}

func (a *API) listHostKeys(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	all, err := a.Store.Keys(ctx, app.ID)
	if err != nil {
		return reply{}, err
	}
	return reply{body: map[string]any{
		"masterKey":    valuesOf(all, identity.KeyMaster, "")[identity.MasterKeyName],
		"functionKeys": valuesOf(all, identity.KeyHost, ""), "systemKeys": valuesOf(all, identity.KeySystem, ""),
	}}, nil
}

func (a *API) putFunctionKey(ctx context.Context, c *call) (reply, error) {
	app, fn, _, err := a.functionKeys(ctx, c)
	if err != nil {
		return reply{}, err
	}
	k := store.Key{Kind: identity.KeyFunction, Function: fn.name, Name: c.params["key"]}
	return a.putKey(ctx, c, app, k, "functions/"+fn.name+"/keys/"+k.Name)
}

func (a *API) deleteFunctionKey(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	k := store.Key{Kind: identity.KeyFunction, Function: c.params["function"], Name: c.params["key"]}
	return a.deleteKey(ctx, c, app, k)
}

func (a *API) putHostKey(ctx context.Context, c *call) (reply, error) {
	app, k, err := a.hostKey(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return a.putKey(ctx, c, app, k, "host/default/"+c.params["keytype"]+"/"+k.Name)
}

func (a *API) deleteHostKey(ctx context.Context, c *call) (reply, error) {
	app, k, err := a.hostKey(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return a.deleteKey(ctx, c, app, k)
}

// hostKey reads which key of the app the path names.
func (a *API) hostKey(ctx context.Context, c *call) (store.App, store.Key, error) {
	k := store.Key{Name: c.params["key"]}
	switch strings.ToLower(c.params["keytype"]) {
	case "functionkeys":
		k.Kind = identity.KeyHost
	case "systemkeys":
		k.Kind = identity.KeySystem
	case "masterkey":
		k.Kind, k.Name = identity.KeyMaster, identity.MasterKeyName // there is one, whatever it is called
	default:
		return store.App{}, k, azfunc.Errorf(azfunc.NotFound, "there are no keys of the type %q: use functionKeys, systemKeys or masterKey", c.params["keytype"])
	}
	app, err := a.site(ctx, c)
	return app, k, err
}

// putKey sets a key to the value of the body, or to a new one when it has none. az sends the value in "properties",
// the SDKs for Go send it flat.
func (a *API) putKey(ctx context.Context, c *call, app store.App, k store.Key, path string) (reply, error) {
	var in struct {
		Value      string `json:"value"`
		Properties struct {
			Value string `json:"value"`
		} `json:"properties"`
	}
	if hasBody(c.r) {
		if err := httpserver.ReadJSON(c.w, c.r, maxBody, &in); err != nil {
			return reply{}, err
		}
	}
	k.Value = orElse(in.Properties.Value, in.Value)
	c.detail = "set " + describeKey(k)
	created, k, err := setKey(ctx, a.Store, app.ID, k)
	if err != nil {
		return reply{}, err
	}
	out := reply{body: envelope(app, path, k.Name, "keys", map[string]any{"name": k.Name, "value": k.Value})}
	if created {
		out.status = http.StatusCreated
	}
	return out, nil
}

// deleteKey answers 404 when there is no such key, which az and the SDKs tell their users.
func (a *API) deleteKey(ctx context.Context, c *call, app store.App, k store.Key) (reply, error) {
	c.detail = "delete " + describeKey(k)
	return reply{status: http.StatusNoContent}, dropKey(ctx, a.Store, app.ID, k)
}

// KeyWriter changes the access keys of apps.
type KeyWriter interface {
	PutKey(ctx context.Context, appID string, k store.Key) (created bool, err error)
	DeleteKey(ctx context.Context, appID, kind, function, name string) error
}

// setKey checks a key, gives it a value when it has none, and stores it.
func setKey(ctx context.Context, st KeyWriter, appID string, k store.Key) (bool, store.Key, error) {
	if err := validateKey(k); err != nil {
		return false, k, err
	}
	if k.Value == "" {
		value, err := keys.Generate()
		if err != nil {
			return false, k, fmt.Errorf("make a key: %w", err)
		}
		k.Value = value
	}
	created, err := st.PutKey(ctx, appID, k)
	return created, k, err
}

func dropKey(ctx context.Context, st KeyWriter, appID string, k store.Key) error {
	if k.Kind == identity.KeyMaster {
		return azfunc.Errorf(azfunc.Invalid, "the master key cannot be deleted; set it to a new value instead")
	}
	return st.DeleteKey(ctx, appID, k.Kind, k.Function, k.Name)
}

func validateKey(k store.Key) error {
	bad := strings.ContainsFunc(k.Name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_-.", r)
	})
	if bad || k.Name == "" || len(k.Name) > maxKeyName {
		return azfunc.Errorf(azfunc.Invalid, "%.100q is not a name for a key: use 1 to %d letters (a-z), digits and _ - .", k.Name, maxKeyName)
	}
	if len(k.Value) > maxKeyValue || strings.ContainsFunc(k.Value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return azfunc.Errorf(azfunc.Invalid, "the value of key %q cannot go into a header: use at most %d printable ASCII characters without spaces, or none to have one made", k.Name, maxKeyValue)
	}
	return nil
}

func describeKey(k store.Key) string {
	if k.Function != "" {
		return fmt.Sprintf("key %s of function %s", k.Name, k.Function)
	}
	return fmt.Sprintf("%s key %s", k.Kind, k.Name)
}
