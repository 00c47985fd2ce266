package ncrontab

import (
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/cronexpr"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// maxSteps bounds the search for a day that matches day of month and day of week; the 29th of February on a given
// weekday comes back within 40 years, so 5000 days are plenty.
const maxSteps = 5000

// Schedule says when a timer is due. It is safe for concurrent use.
type Schedule struct {
	location *time.Location
	interval time.Duration        // of a TimeSpan schedule
	dates    *cronexpr.Expression // everything, or day of week left open when weekdays is set
	weekdays *cronexpr.Expression // everything with day of month left open; nil unless both days are restricted
	hourly   bool                 // any hour will do: the hour that clocks repeat counts twice
	text     string

	mu sync.Mutex // the library's expressions keep what they computed last
}

// Parse reads a schedule. Times are those of location. The error is Invalid, repeats the text and says what is wrong.
func Parse(text string, location *time.Location) (*Schedule, error) {
	s := &Schedule{location: location, text: strings.TrimSpace(text)}
	fields := strings.Fields(text)
	switch len(fields) {
	case 1:
		return s, s.parseSpan()
	case 5:
		fields = append([]string{"0"}, fields...)
	case 6:
	default:
		return nil, invalid(text, "it has %d fields, an NCRONTAB expression has 6: second minute hour day month weekday", len(fields))
	}
	return s, s.parseFields(fields)
}

func (s *Schedule) parseSpan() error {
	d, err := azfunc.ParseTimeSpan(s.text)
	if err != nil {
		return invalid(s.text, "neither 6 fields (second minute hour day month weekday) nor a time span such as 00:05:00")
	}
	if d < time.Second {
		return invalid(s.text, "the interval must be at least a second")
	}
	s.interval = d
	return nil
}

var allowed = regexp.MustCompile(`^[0-9A-Za-z*,/-]+$`)

var words = regexp.MustCompile(`[A-Za-z]+`)

func (s *Schedule) parseFields(fields []string) error {
	for i, f := range fields {
		if err := checkField(i, f); err != nil {
			return invalid(s.text, "%s", err.Error())
		}
		fields[i] = words.ReplaceAllStringFunc(f, func(w string) string { return strings.ToUpper(w[:3]) })
	}
	s.hourly = strings.HasPrefix(fields[2], "*")
	var err error
	if fields[3] == "*" || fields[5] == "*" {
		s.dates, err = parse(fields)
		return s.explain(err)
	}
	day, weekday := fields[3], fields[5]
	fields[5] = "*"
	if s.dates, err = parse(fields); err != nil {
		return s.explain(err)
	}
	fields[3], fields[5] = "*", weekday
	s.weekdays, err = parse(fields)
	fields[3] = day
	return s.explain(err)
}

func (s *Schedule) explain(err error) error {
	if err == nil {
		return nil
	}
	return invalid(s.text, "%s", err.Error())
}

// checkField refuses what the library takes and NCRONTAB does not (L, W, #, ?), and names out of their place.
func checkField(i int, f string) error {
	name := []string{"second", "minute", "hour", "day", "month", "weekday"}[i]
	if !allowed.MatchString(f) {
		return azfunc.Errorf(azfunc.Invalid, "the %s %q may hold only digits, names, * , - and /", name, f)
	}
	known := map[string]string{"month": "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", "weekday": "SUNMONTUEWEDTHUFRISAT"}[name]
	for _, w := range words.FindAllString(f, -1) {
		if at := strings.Index(known, strings.ToUpper(w[:min(3, len(w))])); len(w) < 3 || at < 0 || at%3 != 0 {
			return azfunc.Errorf(azfunc.Invalid, "the %s holds %q, which is not a name there", name, w)
		}
	}
	return nil
}

// parse hands the fields to the library with a seventh, the year: with six it would take the first for the minute.
func parse(fields []string) (*cronexpr.Expression, error) {
	return cronexpr.Parse(strings.Join(fields, " ") + " *") // the caller adds the text
}

func invalid(text, format string, args ...any) error {
	return azfunc.Errorf(azfunc.Invalid, "the schedule %q cannot be read: %w", text, azfunc.Errorf(azfunc.Invalid, format, args...))
}

// Next returns the first due time after a moment; zero when there is none. An interval's due times are the multiples
// of the interval since 1970, so that every instance names the same ones. A schedule with fixed hours is due once on
// the day clocks are set back.
func (s *Schedule) Next(after time.Time) time.Time {
	if s.interval > 0 {
		return after.Truncate(s.interval).Add(s.interval).In(s.location)
	}
	t := s.match(after.In(s.location))
	for range maxSteps {
		if t.IsZero() || s.hourly || !repeated(t) {
			return t
		}
		t = s.match(t)
	}
	return time.Time{}
}

// repeated reports whether clocks, having been set back, show this time for the second time.
func repeated(t time.Time) bool {
	since, _ := t.ZoneBounds()
	if since.IsZero() {
		return false
	}
	_, before := since.Add(-time.Second).Zone()
	_, now := t.Zone()
	return t.Before(since.Add(time.Duration(before-now) * time.Second))
}

// match returns the first time after a moment that fits every field.
func (s *Schedule) match(after time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := next(s.dates, after)
	if s.weekdays == nil {
		return t
	}
	for range maxSteps {
		if t.IsZero() {
			return t
		}
		u := next(s.weekdays, t.Add(-time.Second))
		if u.Equal(t) || u.IsZero() {
			return u
		}
		t = next(s.dates, u.Add(-time.Second))
	}
	return time.Time{}
}

// next is the library's Next, held to its word: where clocks are set back it may answer a time that is past already.
func next(e *cronexpr.Expression, after time.Time) time.Time {
	from := after
	for range 3 * 60 {
		t := e.Next(from)
		if t.IsZero() || t.After(after) {
			return t
		}
		from = from.Add(time.Minute)
	}
	return time.Time{}
}

// Latest returns the last due time in (since, now]; false when there is none.
func (s *Schedule) Latest(since, now time.Time) (time.Time, bool) {
	due := func(t time.Time) bool { n := s.Next(t); return !n.IsZero() && !n.After(now) }
	if !due(since) {
		return time.Time{}, false
	}
	// A moment t has a due time in (t, now] up to the last due time and not from there on: halve until one is left.
	low, high := since, now
	for s.Next(low) != s.Next(high.Add(-time.Second)) && high.Sub(low) > time.Second {
		if mid := low.Add(high.Sub(low) / 2); due(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return s.Next(low), true
}

// Frequent reports whether the schedule is due again within a minute: Azure's host does not watch such timers for
// missed occurrences.
func (s *Schedule) Frequent(now time.Time) bool {
	first := s.Next(now)
	second := s.Next(first)
	return !second.IsZero() && second.Sub(first) < time.Minute
}

// String returns the schedule as written.
func (s *Schedule) String() string { return s.text }

var reference = regexp.MustCompile(`%([^%]+)%`)

// Resolve replaces %NAME% by the app setting of that name. The error is Invalid and names a setting that is missing.
func Resolve(text string, settings map[string]string) (string, error) {
	var missing string
	out := reference.ReplaceAllStringFunc(text, func(m string) string {
		v := azfunc.Setting(settings, strings.Trim(m, "%"))
		if v == "" {
			missing = strings.Trim(m, "%")
		}
		return v
	})
	if missing != "" {
		return "", azfunc.Errorf(azfunc.Invalid, "%q names the app setting %q, which does not exist or is empty", text, missing)
	}
	return out, nil
}

// Location returns the time zone of WEBSITE_TIME_ZONE, UTC when it is empty. The error is Invalid.
func Location(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, azfunc.Errorf(azfunc.Invalid, "WEBSITE_TIME_ZONE is %q, which is not a time zone known here: use an IANA name such as Europe/Berlin", name)
	}
	return loc, nil
}
