package identity

import (
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// The roles that can be assigned on a scope.
const (
	Reader                = "Reader"
	Operator              = "Operator"
	Contributor           = "Contributor"
	Owner                 = "Owner"
	PlatformAdministrator = "PlatformAdministrator"
)

// publisher is what an app's publishing credentials may do to that app; nobody can be assigned it.
const publisher = "publisher"

// Roles lists the roles that can be assigned, the weakest first.
func Roles() []string {
	return []string{Reader, Operator, Contributor, Owner, PlatformAdministrator}
}

// grant is a role's allowed actions and what is taken out of them again. A star stands for any text, as in Azure's
// role definitions.
type grant struct{ actions, except []string }

// grants says what a role allows. Reading a secret never ends in /read: it is an /action, as in Azure
// (listkeys/action, config/list/action, publishxml/action), which is why Reader can be all of */read.
func grants(role string) grant {
	switch role {
	case Reader:
		return grant{actions: []string{"*/read"}, except: []string{PublishActions}}
	case Operator:
		return grant{actions: []string{"*/read", ActionStart, ActionStop, ActionRestart, ActionSyncTriggers, ActionRunFunction}}
	case Contributor:
		return grant{actions: []string{"*"}, except: append(platformOnly(), "Microsoft.Authorization/*write", "Microsoft.Authorization/*delete")}
	case Owner:
		return grant{actions: []string{"*"}, except: platformOnly()}
	case PlatformAdministrator:
		return grant{actions: []string{"*"}}
	case publisher:
		return grant{actions: []string{PublishActions}}
	}
	return grant{}
}

// platformOnly is what concerns the whole installation, so that owning a subscription is not enough.
func platformOnly() []string {
	return []string{
		"Microsoft.Subscription/*write", "Microsoft.Subscription/*delete", "Nightshift.Runtime/users/*",
		"Nightshift.Runtime/nodes/*write", "Nightshift.Runtime/nodes/*action", "Nightshift.Runtime/nodes/*delete",
	}
}

// RoleAllows reports whether a role holds an action. An unknown role holds none.
func RoleAllows(role, action string) bool {
	g := grants(role)
	return matchesAny(g.actions, action) && !matchesAny(g.except, action)
}

// parseRole returns the role in its own spelling, whatever case it came in. The error is Invalid.
func parseRole(name string) (string, error) {
	for _, role := range Roles() {
		if strings.EqualFold(role, name) {
			return role, nil
		}
	}
	return "", azfunc.Errorf(azfunc.Invalid, "there is no role %q: use one of %s", name, strings.Join(Roles(), ", "))
}

func matchesAny(patterns []string, action string) bool {
	for _, p := range patterns {
		if matches(strings.ToLower(p), strings.ToLower(action)) {
			return true
		}
	}
	return false
}

// matches compares text with a pattern in which a star stands for any text, the empty one too.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, middle := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, middle)
		if at < 0 {
			return false
		}
		rest = rest[at+len(middle):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}
