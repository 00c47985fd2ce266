package management

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// maxBody bounds the JSON that this face reads.
const maxBody = 2 << 20

// versionTag is the ETag of something that the store counts the versions of.
func versionTag(kind string, version int64) string {
	return `"` + kind + "-" + strconv.FormatInt(version, 10) + `"`
}

// matches applies If-Match and If-None-Match (RFC 9110, 13.1) to a resource: etag is the current one, "" when the
// resource is not there. Without these headers everything goes.
func (c *call) matches(etag, what string) error {
	if want := c.r.Header.Get("If-Match"); want != "" && !anyTag(want, etag) {
		return preconditionFailed(what)
	}
	if not := c.r.Header.Get("If-None-Match"); not != "" && anyTag(not, etag) {
		return preconditionFailed(what)
	}
	return nil
}

func anyTag(header, etag string) bool {
	if etag == "" {
		return false
	}
	for tag := range strings.SplitSeq(header, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

// conditional reports whether the caller said which version it wants to change.
func (c *call) conditional() bool {
	want := c.r.Header.Get("If-Match")
	return want != "" && want != "*"
}

// lostRace turns the store's Conflict into ARM's 412 when the caller had named a version.
func (c *call) lostRace(err error, what string) error {
	if c.conditional() && azfunc.CodeOf(err) == azfunc.Conflict {
		return preconditionFailed(what)
	}
	return err
}

// hasBody reports whether the request brings a body: some tools POST without one.
func hasBody(r *http.Request) bool {
	return r.ContentLength != 0 && r.Body != nil && r.Body != http.NoBody
}
