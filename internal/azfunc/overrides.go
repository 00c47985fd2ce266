package azfunc

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// OverridePrefix begins the app settings that replace a value of host.json, as in
// AzureFunctionsJobHost__extensions__http__routePrefix.
const OverridePrefix = "AzureFunctionsJobHost__"

// ApplyOverrides returns host.json (strict JSON) with the values that app settings replace: two underscores, or a
// colon, lead one level down, a number selects an entry of a list, case does not matter. Settings are applied in
// order, shorter names first, so that entry 2 of a list comes before entry 10. A value takes the type of what it replaces and is text otherwise; HostJSON and Properties read
// such text as the number or boolean it spells. The error is Invalid.
func ApplyOverrides(raw []byte, settings map[string]string) ([]byte, error) {
	props, err := ParseObject("host.json", raw)
	if err != nil {
		return nil, err
	}
	names := slices.SortedFunc(maps.Keys(settings), shorterFirst)
	for _, name := range names {
		if steps, ok := overridePath(name); ok {
			if err := override(props, steps, settings[name]); err != nil {
				return nil, Errorf(Invalid, "app setting %s: %w", name, err)
			}
		}
	}
	out, err := json.Marshal(props)
	if err != nil {
		return nil, Errorf(Invalid, "host.json: %w", err)
	}
	return out, nil
}

func shorterFirst(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

func overridePath(setting string) ([]string, bool) {
	name := strings.ReplaceAll(setting, ":", "__")
	if len(name) <= len(OverridePrefix) || !strings.EqualFold(name[:len(OverridePrefix)], OverridePrefix) {
		return nil, false
	}
	steps := strings.Split(name[len(OverridePrefix):], "__")
	return steps, !slices.Contains(steps, "")
}

func override(props Properties, steps []string, value string) error {
	if len(steps) > maxJSONDepth {
		return Errorf(Invalid, "it leads deeper than %d levels", maxJSONDepth)
	}
	old, _ := props.Get(steps[0])
	v, err := replaced(old, steps[1:], value)
	if err == nil {
		props.set(steps[0], v)
	}
	return err
}

// replaced returns what stands in place of old once the rest of the path is followed.
func replaced(old any, rest []string, value string) (any, error) {
	if len(rest) == 0 {
		return likeOld(old, value), nil
	}
	if array, ok := old.([]any); ok {
		i, err := strconv.Atoi(rest[0])
		if err != nil || i < 0 || i > len(array) {
			return nil, Errorf(Invalid, "%q is not a place in a list of %d entries", rest[0], len(array))
		}
		if i == len(array) {
			array = append(array, nil)
		}
		array[i], err = replaced(array[i], rest[1:], value)
		return array, err
	}
	if object, ok := old.(Properties); ok {
		return object, override(object, rest, value)
	}
	if rest[0] == "0" { // a list that host.json does not have yet
		return replaced([]any{}, rest, value)
	}
	object := Properties{}
	return object, override(object, rest, value)
}

func likeOld(old any, value string) any {
	text := strings.TrimSpace(value)
	switch old.(type) {
	case bool:
		if b, err := strconv.ParseBool(strings.ToLower(text)); err == nil {
			return b
		}
	case json.Number:
		if n, err := strconv.Atoi(text); err == nil {
			return json.Number(strconv.Itoa(n)) // not text itself: "+5" and "007" are no JSON
		}
	}
	return value
}
