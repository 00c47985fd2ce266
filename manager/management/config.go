package management

import (
	"context"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/httpserver"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// siteInput is what is read of the body of a PUT or PATCH of an app. What it leaves out stays as it is; what az sends
// besides (plan, versions, sizes) has no meaning here yet and is passed over, as ARM does with what is read-only.
type siteInput struct {
	Kind       string            `json:"kind"`
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags"`
	Properties struct {
		SiteConfig struct {
			AppSettings []struct {
				Name  string `json:"name"`
				Value string `json:"value"`
			} `json:"appSettings"`
		} `json:"siteConfig"`
	} `json:"properties"`
}

func readSite(c *call) (siteInput, error) {
	var in siteInput
	if err := httpserver.ReadJSON(c.w, c.r, maxBody, &in); err != nil {
		return in, err
	}
	if in.Kind != "" && !strings.Contains(strings.ToLower(in.Kind), siteKind) {
		return in, azfunc.Errorf(azfunc.Unsupported, "the kind is %.80q; Nightshift runs function apps only, use the kind %q", in.Kind, siteKind)
	}
	if len(in.Tags) > 50 {
		return in, azfunc.Errorf(azfunc.Invalid, "the app has %d tags; the most is 50, as in Azure", len(in.Tags))
	}
	for name, value := range in.Tags {
		if name == "" || len(name) > 512 || len(value) > 256 {
			return in, azfunc.Errorf(azfunc.Invalid, "the tag %.80q is too long: a name has 1 to 512 bytes, a value at most 256", name)
		}
	}
	return in, validateSettings(in.settings())
}

// settings are those of the body; nil when it has none, which leaves them alone: az reads an app, whose appSettings
// are null, and puts all of it back.
func (in siteInput) settings() map[string]string {
	list := in.Properties.SiteConfig.AppSettings
	if list == nil {
		return nil
	}
	settings := make(map[string]string, len(list))
	for _, s := range list {
		settings[s.Name] = s.Value
	}
	return settings
}

// putSettings replaces all settings, as ARM does: a setting that is not in the body is removed. When something was
// published, this makes a revision.
func (a *API) putSettings(ctx context.Context, c *call) (reply, error) {
	var in struct {
		Properties map[string]*string `json:"properties"`
	}
	if err := httpserver.ReadJSON(c.w, c.r, maxBody, &in); err != nil {
		return reply{}, err
	}
	if in.Properties == nil {
		return reply{}, azfunc.Errorf(azfunc.Invalid, `the body has no settings; send {"properties":{"NAME":"value"}} with all of them: those left out are removed`)
	}
	settings := map[string]string{}
	for name, value := range in.Properties {
		if value != nil {
			settings[name] = *value
		}
	}
	if err := validateSettings(settings); err != nil {
		return reply{}, err
	}
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	before, version, err := a.Store.Settings(ctx, app.ID)
	if err != nil {
		return reply{}, err
	}
	what := "the settings of app " + app.Name
	if err := c.matches(versionTag("settings", version), what); err != nil {
		return reply{}, err
	}
	if !c.conditional() {
		version = 0
	}
	c.detail = describeChange(before, settings)
	after, _, err := a.Store.ReplaceSettings(ctx, app.ID, settings, version, true)
	if err != nil {
		return reply{}, c.lostRace(err, what)
	}
	return settingsReply(app, settings, after), nil
}

func (a *API) listSettings(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	settings, version, err := a.Store.Settings(ctx, app.ID)
	if err != nil {
		return reply{}, err
	}
	return settingsReply(app, settings, version), nil
}

func settingsReply(app store.App, settings map[string]string, version int64) reply {
	return reply{body: configEnvelope(app, "appsettings", settings), etag: versionTag("settings", version)}
}

// listConnectionStrings has none to show: a connection string is an app setting here. func and the portal of Azure
// ask before they publish.
func (a *API) listConnectionStrings(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{body: configEnvelope(app, "connectionstrings", map[string]any{})}, nil
}

func (a *API) slotConfigNames(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{body: configEnvelope(app, "slotConfigNames", map[string]any{
		"connectionStringNames": nil, "appSettingNames": nil, "azureStorageConfigNames": nil,
	})}, nil
}

func (a *API) configWeb(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return reply{body: configEnvelope(app, "web", configWebJSON(app))}, nil
}
