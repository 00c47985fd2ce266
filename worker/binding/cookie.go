package binding

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/worker/rpc/rpcpb"
)

// Cookie makes a Set-Cookie value as Azure's host writes it: name and value are percent-encoded, and the path is "/"
// unless the function says otherwise.
func Cookie(c *rpcpb.RpcHttpCookie) string {
	var b strings.Builder
	b.WriteString(escape(c.GetName()) + "=" + escape(c.GetValue()))
	attribute := func(name, value string) {
		b.WriteString("; " + name + "=" + strings.Map(attributeRune, value))
	}
	if at, ok := c.GetExpires().GetTimestamp().(*rpcpb.NullableTimestamp_Value); ok {
		attribute("expires", at.Value.AsTime().UTC().Format(time.RFC1123[:len(time.RFC1123)-3]+"GMT"))
	}
	if age, ok := c.GetMaxAge().GetDouble().(*rpcpb.NullableDouble_Value); ok {
		attribute("max-age", strconv.FormatInt(int64(age.Value), 10))
	}
	if d := c.GetDomain().GetValue(); d != "" {
		attribute("domain", d)
	}
	path := c.GetPath().GetValue()
	if path == "" {
		path = "/"
	}
	attribute("path", path)
	if c.GetSecure().GetValue() {
		b.WriteString("; secure")
	}
	switch c.GetSameSite() {
	case rpcpb.RpcHttpCookie_LAX:
		attribute("samesite", "lax")
	case rpcpb.RpcHttpCookie_STRICT:
		attribute("samesite", "strict")
	case rpcpb.RpcHttpCookie_EXPLICIT_NONE:
		attribute("samesite", "none")
	case rpcpb.RpcHttpCookie_NONE:
	}
	if c.GetHttpOnly().GetValue() {
		b.WriteString("; httponly")
	}
	return b.String()
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// attributeRune drops what would end an attribute.
func attributeRune(r rune) rune {
	if r < ' ' || r == ';' || r == 0x7f {
		return -1
	}
	return r
}
