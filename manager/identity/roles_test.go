package identity

import (
	"strings"
	"testing"
)

func TestRoleAllows(t *testing.T) {
	t.Parallel()
	// The columns are the roles in the order of Roles, then publisher.
	for action, want := range map[string]string{
		ActionReadSite:                          "RRRRR-",
		ActionReadConfig:                        "RRRRR-",
		ActionReadNodes:                         "RRRRR-",
		ActionReadAudit:                         "RRRRR-",
		ActionStart:                             "-RRRR-",
		ActionRestart:                           "-RRRR-",
		ActionRunFunction:                       "-RRRR-",
		ActionWriteSite:                         "--RRR-",
		ActionDeleteSite:                        "--RRR-",
		ActionWriteConfig:                       "--RRR-",
		ActionListConfig:                        "--RRR-",
		ActionPublishXML:                        "--RRR-",
		ActionNewPassword:                       "--RRR-",
		ActionListHostKeys:                      "--RRR-",
		ActionListFunctionKeys:                  "--RRR-",
		ActionListSecrets:                       "--RRR-",
		ActionWriteHostKey:                      "--RRR-",
		ActionPublish:                           "--RRRR",
		ActionPublishContent:                    "--RRRR",
		ActionPublishSettings:                   "--RRRR",
		ActionPublishRead:                       "-RRRRR",
		ActionMakeRole:                          "---RR-",
		ActionDropRole:                          "---RR-",
		ActionMakeUser:                          "----R-",
		"Nightshift.Runtime/nodes/drain/action": "----R-",
		"Microsoft.Subscription/aliases/write":  "----R-",
	} {
		got := ""
		for _, role := range append(Roles(), publisher) {
			if RoleAllows(role, action) {
				got += "R"
			} else {
				got += "-"
			}
			if RoleAllows(role, action) != RoleAllows(role, strings.ToUpper(action)) {
				t.Errorf("%s %s depends on case", role, action)
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", action, got, want)
		}
	}
	if RoleAllows("", ActionReadSite) || RoleAllows("Administrator", ActionReadSite) {
		t.Error("an unknown role allows something")
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true}, {"*", "a/b", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "ab", true}, {"*b", "ab", true},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "a1b2c", true}, {"a*b*c", "acb", false}, {"*/read", "x/reader", false},
		{"a*bc*c", "abc", false},
	} {
		if got := matches(tc.pattern, tc.text); got != tc.want {
			t.Errorf("matches(%q, %q) = %v", tc.pattern, tc.text, got)
		}
	}
}
