package azfunc

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Unbounded is the duration that "-1" stands for in functionTimeout: no limit.
const Unbounded time.Duration = -1

const (
	day            = 24 * time.Hour
	maxTimeSpanDay = int64(math.MaxInt64/day) - 1
)

// ParseTimeSpan reads a .NET TimeSpan as host.json and bindings write it: "hh:mm", "hh:mm:ss", "hh:mm:ss.fffffff",
// each with an optional "d." or "d:" in front, or a whole number of days. "-1" is Unbounded, as the host reads it for
// functionTimeout. Unlike .NET, which silently takes "24:00:00" for 24 days, hours above 23 are refused. The error
// is Invalid and repeats the text.
func ParseTimeSpan(text string) (time.Duration, error) {
	s := strings.TrimSpace(text)
	if s == "-1" {
		return Unbounded, nil
	}
	digits, negative := strings.CutPrefix(s, "-")
	d, ok := parseUnsignedSpan(digits)
	if !ok {
		return 0, Errorf(Invalid, `%q is not a time span: write hh:mm:ss (hours 0 to 23), d.hh:mm:ss for more than a day, e.g. "00:05:00" or "1.00:00:00"`, shorten(text))
	}
	if negative {
		return -d, nil
	}
	return d, nil
}

func parseUnsignedSpan(s string) (time.Duration, bool) {
	parts := strings.Split(s, ":")
	if len(parts) == 1 {
		return scaled(s, maxTimeSpanDay, day)
	}
	if days, hours, ok := strings.Cut(parts[0], "."); ok {
		parts = append([]string{days, hours}, parts[1:]...)
		if len(parts) < 3 {
			return 0, false
		}
	} else if len(parts) < 4 {
		parts = append([]string{"0"}, parts...)
	}
	if len(parts) == 3 {
		parts = append(parts, "0")
	}
	if len(parts) != 4 {
		return 0, false
	}
	return sumSpan(parts)
}

// sumSpan adds days, hours, minutes and seconds; seconds may carry a fraction of up to seven digits (100 ns).
func sumSpan(parts []string) (time.Duration, bool) {
	seconds, fraction, hasFraction := strings.Cut(parts[3], ".")
	d, ok1 := scaled(parts[0], maxTimeSpanDay, day)
	h, ok2 := scaled(parts[1], 23, time.Hour)
	m, ok3 := scaled(parts[2], 59, time.Minute)
	s, ok4 := scaled(seconds, 59, time.Second)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return 0, false
	}
	if !hasFraction {
		return d + h + m + s, true
	}
	if len(fraction) > 7 {
		return 0, false
	}
	f, ok := scaled(fraction+strings.Repeat("0", 7-len(fraction)), 9999999, 100*time.Nanosecond)
	return d + h + m + s + f, ok && fraction != ""
}

func scaled(digits string, limit int64, unit time.Duration) (time.Duration, bool) {
	if digits == "" || len(digits) > 10 || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n > limit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
