package azfunc

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Properties is a JSON object as Azure's configuration system sees it: keys are found without regard to case, and a
// value given as text ("10", "true") counts as the number or boolean it spells, because app settings that override
// host.json are always text. Values are string, bool, json.Number, nil, []any and Properties.
type Properties map[string]any

// Get returns the value of a key; an exact match wins over one that differs in case.
func (p Properties) Get(key string) (any, bool) {
	if v, ok := p[key]; ok {
		return v, true
	}
	name, ok := p.fold(key)
	return p[name], ok
}

// fold finds the stored spelling of a key: the first in order, so that the answer never depends on map order.
func (p Properties) fold(key string) (string, bool) {
	if _, ok := p[key]; ok {
		return key, true
	}
	found := ""
	for name := range p {
		if strings.EqualFold(name, key) && (found == "" || name < found) {
			found = name
		}
	}
	return found, found != ""
}

func (p Properties) set(key string, v any) {
	if old, ok := p.fold(key); ok {
		key = old
	}
	p[key] = v
}

// Text returns a text, or fallback when the key is absent or null; numbers and booleans are shown as text.
func (p Properties) Text(key, fallback string) (string, error) {
	switch v, _ := p.Get(key); v := v.(type) {
	case nil:
		return fallback, nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	default:
		return fallback, wrongKind(key, "text", v)
	}
}

// Bool returns a boolean, or fallback when the key is absent or null; "true" and "false" count in any case.
func (p Properties) Bool(key string, fallback bool) (bool, error) {
	v, _ := p.Get(key)
	if b, ok := v.(bool); ok || v == nil {
		return b || (v == nil && fallback), nil
	}
	if s, ok := v.(string); ok {
		switch {
		case strings.EqualFold(strings.TrimSpace(s), "true"):
			return true, nil
		case strings.EqualFold(strings.TrimSpace(s), "false"):
			return false, nil
		}
	}
	return fallback, wrongKind(key, "true or false", v)
}

// Int returns a whole number, or fallback when the key is absent or null.
func (p Properties) Int(key string, fallback int) (int, error) {
	v, _ := p.Get(key)
	if v == nil {
		return fallback, nil
	}
	if s, ok := scalarText(v); ok {
		if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
			return n, nil
		}
	}
	return fallback, wrongKind(key, "a whole number", v)
}

// Float returns a number, or fallback when the key is absent or null.
func (p Properties) Float(key string, fallback float64) (float64, error) {
	v, _ := p.Get(key)
	if v == nil {
		return fallback, nil
	}
	if s, ok := scalarText(v); ok {
		if n, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil {
			return n, nil
		}
	}
	return fallback, wrongKind(key, "a number", v)
}

// Duration returns a time span (see ParseTimeSpan), or fallback when the key is absent, null or empty.
func (p Properties) Duration(key string, fallback time.Duration) (time.Duration, error) {
	v, _ := p.Get(key)
	if v == nil || v == "" {
		return fallback, nil
	}
	s, ok := scalarText(v)
	if !ok {
		return fallback, wrongKind(key, "a time span", v)
	}
	d, err := ParseTimeSpan(s)
	if err != nil {
		return fallback, Errorf(Invalid, "%q: %w", key, err)
	}
	return d, nil
}

// List returns a list of texts, nil when the key is absent or null. A single text counts as a list of one.
func (p Properties) List(key string) ([]string, error) {
	v, _ := p.Get(key)
	if v == nil {
		return nil, nil
	}
	if s, ok := scalarText(v); ok {
		return []string{s}, nil
	}
	array, ok := v.([]any)
	if !ok {
		return nil, wrongKind(key, "a list of texts", v)
	}
	list := make([]string, 0, len(array))
	for _, item := range array {
		s, ok := scalarText(item)
		if !ok {
			return nil, wrongKind(key, "a list of texts", item)
		}
		list = append(list, s)
	}
	return list, nil
}

// Section returns a nested object, empty when the key is absent or null.
func (p Properties) Section(key string) (Properties, error) {
	v, _ := p.Get(key)
	if v == nil {
		return Properties{}, nil
	}
	section, ok := v.(Properties)
	if !ok {
		return Properties{}, wrongKind(key, "an object", v)
	}
	return section, nil
}

// Raw returns the JSON of a value, nil when the key is absent.
func (p Properties) Raw(key string) json.RawMessage {
	v, ok := p.Get(key)
	if !ok {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return raw
}

// Keys returns the keys in order.
func (p Properties) Keys() []string { return slices.Sorted(maps.Keys(p)) }

func scalarText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func wrongKind(key, want string, v any) error {
	got := kindOf(v)
	if s, ok := scalarText(v); ok {
		got = fmt.Sprintf("%q", shorten(s))
	}
	return Errorf(Invalid, "%q must be %s, not %s", key, want, got)
}
