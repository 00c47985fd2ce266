package local

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	soon := now.Add(time.Second)
	fine := func(seq int) candidate { return candidate{current: true, healthy: true, seq: seq} }
	tests := []struct {
		name    string
		want    int
		live    []candidate
		retries []retry
		steps   steps
	}{
		{name: "nothing", steps: steps{}},
		{name: "first start", want: 2, steps: steps{start: []int{0, 0}}},
		{name: "as wanted", want: 2, live: []candidate{fine(1), fine(2)}},
		{name: "newest stops first", want: 1, live: []candidate{fine(1), fine(3), fine(2)}, steps: steps{stop: []int{2, 1}}},
		{name: "unhealthy stops before healthy", want: 1, live: []candidate{{current: true, seq: 1}, fine(2)}, steps: steps{stop: []int{0}}},
		{name: "older versions are replaced", want: 1, live: []candidate{{healthy: true, seq: 1}}, steps: steps{stop: []int{0}, start: []int{0}}},
		{name: "retry waits", want: 1, retries: []retry{{soon, 2}}, steps: steps{waiting: []retry{{soon, 2}}}},
		{name: "retry is due", want: 1, retries: []retry{{now, 2}}, steps: steps{start: []int{2}}},
		{name: "growing does not wait for a retry", want: 3, live: []candidate{fine(1)}, retries: []retry{{soon, 2}}, steps: steps{start: []int{0}, waiting: []retry{{soon, 2}}}},
		{name: "shrinking gives up the last retry", want: 2, live: []candidate{fine(1)}, retries: []retry{{soon.Add(1), 1}, {soon, 2}}, steps: steps{waiting: []retry{{soon, 2}}}},
		{name: "to zero", live: []candidate{fine(1), {seq: 2}}, retries: []retry{{soon, 2}}, steps: steps{stop: []int{1, 0}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := plan(now, test.want, test.live, test.retries)
			if diff := cmp.Diff(test.steps, got, cmp.AllowUnexported(steps{}, retry{})); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRestartPolicy(t *testing.T) {
	t.Parallel()
	type step struct {
		at    time.Duration // since the first failure
		pause time.Duration
		again bool
	}
	base := restartPolicy{attempts: 2, interval: time.Minute, delay: 4 * time.Second}
	waits := base
	waits.wait = true
	tests := []struct {
		name   string
		policy restartPolicy
		random float64
		steps  []step
	}{
		{"gives up within the interval", base, 0, []step{{0, 4 * time.Second, true}, {5 * time.Second, 4 * time.Second, true}, {10 * time.Second, 0, false}}},
		{"starts anew after the interval", base, 0, []step{{0, 4 * time.Second, true}, {5 * time.Second, 4 * time.Second, true}, {time.Minute, 4 * time.Second, true}}},
		{"waits for the interval's end", waits, 0, []step{{0, 4 * time.Second, true}, {5 * time.Second, 4 * time.Second, true}, {10 * time.Second, 50 * time.Second, true}, {time.Minute, 4 * time.Second, true}}},
		{"jitter is up to a quarter", base, 0.5, []step{{0, 4500 * time.Millisecond, true}}},
		{"no attempts", restartPolicy{interval: time.Minute}, 0, []step{{0, 0, false}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			var count restartCount
			for i, want := range test.steps {
				var pause time.Duration
				var again bool
				pause, again, count = test.policy.next(count, start.Add(want.at), test.random)
				if pause != want.pause || again != want.again {
					t.Errorf("failure %d: pause %s, again %t; want %s, %t", i, pause, again, want.pause, want.again)
				}
			}
		})
	}
}

func TestReschedulePolicy(t *testing.T) {
	t.Parallel()
	grows := reschedulePolicy{delay: 5 * time.Second, maxDelay: time.Minute, exponential: true}
	for n, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
		if got := grows.pause(n); got != want*time.Second {
			t.Errorf("pause(%d) = %s, want %s", n, got, want*time.Second)
		}
	}
	if got := grows.pause(1 << 30); got != time.Minute {
		t.Errorf("pause after very many failures = %s, want 1m", got)
	}
	if got := (reschedulePolicy{delay: time.Second}).pause(9); got != time.Second {
		t.Errorf("constant pause = %s, want 1s", got)
	}
	if got := grows.after(4, 10*time.Second); got != 5 {
		t.Errorf("after a short life the row is %d, want 5", got)
	}
	if got := grows.after(4, 2*time.Minute); got != 0 {
		t.Errorf("after a long life the row is %d, want 0", got)
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"A": "1", "B": "${A}", "EMPTY": ""}
	tests := []struct{ text, want, unknown string }{
		{text: "", want: ""},
		{text: "plain $A {A} $", want: "plain $A {A} $"},
		{text: "${A}${A}-${EMPTY}x", want: "11-x"},
		{text: "${B}", want: "${A}"},
		{text: "open ${A", want: "open ${A"},
		{text: "a ${C} b", unknown: "${C}"},
		{text: "${}", unknown: "${}"},
		{text: "${ A }", unknown: "${ A }"},
	}
	for _, test := range tests {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := expand(test.text, vars)
			if test.unknown != "" {
				if azfunc.CodeOf(err) != azfunc.Invalid || !strings.Contains(err.Error(), test.unknown) {
					t.Errorf("expand(%q) = %q, %v; want an error that names %s", test.text, got, err, test.unknown)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("expand(%q) = %q, %v; want %q", test.text, got, err, test.want)
			}
		})
	}
}

// FuzzExpand holds that text without variables stays as it is, and that a variable is filled in wherever it stands.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"", "${A}", "$${A}", "${A", "}${", "${${A}}", "a${B}c"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		got, err := expand(before, map[string]string{"A": "value"})
		if err == nil && !strings.Contains(before, "${") && got != before {
			t.Errorf("expand(%q) = %q, want it unchanged", before, got)
		}
		if strings.Contains(before, "$") || strings.Contains(after, "$") {
			return
		}
		if got, err = expand(before+"${A}"+after, map[string]string{"A": "value"}); err != nil || got != before+"value"+after {
			t.Errorf("expand(%q) = %q, %v", before+"${A}"+after, got, err)
		}
	})
}
