package store

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const (
	defaultPage = 100
	maxPage     = 1000
)

// limit is how many rows a page holds.
func (p Page) limit() int {
	if p.Limit <= 0 {
		return defaultPage
	}
	return min(p.Limit, maxPage)
}

// parts takes a token apart into the keys of the last row of the page before; without a token it returns first.
func (p Page) parts(first ...string) ([]string, error) {
	if p.After == "" {
		return first, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.After)
	parts := strings.Split(string(raw), "\x1f")
	if err != nil || len(parts) != len(first) {
		return nil, azfunc.Errorf(azfunc.Invalid, "the continuation token %.80q is not one of this listing; start again without it", p.After)
	}
	return parts, nil
}

// number is parts for listings whose key is one number.
func (p Page) number(first int64) (int64, error) {
	parts, err := p.parts(strconv.FormatInt(first, 10))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return 0, azfunc.Errorf(azfunc.Invalid, "the continuation token %.80q is not one of this listing; start again without it", p.After)
	}
	return n, nil
}

func token(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(parts, "\x1f")))
}

// paged reads one page: query is a SELECT with its ORDER BY, scan reads a row, last names it for the next token.
// One row more than asked for is read, which tells whether there is a next page.
func paged[T any](ctx context.Context, tx *Tx, page Page, scan func(row) (T, error), last func(T) string,
	query string, params ...any,
) ([]T, string, error) {
	limit := page.limit()
	params = append(params, p("skip", 0), p("take", limit+1))
	rows, err := list(ctx, tx, scan, query+" "+tx.db.cfg.Dialect.Page, params...)
	if err != nil || len(rows) <= limit {
		return rows, "", err
	}
	return rows[:limit], last(rows[limit-1]), nil
}
