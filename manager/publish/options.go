package publish

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

// maxText bounds what a client says about a deployment; functions-action sends a JSON document as its message.
const maxText = 4000

// options is what a publish asks for in its query.
type options struct {
	async       bool
	author      string
	authorEmail string
	deployer    string
	message     string
}

// query reads parameters without regard to case, as ASP.NET does: clients write isAsync, IsAsync, Deployer, deployer.
type query map[string]string

func parseQuery(raw url.Values) query {
	q := query{}
	for name, values := range raw {
		if len(values) > 0 && values[0] != "" {
			q[strings.ToLower(name)] = values[0]
		}
	}
	return q
}

func (q query) text(name, fallback string) string {
	if v, ok := q[name]; ok {
		return clip(v)
	}
	return fallback
}

func (q query) is(name string) bool { return strings.EqualFold(q[name], "true") || q[name] == "1" }

func (q query) options(deployer, message string) options {
	return options{
		async:  q.is("isasync") || q.is("async"),
		author: q.text("author", "N/A"), authorEmail: q.text("authoremail", "N/A"),
		deployer: q.text("deployer", deployer), message: q.text("message", message),
	}
}

// clip keeps a text storable: valid UTF-8 of bounded length.
func clip(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= maxText {
		return text
	}
	cut := maxText
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut]
}

func (o options) deployment(appID string) store.Deployment {
	return store.Deployment{
		AppID: appID, Status: store.StatusPending, StatusText: "Receiving the package", Progress: "Receiving",
		Message: o.message, Author: o.author, AuthorEmail: o.authorEmail, Deployer: o.deployer,
	}
}

// oneDeployTypes are the artifacts that Azure's OneDeploy takes besides a zip.
func oneDeployTypes() []string {
	return []string{"war", "jar", "ear", "lib", "startup", "script", "static"}
}

// oneDeploy checks the query of /api/publish. flex reports the dialect that Flex Consumption's clients speak: no
// type, always asynchronous, and the deployment's id as the answer.
func (q query) oneDeploy() (flex bool, err error) {
	if q.is("remotebuild") {
		return false, azfunc.Errorf(azfunc.Unsupported, "remote build is not in this release: build on your machine or in CI, publish the output, and leave out RemoteBuild=true (core tools: --no-build or --build local)")
	}
	kind, given := q["type"]
	if !given {
		return true, nil
	}
	if strings.EqualFold(kind, "zip") {
		return false, q.zipTarget()
	}
	for _, known := range oneDeployTypes() {
		if strings.EqualFold(kind, known) {
			return false, azfunc.Errorf(azfunc.Unsupported, "type=%s is not in this release: a function app is published as type=zip", known)
		}
	}
	return false, azfunc.Errorf(azfunc.Invalid, "type=%q is not a kind of artifact: use type=zip", clip(kind))
}

// zipTarget refuses what would place a zip elsewhere than in the app's root or on top of what is there.
func (q query) zipTarget() error {
	if p := strings.Trim(q["path"], "/"); p != "" && !strings.EqualFold(p, "home/site/wwwroot") && !strings.EqualFold(p, "site/wwwroot") {
		return azfunc.Errorf(azfunc.Unsupported, "path=%q is not in this release: a package is the whole app; publish it without path", clip(p))
	}
	if clean, given := q["clean"]; given && strings.EqualFold(clean, "false") {
		return azfunc.Errorf(azfunc.Unsupported, "clean=false is not in this release: a package is the whole app and replaces the one before it")
	}
	return nil
}
