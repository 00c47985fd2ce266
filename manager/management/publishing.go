package management

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/keys"
	"github.com/nightshift-functions/nightshift/internal/store"
)

func (a *API) publishingCredentials(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	user := publishingUser(app)
	body := configEnvelope(app, "publishingcredentials", map[string]any{
		"name": app.Name, "publishingUserName": user, "publishingPassword": app.PublishPassword,
		"publishingPasswordHash": nil, "publishingPasswordHashSalt": nil,
		"scmUri": a.addresses.scmWithCredentials(app.Name, user, app.PublishPassword),
	})
	body["type"] = siteType + "/publishingcredentials"
	return reply{body: body}, nil
}

// publishData is the root of a .PublishSettings document.
type publishData struct {
	XMLName  xml.Name         `xml:"publishData"`
	Profiles []publishProfile `xml:"publishProfile"`
}

// publishProfile has its attributes in Azure's order.
type publishProfile struct {
	ProfileName      string   `xml:"profileName,attr"`
	PublishMethod    string   `xml:"publishMethod,attr"`
	PublishURL       string   `xml:"publishUrl,attr"`
	UserName         string   `xml:"userName,attr"`
	UserPWD          string   `xml:"userPWD,attr"`
	DestinationURL   string   `xml:"destinationAppUrl,attr"`
	SQLServer        string   `xml:"SQLServerDBConnectionString,attr"`
	MySQL            string   `xml:"mySQLDBConnectionString,attr"`
	HostingForum     string   `xml:"hostingProviderForumLink,attr"`
	ControlPanelLink string   `xml:"controlPanelLink,attr"`
	WebSystem        string   `xml:"webSystem,attr"`
	Databases        struct{} `xml:"databases"`
}

// publishXML answers the publish profile. It has the ZipDeploy element alone: with a Web Deploy element, Visual Studio
// would choose a protocol that nobody but Microsoft speaks, and FTP is not served either.
func (a *API) publishXML(ctx context.Context, c *call) (reply, error) {
	if err := readPublishFormat(c); err != nil {
		return reply{}, err
	}
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	doc, err := xml.Marshal(publishData{Profiles: []publishProfile{{
		ProfileName: app.Name + " - Zip Deploy", PublishMethod: "ZipDeploy", PublishURL: a.addresses.publishURL(app.Name),
		UserName: publishingUser(app), UserPWD: app.PublishPassword, DestinationURL: a.addresses.appURL(app.Name),
		ControlPanelLink: a.addresses.Management, WebSystem: "WebSites",
	}}})
	if err != nil {
		return reply{}, fmt.Errorf("write the publish profile of app %q: %w", app.Name, err)
	}
	return reply{body: doc, media: "application/xml", header: map[string]string{
		"Content-Disposition": `attachment; filename="` + app.Name + `.PublishSettings"`,
	}}, nil
}

// readPublishFormat takes every format there is, and no body at all (Azure's portal sends none): the answer is the
// same. A body that is not JSON is refused.
func readPublishFormat(c *call) error {
	if !hasBody(c.r) {
		return nil
	}
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		return azfunc.Errorf(azfunc.TooLarge, "the body cannot be read: %w", err)
	}
	var in struct {
		Format string `json:"format"`
	}
	if strings.TrimSpace(string(raw)) == "" {
		return nil
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return azfunc.Errorf(azfunc.Invalid, `the body is not JSON; send {"format":"WebDeploy"} or nothing: %w`, err)
	}
	for _, known := range []string{"", "WebDeploy", "FileZilla3", "Ftp"} {
		if strings.EqualFold(in.Format, known) {
			return nil
		}
	}
	return azfunc.Errorf(azfunc.Invalid, "the format is %.80q; use WebDeploy, which answers with the profile for Zip Deploy", in.Format)
}

// newPassword gives the app a new publishing password; profiles with the old one are good no longer.
func (a *API) newPassword(ctx context.Context, c *call) (reply, error) {
	const attempts = 5
	for range attempts {
		app, err := a.site(ctx, c)
		if err != nil {
			return reply{}, err
		}
		if app.PublishPassword, err = keys.PublishPassword(); err != nil {
			return reply{}, fmt.Errorf("make the publishing password of app %q: %w", app.Name, err)
		}
		// Somebody may change the app between reading and writing; their change must not be lost, so begin again.
		if _, err = a.Store.UpdateApp(ctx, app, app.Version); azfunc.CodeOf(err) == azfunc.Conflict {
			continue
		}
		return reply{status: http.StatusNoContent}, err
	}
	return reply{}, azfunc.Errorf(azfunc.Conflict, "app %q is being changed all the time; try again", c.params["site"])
}

func (a *API) listPolicies(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	return a.listReply(c, []any{policyJSON(app, "ftp", false), policyJSON(app, "scm", true)}, ""), nil
}

func (a *API) getPolicy(ctx context.Context, c *call) (reply, error) {
	app, err := a.site(ctx, c)
	if err != nil {
		return reply{}, err
	}
	name := strings.ToLower(c.params["policy"])
	if name != "scm" && name != "ftp" {
		return reply{}, azfunc.Errorf(azfunc.NotFound, "there is no policy %q: there are scm and ftp", name)
	}
	return reply{body: policyJSON(app, name, name == "scm")}, nil
}

// policyJSON says whether Basic credentials are taken: by SCM yes, and FTP is not there.
func policyJSON(app store.App, name string, allow bool) map[string]any {
	e := envelope(app, "basicPublishingCredentialsPolicies/"+name, name, "basicPublishingCredentialsPolicies", map[string]any{"allow": allow})
	e["name"] = name
	return e
}
