package archive_test

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/archive"
	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// FuzzExtract feeds any bytes. Whatever happens: every refusal has a sentence for the publisher, nothing appears
// beside the folder, what was written is what the index says, and the standard library reads the same files.
func FuzzExtract(f *testing.F) {
	for _, seed := range [][]byte{
		zipOf(good()),
		zipOf(good(), part{name: "a/b.js", data: strings.Repeat("code ", 50), deflate: true, mode: 0o100755}),
		zipOf(part{name: "../evil", data: "x"}),
		zipOf(part{name: `..\evil`, data: "x"}),
		zipOf(part{name: `a\b`, data: "x"}, part{name: `a\`}),
		zipOf(part{name: "link", data: "/etc/passwd", mode: 0o120777}, part{name: "link/x", data: "x"}),
		zipOf(part{name: "/abs", data: "x"}), zipOf(part{name: "C:/x", data: "x"}), zipOf(part{name: "CON", data: "x"}),
		zipOf(part{name: "a", data: "x"}, part{name: "A", data: "y"}), zipOf(part{name: "a", data: "x"}, part{name: "a/b", data: "y"}),
		zipOf(zip64Size("big", 1<<40)), zipOf(part{name: "big", data: "x", size: is(uint32(0xffffffff)), packed: is(uint32(0xffffffff)), extra: extra64(1, 1)}),
		overlapping(), claims(1 << 40),
		zipBuilder{parts: []part{good()}, comment: "PK\x05\x06 not the end"}.bytes(),
		zipBuilder{parts: []part{good()}, front: "PK\x03\x04"}.bytes(),
	} {
		f.Add(seed)
	}
	limits := archive.Limits{MaxEntries: 100, MaxBytes: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := archive.Check(bytes.NewReader(data), int64(len(data)), limits)
		if err != nil {
			wantRefusal(t, err)
			return
		}
		above := t.TempDir()
		dir := filepath.Join(above, "content")
		verified := x.Verify(t.Context())
		err = x.Extract(t.Context(), dir)
		if (verified == nil) != (err == nil) {
			t.Fatalf("verify says %v, extract %v", verified, err)
		}
		if err != nil {
			wantRefusal(t, err)
			if left := names(t, above); len(left) > 0 {
				t.Fatalf("left behind %q", left)
			}
			return
		}
		compare(t, x, dir)
		agree(t, data, dir)
		if beside, err := os.ReadDir(above); err != nil || len(beside) != 1 {
			t.Fatalf("beside the folder: %v, %v", beside, err)
		}
	})
}

func wantRefusal(t *testing.T, err error) {
	t.Helper()
	if code := azfunc.CodeOf(err); code != azfunc.Invalid && code != azfunc.TooLarge {
		t.Fatalf("code %s: %v", code, err)
	}
}

// compare walks what was written and finds every file in the index, of the right size, and nothing else.
func compare(t *testing.T, x *archive.Index, dir string) {
	t.Helper()
	files, total := 0, int64(0)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		e, ok := x.Find(filepath.ToSlash(rel))
		if err != nil || !ok || !d.Type().IsRegular() || e.Size != info.Size() {
			t.Fatalf("%q on disk is %v, %v; in the index %+v, %v", rel, info, err, e, ok)
		}
		files, total = files+1, total+info.Size()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range x.Entries {
		if !e.Dir {
			files--
		}
	}
	if files != 0 || total != x.TotalBytes {
		t.Fatalf("%d files and %d bytes on disk, index %+v", files, total, x.Entries)
	}
}

// agree reads the zip with the standard library: whoever looks at a package must see what we unpacked.
func agree(t *testing.T, data []byte, dir string) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return // it is stricter about extra fields that we do not look at
	}
	for _, f := range r.File {
		if strings.ContainsRune(f.Name, '\\') || f.FileInfo().IsDir() {
			continue
		}
		want, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Name)))
		if err != nil {
			if info, statErr := os.Stat(filepath.Join(dir, filepath.FromSlash(f.Name))); statErr == nil && info.IsDir() {
				continue
			}
			t.Fatalf("archive/zip sees %q, we do not: %v", f.Name, err)
		}
		c, err := f.Open()
		if err != nil {
			t.Fatalf("archive/zip opens %q: %v", f.Name, err)
		}
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("archive/zip reads %q as %q (%v), we %q", f.Name, got, err, want)
		}
	}
}
