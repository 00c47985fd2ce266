package trigger

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// constraint decides whether a route value fits.
type constraint func(value string) bool

// parseConstraint reads one of ASP.NET's inline constraints. The error is Invalid and names the constraint.
func parseConstraint(text string) (constraint, error) {
	name, args, hasArgs := strings.Cut(text, "(")
	if hasArgs {
		inner, ok := strings.CutSuffix(args, ")")
		if !ok {
			return nil, azfunc.Errorf(azfunc.Invalid, "the constraint %q lacks its closing parenthesis", text)
		}
		return parseCall(strings.ToLower(name), inner)
	}
	if c := simple(strings.ToLower(name)); c != nil {
		return c, nil
	}
	return nil, azfunc.Errorf(azfunc.Invalid, "there is no constraint %q", text)
}

func simple(name string) constraint {
	switch name {
	case "int":
		return func(v string) bool { _, err := strconv.ParseInt(v, 10, 32); return err == nil }
	case "long":
		return func(v string) bool { _, err := strconv.ParseInt(v, 10, 64); return err == nil }
	case "bool":
		return func(v string) bool { return strings.EqualFold(v, "true") || strings.EqualFold(v, "false") }
	case "decimal", "double", "float":
		return func(v string) bool { f, err := strconv.ParseFloat(v, 64); return err == nil && !math.IsInf(f, 0) }
	case "guid":
		return func(v string) bool { _, err := uuid.Parse(v); return err == nil && !strings.HasPrefix(v, "urn:") }
	case "alpha":
		return regexp.MustCompile(`^[A-Za-z]*$`).MatchString
	case "required":
		return func(v string) bool { return v != "" }
	case "datetime":
		return isDateTime
	}
	return nil
}

// isDateTime accepts what .NET's invariant culture commonly reads.
func isDateTime(v string) bool {
	for _, layout := range []string{
		time.RFC3339, "2006-01-02", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04",
		"01/02/2006", "1/2/2006", "01/02/2006 15:04:05", "1/2/2006 3:04:05 PM", "1/2/2006 3:04pm", "2006-01-02 3:04pm",
	} {
		if _, err := time.Parse(layout, v); err == nil {
			return true
		}
	}
	return false
}

func parseCall(name, args string) (constraint, error) {
	if name == "regex" {
		// ASP.NET writes {{ and }} for braces inside a template, and matches without regard to case.
		re, err := regexp.Compile("(?i)" + strings.NewReplacer("{{", "{", "}}", "}").Replace(args))
		if err != nil {
			return nil, azfunc.Errorf(azfunc.Invalid, "the regular expression %q: %w", args, err)
		}
		return re.MatchString, nil
	}
	var numbers []int64
	for a := range strings.SplitSeq(args, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(a), 10, 64)
		if err != nil {
			return nil, azfunc.Errorf(azfunc.Invalid, "%s(%s) needs whole numbers", name, args)
		}
		numbers = append(numbers, n)
	}
	if c := bounded(name, numbers); c != nil {
		return c, nil
	}
	return nil, azfunc.Errorf(azfunc.Invalid, "there is no constraint %s(%s)", name, args)
}

func bounded(name string, n []int64) constraint {
	length := func(low, high int64) constraint {
		return func(v string) bool { l := int64(utf8.RuneCountInString(v)); return l >= low && l <= high }
	}
	value := func(low, high int64) constraint {
		return func(v string) bool { i, err := strconv.ParseInt(v, 10, 64); return err == nil && i >= low && i <= high }
	}
	switch {
	case name == "length" && len(n) == 1:
		return length(n[0], n[0])
	case name == "length" && len(n) == 2:
		return length(n[0], n[1])
	case name == "minlength" && len(n) == 1:
		return length(n[0], math.MaxInt64)
	case name == "maxlength" && len(n) == 1:
		return length(0, n[0])
	case name == "min" && len(n) == 1:
		return value(n[0], math.MaxInt64)
	case name == "max" && len(n) == 1:
		return value(math.MinInt64, n[0])
	case name == "range" && len(n) == 2:
		return value(n[0], n[1])
	}
	return nil
}
