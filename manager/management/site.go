package management

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/identity"
)

// site returns the app that the path names. It must lie in the path's own subscription and resource group, because
// those are what the caller was authorized for.
func (a *API) site(ctx context.Context, c *call) (store.App, error) {
	app, err := a.Store.App(ctx, c.params["site"])
	if err != nil && azfunc.CodeOf(err) != azfunc.NotFound {
		return store.App{}, err
	}
	if err != nil || !liesIn(app, c.params["sub"], c.params["group"]) {
		return store.App{}, azfunc.Errorf(azfunc.NotFound, "The Resource 'Microsoft.Web/sites/%s' under resource group '%s' was not found.", c.params["site"], c.params["group"])
	}
	return app, nil
}

func liesIn(app store.App, sub, group string) bool {
	return strings.EqualFold(app.SubscriptionID, sub) && strings.EqualFold(app.ResourceGroup, group)
}

func appTag(app store.App) string { return versionTag("app", app.Version) }

func (a *API) siteReply(app store.App) reply {
	return reply{body: a.addresses.siteJSON(app), etag: appTag(app)}
}

// listSites lists the apps of a subscription or of one of its groups that the caller may read. A page may be shorter
// than asked for; only nextLink tells whether it is the last.
func (a *API) listSites(ctx context.Context, c *call) (reply, error) {
	page, err := c.pageOf()
	if err != nil {
		return reply{}, err
	}
	if err := a.checkParent(ctx, c); err != nil {
		return reply{}, err
	}
	filter := store.AppFilter{SubscriptionID: c.params["sub"], ResourceGroup: c.params["group"]}
	all, next, err := a.Store.Apps(ctx, filter, page)
	if err != nil {
		return reply{}, err
	}
	items := []any{}
	for _, app := range all {
		if c.mayRead(app) {
			items = append(items, a.addresses.siteJSON(app))
		}
	}
	return a.listReply(c, items, next), nil
}

func (a *API) checkParent(ctx context.Context, c *call) error {
	if c.params["group"] != "" {
		_, err := a.group(ctx, c)
		return err
	}
	_, err := a.subscription(ctx, c)
	return err
}

func (c *call) mayRead(app store.App) bool {
	return c.rights.Allow(identity.ActionReadSite, identity.SiteScope(app.SubscriptionID, app.ResourceGroup, app.Name))
}

func (a *API) getSite(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return a.siteReply(app), nil
}

// putSite creates an app or replaces what can be changed of one. Doing it again after a crash finishes what was begun.
func (a *API) putSite(ctx context.Context, c *call) (reply, error) {
	in, err := readSite(c)
	if err != nil {
		return reply{}, err
	}
	app, err := a.site(ctx, c)
	if azfunc.CodeOf(err) == azfunc.NotFound {
		return a.createSite(ctx, c, in)
	}
	if err != nil {
		return reply{}, err
	}
	return a.changeSite(ctx, c, app, in)
}

func (a *API) createSite(ctx context.Context, c *call, in siteInput) (reply, error) {
	name := c.params["site"]
	if err := c.matches("", "app "+name); err != nil {
		return reply{}, err
	}
	if err := validateNewName(name); err != nil {
		return reply{}, err
	}
	group, err := a.group(ctx, c)
	if err != nil {
		return reply{}, err
	}
	password, err := keys.PublishPassword()
	if err != nil {
		return reply{}, fmt.Errorf("make the publishing password of app %q: %w", name, err)
	}
	app, err := a.Store.CreateApp(ctx, store.App{
		Name: name, SubscriptionID: group.SubscriptionID, ResourceGroup: group.Name, Location: orElse(in.Location, location),
		Kind: siteKind, Tags: in.Tags, PublishPassword: password,
	})
	if err != nil {
		return reply{}, err
	}
	c.detail = "create app " + name
	settings := in.settings()
	if settings == nil {
		settings = map[string]string{}
	}
	if azfunc.Setting(settings, extensionVersion) == "" {
		settings[extensionVersion] = "~4"
	}
	if err := a.equip(ctx, app, settings); err != nil {
		return reply{}, err
	}
	return a.siteReply(app), nil
}

// equip gives an app its keys and settings; nil settings stay as they are.
func (a *API) equip(ctx context.Context, app store.App, settings map[string]string) error {
	if err := identity.EnsureAppKeys(ctx, a.Store, app.ID); err != nil {
		return err
	}
	if settings == nil {
		return nil
	}
	_, _, err := a.Store.ReplaceSettings(ctx, app.ID, settings, 0, true)
	return err
}

func (a *API) changeSite(ctx context.Context, c *call, app store.App, in siteInput) (reply, error) {
	what := "app " + app.Name
	if err := c.matches(appTag(app), what); err != nil {
		return reply{}, err
	}
	if in.Tags != nil {
		app.Tags = in.Tags
	}
	app.Location = orElse(in.Location, app.Location)
	c.detail = "update app " + app.Name
	if err := a.equip(ctx, app, in.settings()); err != nil {
		return reply{}, err
	}
	// Settings may have made a revision, which moves the app's version: the caller's condition was checked above.
	current, err := a.Store.App(ctx, app.Name)
	if err != nil {
		return reply{}, err
	}
	current.Tags, current.Location = app.Tags, app.Location
	updated, err := a.Store.UpdateApp(ctx, current, current.Version)
	if err != nil {
		return reply{}, c.lostRace(err, what)
	}
	return a.siteReply(updated), nil
}

func (a *API) patchSite(ctx context.Context, c *call) (reply, error) {
	in, err := readSite(c)
	if err != nil {
		return reply{}, err
	}
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return a.changeSite(ctx, c, app, in)
}

// deleteSite answers 204 when there is nothing to delete, as ARM does.
func (a *API) deleteSite(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if azfunc.CodeOf(err) == azfunc.NotFound {
		return reply{status: http.StatusNoContent}, nil
	}
	if err != nil {
		return reply{}, err
	}
	if err := c.matches(appTag(app), "app "+app.Name); err != nil {
		return reply{}, err
	}
	c.detail = "delete app " + app.Name
	return reply{}, a.Store.DeleteApp(ctx, app.Name)
}

func (a *API) startSite(ctx context.Context, c *call) (reply, error) {
	return a.setStopped(ctx, c, false)
}

func (a *API) stopSite(ctx context.Context, c *call) (reply, error) {
	return a.setStopped(ctx, c, true)
}

func (a *API) setStopped(ctx context.Context, c *call, stopped bool) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{}, a.Store.SetAppStopped(ctx, app.Name, stopped)
}

func (a *API) restartSite(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	if a.Restarter == nil {
		return reply{}, azfunc.Errorf(azfunc.Unsupported, "this manager has no role that can restart app %q; stop and start it instead", app.Name)
	}
	return reply{}, a.Restarter.RestartApp(ctx, app)
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// validateNewName checks the name of an app that is to be made.
func validateNewName(name string) error {
	if err := azfunc.ValidateAppName(name); err != nil {
		return err
	}
	if isReserved(name) {
		return azfunc.Errorf(azfunc.Invalid, "an app cannot be called %q: Nightshift uses this name for itself; choose another", name)
	}
	return nil
}
