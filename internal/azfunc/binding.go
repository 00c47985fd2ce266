package azfunc

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Direction is where a binding's data goes, seen from the function.
type Direction string

// The three directions.
const (
	In    Direction = "in"
	Out   Direction = "out"
	InOut Direction = "inout"
)

// Binding is one entry of a function's bindings, from function.json or from a language worker's index. Raw is the JSON
// as it came, because the language worker and the portal want every property back, known to us or not.
type Binding struct {
	Name       string
	Type       string
	Direction  Direction
	Raw        json.RawMessage
	Properties Properties
}

// ParseBinding reads one binding. The direction is read in any case (Python sends "IN"); a binding without one is an
// input, as in Azure. The error is Invalid.
func ParseBinding(raw []byte) (Binding, error) {
	props, err := ParseObject("binding", raw)
	if err != nil {
		return Binding{}, err
	}
	return newBinding(props, compact(raw))
}

func newBinding(props Properties, raw []byte) (Binding, error) {
	b := Binding{Raw: raw, Properties: props}
	var err error
	if b.Name, err = props.Text("name", ""); err != nil {
		return Binding{}, err
	}
	if b.Type, err = props.Text("type", ""); err != nil {
		return Binding{}, err
	}
	if b.Type == "" {
		return Binding{}, Errorf(Invalid, "binding %q has no type", b.Name)
	}
	direction, err := b.Enum("direction", string(In), string(In), string(Out), string(InOut))
	b.Direction = Direction(direction)
	return b, err
}

// IsTrigger reports whether the binding starts the function: its type ends with "Trigger".
func (b Binding) IsTrigger() bool {
	const suffix = "trigger"
	n := len(b.Type) - len(suffix)
	return n >= 0 && strings.EqualFold(b.Type[n:], suffix)
}

// Is reports whether the binding has a type, without regard to case.
func (b Binding) Is(bindingType string) bool { return strings.EqualFold(b.Type, bindingType) }

// Text returns a text property, or fallback when it is absent or not a text.
func (b Binding) Text(key, fallback string) string {
	s, err := b.Properties.Text(key, fallback)
	if err != nil {
		return fallback
	}
	return s
}

// Bool returns a boolean property. The error is Invalid and names binding and property.
func (b Binding) Bool(key string, fallback bool) (bool, error) {
	v, err := b.Properties.Bool(key, fallback)
	return v, b.explain(err)
}

// Int returns a whole-number property. The error is Invalid and names binding and property.
func (b Binding) Int(key string, fallback int) (int, error) {
	v, err := b.Properties.Int(key, fallback)
	return v, b.explain(err)
}

// List returns a list property, such as the methods of an HTTP trigger; nil when absent. The error is Invalid and
// names binding and property.
func (b Binding) List(key string) ([]string, error) {
	v, err := b.Properties.List(key)
	return v, b.explain(err)
}

// Enum returns a property that has a closed list of values, in the spelling of allowed whatever case it came in; the
// fallback when absent or empty. The error is Invalid and lists what is allowed.
func (b Binding) Enum(key, fallback string, allowed ...string) (string, error) {
	text, err := b.Properties.Text(key, fallback)
	if err != nil {
		return fallback, b.explain(err)
	}
	if text == "" {
		return fallback, nil
	}
	i := slices.IndexFunc(allowed, func(a string) bool { return strings.EqualFold(a, text) })
	if i < 0 {
		return fallback, Errorf(Invalid, "binding %q: %s is %q, it must be one of %s", b.Name, key, shorten(text), strings.Join(allowed, ", "))
	}
	return allowed[i], nil
}

func (b Binding) explain(err error) error {
	if err == nil {
		return nil
	}
	return Errorf(Invalid, "binding %q: %w", b.Name, err)
}

// MarshalJSON returns the binding as it came.
func (b Binding) MarshalJSON() ([]byte, error) {
	if b.Raw != nil {
		return b.Raw, nil
	}
	return json.Marshal(map[string]string{"name": b.Name, "type": b.Type, "direction": string(b.Direction)})
}

// UnmarshalJSON is ParseBinding.
func (b *Binding) UnmarshalJSON(raw []byte) error {
	parsed, err := ParseBinding(raw)
	if err != nil {
		return err
	}
	*b = parsed
	return nil
}

// compact returns strict JSON without space for a document that parsed.
func compact(raw []byte) json.RawMessage {
	var out bytes.Buffer
	if err := json.Compact(&out, PlainJSON(raw)); err != nil {
		return nil
	}
	return out.Bytes()
}
