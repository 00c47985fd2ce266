package azfunc_test

import (
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

func TestParseTimeSpan(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	good := map[string]time.Duration{
		"00:05:00":         5 * time.Minute,
		"00:30":            30 * time.Minute,
		"1.02:03:04":       day + 2*time.Hour + 3*time.Minute + 4*time.Second,
		"1.02:03":          day + 2*time.Hour + 3*time.Minute,
		"6:12:14:45":       6*day + 12*time.Hour + 14*time.Minute + 45*time.Second,
		"00:00:00.1":       100 * time.Millisecond,
		"00:00:01.1234567": time.Second + 123456700,
		" 00:00:10 ":       10 * time.Second,
		"-00:00:10":        -10 * time.Second,
		"7":                7 * day,
		"-1":               azfunc.Unbounded,
		"0:0:0":            0,
	}
	for in, want := range good {
		if got, err := azfunc.ParseTimeSpan(in); err != nil || got != want {
			t.Errorf("ParseTimeSpan(%q) = %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "x", "5m", "24:00:00", "00:60:00", "00:00:60", "1.5", "1:2:3:4:5", "1.2.3", ":", "::", "00:05:00.", "00:00:00.12345678",
		"--1", "+1", "99999999999", "106752", "00:05:00.1x", "٣:00:00", "1.:00:00", "1.00:00:00:00",
	} {
		if got, err := azfunc.ParseTimeSpan(in); azfunc.CodeOf(err) != azfunc.Invalid {
			t.Errorf("ParseTimeSpan(%q) = %v, %v; want an Invalid error", in, got, err)
		}
	}
}

func FuzzParseTimeSpan(f *testing.F) {
	for _, seed := range []string{"00:05:00", "1.02:03:04", "-1", "7", "24:00:00", "00:00:00.9999999", "-106750.23:59:59"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := azfunc.ParseTimeSpan(text)
		if err != nil && (d != 0 || azfunc.CodeOf(err) != azfunc.Invalid) {
			t.Fatalf("ParseTimeSpan(%q) = %v, %v", text, d, err)
		}
		if negative, e := azfunc.ParseTimeSpan("-" + text); err == nil && e == nil && d > 0 && negative != -d && negative != azfunc.Unbounded {
			t.Fatalf("%q is %v but with a minus %v", text, d, negative)
		}
	})
}
