package archive_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/archive"
)

// BenchmarkPublish is what a publish costs: 5,000 files of 4 KiB, as a small node_modules has.
func BenchmarkPublish(b *testing.B) {
	parts := make([]part, 5000)
	for i := range parts {
		parts[i] = part{name: fmt.Sprintf("node_modules/m%d/lib/file%d.js", i%200, i), data: strings.Repeat(fmt.Sprintf("line %d;", i), 400), deflate: true}
	}
	data := zipOf(parts...)
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := archive.Check(bytes.NewReader(data), int64(len(data)), archive.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	x, err := archive.Check(bytes.NewReader(data), int64(len(data)), archive.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := x.Verify(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("extract", func(b *testing.B) {
		b.ReportAllocs()
		above, n := b.TempDir(), 0
		for b.Loop() {
			n++
			if err := x.Extract(b.Context(), filepath.Join(above, fmt.Sprint(n))); err != nil {
				b.Fatal(err)
			}
		}
	})
}
