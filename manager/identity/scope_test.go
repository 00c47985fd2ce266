package identity

import (
	"strings"
	"testing"
)

func TestWithin(t *testing.T) {
	t.Parallel()
	const sub = "/subscriptions/s"
	for _, tc := range []struct {
		name, scope, outer string
		want               bool
	}{
		{"root holds everything", SiteScope("s", "g", "a"), "/", true},
		{"root holds root", "/", "/", true},
		{"a subscription does not hold root", "/", sub, false},
		{"subscription holds its app", SiteScope("s", "g", "a"), sub, true},
		{"without case", "/SUBSCRIPTIONS/S/ResourceGroups/G", GroupScope("s", "g"), true},
		{"same app", SiteScope("s", "g", "a"), SiteScope("s", "g", "a"), true},
		{"app a is not app ab", SiteScope("s", "g", "ab"), SiteScope("s", "g", "a"), false},
		{"app ab is not app a", SiteScope("s", "g", "a"), SiteScope("s", "g", "ab"), false},
		{"a hyphen is no boundary", SiteScope("s", "g", "a-b"), SiteScope("s", "g", "a"), false},
		{"slashes at the end", sub + "//", sub + "/", true},
		{"empty means root", SiteScope("s", "g", "a"), "", true},
		{"empty is not within a subscription", "", sub, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := Within(tc.scope, tc.outer); got != tc.want {
				t.Errorf("Within(%q, %q) = %v, want %v", tc.scope, tc.outer, got, tc.want)
			}
		})
	}
}

// FuzzWithin holds Within against its definition by segments.
func FuzzWithin(f *testing.F) {
	f.Add("/subscriptions/s/resourcegroups/g", "/subscriptions/s")
	f.Add("/subscriptions/ss", "/subscriptions/s")
	f.Add("//A/b/", "a//B")
	f.Add("", "/")
	f.Fuzz(func(t *testing.T, scope, outer string) {
		split := func(s string) []string {
			return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == '/' })
		}
		in, out := split(scope), split(outer)
		want := len(in) >= len(out)
		for i := 0; want && i < len(out); i++ {
			want = in[i] == out[i]
		}
		if got := Within(scope, outer); got != want {
			t.Errorf("Within(%q, %q) = %v, want %v", scope, outer, got, want)
		}
		if c := CleanScope(scope); CleanScope(c) != c {
			t.Errorf("CleanScope(%q) is not stable", scope)
		}
	})
}
