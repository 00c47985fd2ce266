package hostapi_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/manager/hostapi"
)

func TestHostID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 40)
	hashed := hostapi.HostID(long)
	if got := hostapi.HostID("My-App"); got != "my-app" {
		t.Errorf("got %q", got)
	}
	for _, other := range []string{long + "b", hashed, strings.ToUpper(hashed), long[:32], strings.Repeat("a", 39) + "b"} {
		if got := hostapi.HostID(other); got == hashed {
			t.Errorf("%q has the id of %q: %q", other, long, got)
		}
	}
}

// Two names that differ in more than case have two ids, of a form that Azure's storage takes.
func FuzzHostID(f *testing.F) {
	f.Add("orders", "bills")
	f.Add(strings.Repeat("a", 40), strings.Repeat("a", 41))
	f.Add("a--b", "a-b")
	f.Add("app-0123456789ab", "app")
	f.Add(strings.Repeat("a", 18)+"--------------------x", "b")
	form := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	f.Fuzz(func(t *testing.T, a, b string) {
		if azfunc.ValidateAppName(a) != nil || azfunc.ValidateAppName(b) != nil {
			return
		}
		one, two := hostapi.HostID(a), hostapi.HostID(b)
		if len(one) > 32 || !form.MatchString(one) {
			t.Errorf("HostID(%q) = %q", a, one)
		}
		if (one == two) != strings.EqualFold(a, b) {
			t.Errorf("HostID(%q) = %q, HostID(%q) = %q", a, one, b, two)
		}
	})
}
