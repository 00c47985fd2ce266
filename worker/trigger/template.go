package trigger

import (
	"net/url"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// template is a parsed function route.
type template struct {
	segments []segment
}

// segment is one step of a path: literal text and parameters, such as "{name}.{ext?}".
type segment struct {
	parts []part
}

// part is a literal (name empty) or a parameter.
type part struct {
	literal     string
	name        string
	constraints []constraint
	optional    bool
	fallback    string // the default value
	hasFallback bool
	catchAll    bool
}

// parseTemplate reads a route such as "orders/{id:int}/{*rest}". The error is Invalid and says what is wrong.
func parseTemplate(route string) (template, error) {
	route = strings.Trim(strings.TrimPrefix(route, "~/"), "/")
	var t template
	if route == "" {
		return t, nil
	}
	seen := map[string]bool{}
	steps := splitOutsideBraces(route, '/')
	for i, step := range steps {
		s, err := parseSegment(step)
		if err != nil {
			return t, azfunc.Errorf(azfunc.Invalid, "the route %q: %w", route, err)
		}
		if err := checkSegment(s, i == len(steps)-1, seen); err != nil {
			return t, azfunc.Errorf(azfunc.Invalid, "the route %q: %w", route, err)
		}
		t.segments = append(t.segments, s)
	}
	return t, nil
}

func checkSegment(s segment, last bool, seen map[string]bool) error {
	if len(s.parts) == 0 {
		return azfunc.Errorf(azfunc.Invalid, "it has an empty step")
	}
	for i, p := range s.parts {
		switch {
		case p.name == "":
			continue
		case seen[strings.ToLower(p.name)]:
			return azfunc.Errorf(azfunc.Invalid, "the parameter %q appears twice", p.name)
		case p.catchAll && (!last || len(s.parts) > 1):
			return azfunc.Errorf(azfunc.Invalid, "the catch-all %q must be the whole last step", p.name)
		case i > 0 && s.parts[i-1].name != "":
			return azfunc.Errorf(azfunc.Invalid, "the parameters %q and %q need text between them", s.parts[i-1].name, p.name)
		}
		seen[strings.ToLower(p.name)] = true
	}
	return nil
}

// splitOutsideBraces splits a text, but not inside {...}: a regex constraint may hold the separator.
func splitOutsideBraces(s string, separator byte) []string {
	var parts []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth--
		case separator:
			if depth == 0 {
				parts, from = append(parts, s[from:i]), i+1
			}
		}
	}
	return append(parts, s[from:])
}

func parseSegment(step string) (segment, error) {
	var s segment
	for step != "" {
		open := strings.IndexByte(step, '{')
		if open < 0 {
			open = len(step)
		}
		if open > 0 {
			if strings.ContainsAny(step[:open], "}?*") {
				return s, azfunc.Errorf(azfunc.Invalid, "%q holds a character that only belongs between braces", step[:open])
			}
			s.parts = append(s.parts, part{literal: step[:open]})
			step = step[open:]
			continue
		}
		end := closing(step)
		if end < 0 {
			return s, azfunc.Errorf(azfunc.Invalid, "a { is not closed in %q", step)
		}
		p, err := parseParameter(step[1:end])
		if err != nil {
			return s, err
		}
		s.parts = append(s.parts, p)
		step = step[end+1:]
	}
	return s, nil
}

// closing returns the index of the brace that closes the first one, -1 when none does.
func closing(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

func parseParameter(text string) (part, error) {
	p := part{}
	text, p.catchAll = cutStars(text)
	pieces := splitOutside(text, ':')
	name, rest := pieces[0], pieces[1:]
	if len(rest) == 0 {
		name, p.fallback, p.hasFallback = strings.Cut(name, "=")
	} else {
		last := &rest[len(rest)-1]
		if value, fallback, ok := cutDefault(*last); ok {
			*last, p.fallback, p.hasFallback = value, fallback, true
		}
		if cut, ok := strings.CutSuffix(*last, "?"); ok {
			*last, p.optional = cut, true
		}
	}
	if cut, ok := strings.CutSuffix(name, "?"); ok {
		name, p.optional = cut, true
	}
	if name == "" || strings.ContainsAny(name, "{}/?*=:") {
		return p, azfunc.Errorf(azfunc.Invalid, "%q is not a parameter name", name)
	}
	p.name = name
	for _, r := range rest {
		c, err := parseConstraint(r)
		if err != nil {
			return p, azfunc.Errorf(azfunc.Invalid, "the parameter %q: %w", name, err)
		}
		p.constraints = append(p.constraints, c)
	}
	return p, nil
}

func cutStars(text string) (string, bool) {
	trimmed := strings.TrimLeft(text, "*")
	return trimmed, trimmed != text
}

// splitOutside splits a text, but not inside parentheses: regex(^a:b$) is one constraint.
func splitOutside(s string, separator byte) []string {
	var parts []string
	depth, from := 0, 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case separator:
			if depth <= 0 {
				parts, from = append(parts, s[from:i]), i+1
			}
		}
	}
	return append(parts, s[from:])
}

// cutDefault finds "=value" behind a constraint, outside parentheses.
func cutDefault(s string) (constraint, value string, ok bool) {
	pieces := splitOutside(s, '=')
	if len(pieces) < 2 {
		return s, "", false
	}
	return pieces[0], strings.Join(pieces[1:], "="), true
}

// match compares the path's steps (still percent-encoded) and fills in the parameters' values.
func (t template) match(steps []string, params map[string]string) bool {
	for i, s := range t.segments {
		if s.parts[0].catchAll {
			return s.parts[0].takeRest(steps[min(i, len(steps)):], params)
		}
		if i >= len(steps) {
			if !s.absent(params) {
				return false
			}
			continue
		}
		text, err := url.PathUnescape(steps[i])
		if err != nil || !s.match(text, params) {
			return false
		}
	}
	return len(steps) <= len(t.segments)
}

func (p part) takeRest(steps []string, params map[string]string) bool {
	text, err := url.PathUnescape(strings.Join(steps, "/"))
	if err != nil {
		return false
	}
	if text == "" {
		text = p.fallback
	}
	if !p.accepts(text) {
		return false
	}
	if text != "" {
		params[p.name] = text
	}
	return true
}

// absent reports whether the path may lack this segment: it is one parameter that is optional or has a default.
func (s segment) absent(params map[string]string) bool {
	p := s.parts[0]
	if len(s.parts) > 1 || p.name == "" || (!p.optional && !p.hasFallback) {
		return false
	}
	if p.hasFallback {
		params[p.name] = p.fallback
	}
	return true
}

// match compares one step. Of several parameters the last takes as little as it must, as ASP.NET reads "{a}.{b}" from
// the right.
func (s segment) match(text string, params map[string]string) bool {
	if len(s.parts) == 1 {
		p := s.parts[0]
		if p.name == "" {
			return strings.EqualFold(p.literal, text)
		}
		return p.take(text, params)
	}
	if last := s.parts[len(s.parts)-1]; last.optional && len(s.parts) == 3 && s.parts[1].literal == "." && !strings.Contains(text, ".") {
		return s.parts[0].take(text, params) // "{name}.{ext?}" without an extension
	}
	return matchParts(s.parts, text, params)
}

func matchParts(parts []part, text string, params map[string]string) bool {
	if len(parts) == 0 {
		return text == ""
	}
	p := parts[len(parts)-1]
	if p.name == "" {
		n := len(text) - len(p.literal)
		return n >= 0 && strings.EqualFold(text[n:], p.literal) && matchParts(parts[:len(parts)-1], text[:n], params)
	}
	if len(parts) == 1 {
		return p.take(text, params)
	}
	literal := strings.ToLower(parts[len(parts)-2].literal)
	at := strings.LastIndex(strings.ToLower(text), literal)
	if at < 0 || !p.take(text[at+len(literal):], params) {
		return false
	}
	return matchParts(parts[:len(parts)-2], text[:at], params)
}

func (p part) take(text string, params map[string]string) bool {
	if text == "" || !p.accepts(text) {
		return false
	}
	params[p.name] = text
	return true
}

func (p part) accepts(text string) bool {
	for _, c := range p.constraints {
		if text == "" && p.optional {
			continue
		}
		if !c(text) {
			return false
		}
	}
	return true
}
