package identity

import "strings"

// Root is the scope of the platform: every other scope lies in it.
const Root = "/"

// CleanScope brings a scope to the form that scopes are stored and compared in: lower case, one slash between
// segments and in front, none at the end.
func CleanScope(scope string) string {
	segments := strings.FieldsFunc(strings.ToLower(scope), func(r rune) bool { return r == '/' })
	return Root + strings.Join(segments, "/")
}

// Within reports whether scope is outer or lies in it. Only whole segments count: /sites/ab does not lie in /sites/a.
func Within(scope, outer string) bool {
	scope, outer = CleanScope(scope), CleanScope(outer)
	if outer == Root || scope == outer {
		return true
	}
	return strings.HasPrefix(scope, outer+"/")
}

// SubscriptionScope returns the scope of a subscription.
func SubscriptionScope(subscription string) string {
	return CleanScope("/subscriptions/" + subscription)
}

// GroupScope returns the scope of a resource group.
func GroupScope(subscription, group string) string {
	return CleanScope("/subscriptions/" + subscription + "/resourcegroups/" + group)
}

// SiteScope returns the scope of an app.
func SiteScope(subscription, group, app string) string {
	return GroupScope(subscription, group) + "/providers/microsoft.web/sites/" + CleanScope(app)[1:]
}
