package trigger

import (
	"cmp"
	"slices"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Route is one HTTP function's address under the route prefix.
type Route[T any] struct {
	Template string
	Methods  []string // none means every method
	Target   T
}

// Router finds the target of a request. It never changes and is safe for concurrent use.
type Router[T any] struct {
	routes []compiled[T]
}

type compiled[T any] struct {
	template template
	methods  []string
	target   T
	text     string
}

// CheckTemplate says whether a function route can be used: it parses, and its first step is not "admin" or "runtime",
// which belong to the host when there is no prefix. The error is Invalid.
func CheckTemplate(prefix, route string) error {
	t, err := parseTemplate(join(prefix, route))
	if err != nil {
		return err
	}
	if len(t.segments) == 0 {
		return nil
	}
	if first := t.segments[0].parts[0].literal; strings.EqualFold(first, "admin") || strings.EqualFold(first, "runtime") {
		return azfunc.Errorf(azfunc.Invalid, "the route %q begins with %q, which Azure Functions keeps for the host", route, first)
	}
	return nil
}

// NewRouter makes a router; prefix is host.json's routePrefix. The error is Invalid.
func NewRouter[T any](prefix string, routes []Route[T]) (*Router[T], error) {
	r := &Router[T]{}
	for _, from := range routes {
		t, err := parseTemplate(join(prefix, from.Template))
		if err != nil {
			return nil, err
		}
		r.routes = append(r.routes, compiled[T]{t, from.Methods, from.Target, from.Template})
	}
	slices.SortStableFunc(r.routes, func(a, b compiled[T]) int {
		return cmp.Or(slices.Compare(a.template.precedence(), b.template.precedence()), strings.Compare(a.text, b.text))
	})
	return r, nil
}

func join(prefix, route string) string {
	return strings.Trim(strings.Trim(prefix, "/")+"/"+strings.Trim(route, "/"), "/")
}

// precedence is ASP.NET's: step by step, literals come before parts with parameters, these before constrained
// parameters, then plain parameters, then constrained and plain catch-alls.
func (t template) precedence() []int {
	ranks := make([]int, len(t.segments))
	for i, s := range t.segments {
		p := s.parts[0]
		switch constrained := len(p.constraints) > 0; {
		case len(s.parts) > 1:
			ranks[i] = 2
		case p.name == "":
			ranks[i] = 1
		case !p.catchAll && constrained:
			ranks[i] = 2
		case !p.catchAll:
			ranks[i] = 3
		case constrained:
			ranks[i] = 4
		default:
			ranks[i] = 5
		}
	}
	return ranks
}

// Match returns the target and the route values of a request; escapedPath is the path as it came. The method is part
// of the match, as Azure's host has it: a wrong one finds nothing.
func (r *Router[T]) Match(method, escapedPath string) (target T, params map[string]string, ok bool) {
	path := strings.Trim(escapedPath, "/")
	var buffer [16]string
	steps := buffer[:0]
	if path != "" {
		for step := range strings.SplitSeq(path, "/") {
			steps = append(steps, step)
		}
	}
	for i := range r.routes {
		c := &r.routes[i]
		if !c.allows(method) || !c.plausible(steps) {
			continue
		}
		params := map[string]string{}
		if c.template.match(steps, params) {
			return c.target, params, true
		}
	}
	var none T
	return none, nil, false
}

// plausible rules out most routes without allocating: the first literals must agree.
func (c *compiled[T]) plausible(steps []string) bool {
	for i, s := range c.template.segments {
		p := s.parts[0]
		if len(s.parts) > 1 || p.name != "" || i >= len(steps) {
			return true
		}
		if !strings.EqualFold(p.literal, steps[i]) && !strings.Contains(steps[i], "%") {
			return false
		}
	}
	return len(steps) <= len(c.template.segments)
}

func (c *compiled[T]) allows(method string) bool {
	if len(c.methods) == 0 {
		return true
	}
	for _, m := range c.methods {
		if strings.EqualFold(m, method) {
			return true
		}
	}
	return false
}
