package management

import (
	"net/url"
	"strconv"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/store"
)

const skipToken = "$skipToken"

// pageOf reads $top and $skipToken.
func (c *call) pageOf() (store.Page, error) {
	query := c.r.URL.Query()
	page := store.Page{After: query.Get(skipToken)}
	if top := query.Get("$top"); top != "" {
		n, err := strconv.Atoi(top)
		if err != nil || n < 1 {
			return page, azfunc.Errorf(azfunc.Invalid, "$top is %q; give a number from 1 on", top)
		}
		page.Limit = n
	}
	return page, nil
}

// listReply is a page of a list with the absolute address of the next one: clients call it as it is.
func (a *API) listReply(c *call, items []any, next string) reply {
	body := map[string]any{"value": items}
	if next != "" {
		query := url.Values{}
		for name, values := range c.r.URL.Query() {
			query[name] = values
		}
		query.Set(skipToken, next)
		body["nextLink"] = a.addresses.Management + c.r.URL.EscapedPath() + "?" + query.Encode()
	}
	return reply{body: body}
}
