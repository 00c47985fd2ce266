package management

import (
	"net/url"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Addresses are the faces as their callers see them, without a slash at the end.
type Addresses struct {
	// Management is the https address of this face and of sign-in, for example https://localhost:7443.
	Management string
	// SCM is the path form's base, for example https://localhost:7443/scm; "" when only host names are served.
	SCM string
	// App is the path form's base of the apps, for example http://localhost:7081; "" when only host names are served.
	App string
	// Domain is what the apps' host names lie under: <app>.<Domain> and <app>.scm.<Domain>.
	Domain string
}

func (a Addresses) validate() error {
	for name, value := range map[string]string{"management": a.Management, "SCM": a.SCM, "app": a.App} {
		u, err := url.Parse(value)
		optional := value == "" && name != "management"
		if !optional && (err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || strings.HasSuffix(value, "/")) {
			return azfunc.Errorf(azfunc.Invalid, "the address of the %s face is %q; give scheme, host and port without a slash at the end", name, value)
		}
	}
	if a.Domain == "" {
		return azfunc.Errorf(azfunc.Invalid, "the domain of the apps is missing")
	}
	return nil
}

func (a Addresses) appHost(app string) string { return strings.ToLower(app) + "." + a.Domain }

func (a Addresses) scmHost(app string) string { return strings.ToLower(app) + ".scm." + a.Domain }

// appURL is where callers reach the app. The path form comes first: *.localhost does not resolve for most programs.
func (a Addresses) appURL(app string) string {
	if a.App != "" {
		return a.App + "/" + strings.ToLower(app)
	}
	return "https://" + a.appHost(app)
}

func (a Addresses) scmURL(app string) string {
	if a.SCM != "" {
		return a.SCM + "/" + strings.ToLower(app)
	}
	return "https://" + a.scmHost(app)
}

// scmName is scmURL without its scheme. az and VS Code put "https://" before the name of a site's repository host, so
// in the path form this "host" carries a port and a path, and they publish without resolving *.localhost.
func (a Addresses) scmName(app string) string {
	_, name, _ := strings.Cut(a.scmURL(app), "://")
	return name
}

// scmWithCredentials is scmURL with user and password in it, as publishing credentials are handed out.
func (a Addresses) scmWithCredentials(app, user, password string) string {
	u, err := url.Parse(a.scmURL(app))
	if err != nil {
		return a.scmURL(app)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// publishURL is what a publish profile names: in the host form the host and its port without a scheme, as Azure
// does; in the path form the whole address, which the ZipDeploy tasks of .NET and Visual Studio take as it is.
func (a Addresses) publishURL(app string) string {
	if a.SCM != "" {
		return a.scmURL(app)
	}
	return a.scmHost(app) + ":443"
}
