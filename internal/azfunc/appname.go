package azfunc

import "strings"

// The lengths Azure allows, in characters: an app's name is a DNS label with room for a slot, a function's and a
// binding's name are limited by the host's own pattern.
const (
	minAppName      = 2
	maxAppName      = 60
	maxFunctionName = 128
)

// ReturnBinding is the name of the binding that takes a function's return value.
const ReturnBinding = "$return"

// ValidateAppName checks the name of a function app by Azure's rule for sites: 2 to 60 ASCII letters, digits and
// hyphens, no hyphen at either end. Names are compared without regard to case, as DNS does. The error is Invalid.
func ValidateAppName(name string) error {
	ok := len(name) >= minAppName && len(name) <= maxAppName &&
		onlyASCII(name, "-") && !strings.HasPrefix(name, "-") && !strings.HasSuffix(name, "-")
	if ok {
		return nil
	}
	return Errorf(Invalid, "%q is not a name for a function app: use 2 to 60 letters (a-z), digits and hyphens, with no hyphen at the start or end", shorten(name))
}

// ValidateFunctionName checks a function's name by the host's rule: a letter, then at most 127 letters, digits,
// underscores and hyphens; "host" is taken by the host's own routes. The error is Invalid.
func ValidateFunctionName(name string) error {
	if strings.EqualFold(name, "host") {
		return Errorf(Invalid, "a function cannot be called %q: Azure Functions keeps this name for the host itself", name)
	}
	if name != "" && len(name) <= maxFunctionName && isLetter(name[0]) && onlyASCII(name, "_-") {
		return nil
	}
	return Errorf(Invalid, "%q is not a name for a function: use a letter, then at most 127 letters, digits, underscores and hyphens", shorten(name))
}

// ValidateBindingName checks a binding's name by the host's rule: a letter, then at most 127 letters and digits, or
// "$return". Underscores are refused because the host of Azure refuses them too. The error is Invalid.
func ValidateBindingName(name string) error {
	if name == ReturnBinding {
		return nil
	}
	if name != "" && len(name) <= maxFunctionName && isLetter(name[0]) && onlyASCII(name, "") {
		return nil
	}
	return Errorf(Invalid, "%q is not a name for a binding: use a letter, then at most 127 letters and digits (no underscore), or %s", shorten(name), ReturnBinding)
}

func onlyASCII(s, extra string) bool {
	for i := range len(s) {
		if !isLetter(s[i]) && (s[i] < '0' || s[i] > '9') && strings.IndexByte(extra, s[i]) < 0 {
			return false
		}
	}
	return true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// shorten keeps an error message readable when somebody sends a whole document as a name.
func shorten(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "..."
}
