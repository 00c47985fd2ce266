package ncrontab_test

import (
	"strings"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/ncrontab"
)

func at(t testing.TB, s string, loc *time.Location) time.Time {
	t.Helper()
	v, err := time.ParseInLocation("2006-01-02 15:04:05", s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func berlin(t testing.TB) *time.Location {
	t.Helper()
	loc, err := ncrontab.Location("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schedule, after, want string }{
		{"every five minutes", "0 */5 * * * *", "2026-03-02 12:00:00", "2026-03-02 12:05:00"},
		{"every second", "* * * * * *", "2026-03-02 12:00:00", "2026-03-02 12:00:01"},
		{"five fields", "*/5 * * * *", "2026-03-02 12:01:30", "2026-03-02 12:05:00"},
		{"hour of the night", "0 30 3 * * *", "2026-03-02 12:00:00", "2026-03-03 03:30:00"},
		{"weekdays by name", "0 0 9 * * MON-FRI", "2026-03-06 09:00:00", "2026-03-09 09:00:00"},
		{"full names", "0 0 9 * January Monday", "2026-03-06 09:00:00", "2027-01-04 09:00:00"},
		{"Sunday is 0", "0 0 0 * * 0", "2026-03-02 00:00:00", "2026-03-08 00:00:00"},
		{"day of month AND weekday", "0 0 0 13 * 5", "2026-03-14 00:00:00", "2026-11-13 00:00:00"},
		{"list and range", "0 0 8,10-12 * * *", "2026-03-02 08:00:00", "2026-03-02 10:00:00"},
		{"leap day", "0 0 0 29 2 *", "2026-03-01 00:00:00", "2028-02-29 00:00:00"},
		{"never", "0 0 0 30 2 *", "2026-03-01 00:00:00", ""},
		{"interval", "00:05:00", "2026-03-02 12:01:30", "2026-03-02 12:05:00"},
		{"interval at its due time", "01:00:00", "2026-03-02 12:00:00", "2026-03-02 13:00:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := ncrontab.Parse(c.schedule, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			want := time.Time{}
			if c.want != "" {
				want = at(t, c.want, time.UTC)
			}
			if got := s.Next(at(t, c.after, time.UTC)); !got.Equal(want) {
				t.Errorf("want %v, got %v", want, got)
			}
		})
	}
}

func TestNextAcrossClockChanges(t *testing.T) {
	t.Parallel()
	loc := berlin(t)
	daily, _ := ncrontab.Parse("0 30 2 * * *", loc)
	// 29 March 2026: 2:30 does not exist; 25 October: it comes twice and must fire once.
	spring := daily.Next(at(t, "2026-03-28 12:00:00", loc))
	if next := daily.Next(spring); !next.After(spring) || spring.After(at(t, "2026-03-30 02:30:00", loc)) {
		t.Errorf("spring: %v then %v", spring, next)
	}
	autumn := daily.Next(at(t, "2026-10-24 12:00:00", loc))
	if next := daily.Next(autumn); next.Day() == autumn.Day() {
		t.Errorf("autumn: %v then %v on the same day", autumn, next)
	}
	minutes, _ := ncrontab.Parse("0 */10 * * * *", loc)
	now := at(t, "2026-10-25 00:00:00", loc)
	for range 48 {
		next := minutes.Next(now)
		if !next.After(now) || next.Sub(now) > 70*time.Minute {
			t.Fatalf("after %v comes %v", now, next)
		}
		now = next
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "*", "* *", "0 * * *", "0 0 0 L * *", "0 0 0 * * 5#2", "0 0 0 15W * *", "@daily", "61 * * * * *", "0 0 25 * * *",
		"0 0 0 ? * *", "0 0 0 * Foo *", "0 MON * * * *", "a b c d e f", "00:00:00", "-00:01:00", "0 0 0 * * * *", "0 */0 * * * *x",
	} {
		if _, err := ncrontab.Parse(text, time.UTC); err == nil {
			t.Errorf("%q was accepted", text)
		} else if azfunc.CodeOf(err) != azfunc.Invalid {
			t.Errorf("%q: code %s", text, azfunc.CodeOf(err))
		}
	}
}

func TestLatest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schedule, since, now, want string }{
		{"one missed", "0 0 * * * *", "2026-03-02 12:00:00", "2026-03-02 13:10:00", "2026-03-02 13:00:00"},
		{"many missed", "0 0 * * * *", "2026-03-01 00:00:00", "2026-03-02 13:10:00", "2026-03-02 13:00:00"},
		{"none", "0 0 * * * *", "2026-03-02 13:00:00", "2026-03-02 13:10:00", ""},
		{"due just now", "0 0 * * * *", "2026-03-02 12:30:00", "2026-03-02 13:00:00", "2026-03-02 13:00:00"},
		{"dense, then a weekend", "* * 9-16 * * MON-FRI", "2026-03-02 00:00:00", "2026-03-08 12:00:00", "2026-03-06 16:59:59"},
		{"years", "0 0 0 29 2 *", "2020-01-01 00:00:00", "2026-03-08 12:00:00", "2024-02-29 00:00:00"},
		{"seconds for years", "* * * * * *", "2020-01-01 00:00:00", "2026-03-08 12:00:00", "2026-03-08 12:00:00"},
		{"interval", "00:15:00", "2026-03-02 00:00:00", "2026-03-02 12:16:00", "2026-03-02 12:15:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := ncrontab.Parse(c.schedule, time.UTC)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := s.Latest(at(t, c.since, time.UTC), at(t, c.now, time.UTC))
			if ok != (c.want != "") || (ok && !got.Equal(at(t, c.want, time.UTC))) {
				t.Errorf("want %q, got %v %v", c.want, got, ok)
			}
		})
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	settings := map[string]string{"Every": "0 */5 * * * *"}
	if got, err := ncrontab.Resolve("%every%", settings); err != nil || got != settings["Every"] {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ncrontab.Resolve("%Nothing%", settings); err == nil || !strings.Contains(err.Error(), "Nothing") {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s, err := ncrontab.Parse("0 0 0 13 * 5", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() { s.Next(time.Unix(int64(i)*1e8, 0)) })
	}
	group.Wait()
}

func TestFrequent(t *testing.T) {
	t.Parallel()
	for schedule, want := range map[string]bool{"*/30 * * * * *": true, "0 * * * * *": false, "00:00:10": true, "0 0 0 30 2 *": false} {
		s, err := ncrontab.Parse(schedule, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Frequent(at(t, "2026-03-02 12:00:00", time.UTC)); got != want {
			t.Errorf("%s: %v", schedule, got)
		}
	}
}

func FuzzNext(f *testing.F) {
	loc := berlin(f)
	f.Add("0 */5 * * * *", int64(1774742400))
	f.Add("00:05:00", int64(1793577600))
	f.Add("0 0 0 13 * 5", int64(0))
	f.Add("0 30 2 * * MON", int64(1793577600))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		s, err := ncrontab.Parse(text, loc)
		if err != nil {
			if azfunc.CodeOf(err) != azfunc.Invalid {
				t.Errorf("code %s", azfunc.CodeOf(err))
			}
			return
		}
		after := time.Unix(unix%(1<<32), 0)
		if next := s.Next(after); !next.IsZero() && !next.After(after) {
			t.Errorf("%q: after %v comes %v", text, after, next)
		}
	})
}
