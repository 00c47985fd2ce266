package archive_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/archive"
	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const host = `{"version":"2.0"}`

func good() part { return part{name: "host.json", data: host, mode: 0o100644} }

// read is what the manager does with an upload: structure, then content.
func read(t *testing.T, data []byte, limits archive.Limits) (*archive.Index, error) {
	t.Helper()
	x, err := archive.Check(bytes.NewReader(data), int64(len(data)), limits)
	if err != nil {
		return nil, err
	}
	return x, x.Verify(t.Context())
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	link := part{name: "latest", data: "host.json", mode: 0o120777}
	named := func(name string) []byte { return zipOf(good(), part{name: name, data: "x"}) }
	whole := zipOf(good(), part{name: "a.js", data: strings.Repeat("code ", 100), deflate: true})
	tar := make([]byte, 1024)
	copy(tar[257:], "ustar")
	cases := []struct {
		name string
		data []byte
		want string
	}{
		{"empty body", nil, "the upload is empty"},
		{"gzip", []byte("\x1f\x8b\x08\x00abc"), "looks like a gzip file"},
		{"tar", tar, "looks like a tar archive"},
		{"7z", []byte("7z\xbc\xaf\x27\x1c..."), "a 7-Zip archive"},
		{"html", []byte("\n<!DOCTYPE html><html>"), "looks like an HTML page"},
		{"json", []byte(`{"packageUri":"x"}`), "looks like JSON"},
		{"xml", []byte(`<?xml version="1.0"?>`), "looks like XML"},
		{"form", []byte("--abc\r\nContent-Disposition: form-data"), "--data-binary"},
		{"base64", []byte("UEsDBBQAAAAI"), "a zip in base64"},
		{"text", []byte("hello\n"), "looks like plain text"},
		{"binary", []byte{1, 2, 3}, "data of an unknown kind"},
		{"one byte", []byte("P"), "looks like plain text"},
		{"windows program", []byte("MZ\x90\x00"), "a Windows program"},
		{"no entries", zipBuilder{}.bytes(), "the zip is empty"},
		{"only folders", zipOf(part{name: "src/"}, part{name: "./"}), "folders only"},
		{"parent path", named("../evil.js"), `zip entry "../evil.js": its path leads out`},
		{"parent path inside", named("a/../../evil.js"), "leads out"},
		{"parent path that returns", named("a/../b.js"), "leads out"},
		{"absolute", named("/etc/passwd"), `zip entry "/etc/passwd": its path is absolute`},
		{"UNC with slashes", named("//server/share/x"), "is absolute"},
		{"drive", named("C:/x.js"), "begins with a drive"},
		{"drive without slash", named("c:x.js"), "begins with a drive"},
		{"stream", named("x.js:hidden"), "which Windows nodes cannot store"},
		{"mixed separators", zipOf(part{name: `a\b.js`, data: "x"}, part{name: "c/d.js", data: "y"}), `while "c/d.js" has slashes`},
		{"mixed in one", zipOf(part{name: `a\b/c.js`, data: "x"}), "forward slashes"},
		{"backslash parent", zipOf(part{name: `..\evil.js`, data: "x"}), "leads out"},
		{"backslash absolute", zipOf(part{name: `\evil.js`, data: "x"}), "is absolute"},
		{"backslash UNC", zipOf(part{name: `\\server\share\evil.js`, data: "x"}), "is absolute"},
		{"backslash drive", zipOf(part{name: `C:\evil.js`, data: "x"}), "begins with a drive"},
		{"symlink", zipOf(good(), link), `zip entry "latest": it is a symbolic link`},
		{"windows link", zipOf(good(), part{name: "x", data: "y", dos: 0x400}), "it is a link"},
		{"device", zipOf(good(), part{name: "dev", mode: 0o020666}), "device, pipe or socket"},
		{"twice", zipOf(good(), good()), "in the zip twice"},
		{"twice by cleaning", zipOf(good(), part{name: "./host.json", data: "x"}), "in the zip twice"},
		{"twice but for case", zipOf(good(), part{name: "Host.JSON", data: "x"}), `differs from "host.json" in case only`},
		{"file and folder", zipOf(part{name: "a", data: "x"}, part{name: "a/b", data: "y"}), "a file and a folder at once"},
		{"folder and file", zipOf(part{name: "A/b", data: "x"}, part{name: "a", data: "y"}), "a file and a folder at once"},
		{"NUL", named("a\x00.js"), "control character"},
		{"newline", named("a\n.js"), "control character"},
		{"no name", named(""), "it has no name"},
		{"not utf-8", named("caf\x82.js"), "not UTF-8"},
		{"CON", named("src/CON"), `"CON" is the name of a device`},
		{"aux.txt", named("aux.txt"), "name of a device"},
		{"lpt1", named("a/lpt1.log/b"), "name of a device"},
		{"trailing dot", named("a./b"), "ends with a dot or a space"},
		{"trailing space", named("a /b"), "ends with a dot or a space"},
		{"star", named("a*.js"), "which Windows nodes cannot store"},
		{"long step", named(strings.Repeat("a", 256)), "longer than 255 bytes"},
		{"long path", named(strings.Repeat("abcdefg/", 200)), "longer than 1024 bytes"},
		{"deep path", named(strings.Repeat("a/", 65) + "b"), "deeper than 64"},
		{"encrypted", zipOf(good(), part{name: "secret.js", data: "x", flags: 1}), `zip entry "secret.js": it is encrypted`},
		{"method LZMA", zipOf(good(), part{name: "a", data: "x", method: is(uint16(14))}), "compressed with LZMA"},
		{"method unknown", zipOf(good(), part{name: "a", data: "x", method: is(uint16(77))}), "the unknown method 77"},
		{"folder with content", zipOf(good(), part{name: "a/", data: "x"}), "a folder that has content"},
		{"declared 10 GB", zipOf(good(), zip64Size("big.bin", 10<<30)), "unpacks to 10.0 GiB, 1.0 GiB is the limit"},
		{"declared nearly everything", zipOf(good(), part{name: "a", data: "x", deflate: true, size: is(uint32(1<<31 - 1))}), "1.0 GiB is the limit"},
		{"size without zip64", zipOf(good(), part{name: "a", data: "x", deflate: true, size: is(uint32(0xffffffff))}), "its size does not fit the format"},
		{"ratio", zipOf(good(), part{name: "zeros", data: strings.Repeat("\x00", 65<<20), deflate: true}), "taken for a zip bomb"},
		{"shared data", zipOf(part{name: "a", data: "x"}, part{name: "a", data: "x", share: true}), "in the zip twice"},
		{"overlap", overlapping(), `shares bytes with`},
		{"content past the end", zipOf(good(), part{name: "a", data: "x", deflate: true, packed: is(uint32(1 << 20))}), "lies outside the zip"},
		{"header past the end", zipOf(good(), part{name: "a", data: "x", offset: is(uint32(1 << 20))}), "lies outside the zip"},
		{"header elsewhere", zipOf(good(), part{name: "a", data: "x", offset: is(uint32(3))}), "disagree"},
		{"two names", zipOf(good(), part{name: "a.js", localName: "b.js", data: "x"}), "disagree"},
		{"more than declared", zipOf(good(), part{name: "a", data: "0123456789", deflate: true, size: is(uint32(5))}), "more than the 5 bytes"},
		{"less than declared", zipOf(good(), part{name: "a", data: "01234", deflate: true, size: is(uint32(10))}), "5 of the bytes it declares are missing"},
		{"stored with two sizes", zipOf(good(), part{name: "a", data: "01234", size: is(uint32(4))}), "declares two sizes"},
		{"CRC", zipOf(good(), part{name: "a", data: "x", crc: is(uint32(1))}), `zip entry "a": its checksum is wrong`},
		{"broken deflate", zipOf(good(), part{name: "a", data: "\xff\xff\xff", method: is(uint16(8))}), "compressed data is damaged"},
		{"cut off", whole[:len(whole)-30], "cut off or damaged"},
		{"cut in half", whole[:len(whole)/2], "cut off or damaged"},
		{"bytes after the end", append(bytes.Clone(whole), "tail"...), "cut off or damaged"},
		{"bytes in front", zipBuilder{parts: []part{good()}, front: "PK\x03\x04junk", dirShift: -8}.bytes(), "bytes stand where none belong"},
		{"gap", zipBuilder{parts: []part{good()}, gap: "gap"}.bytes(), "bytes stand where none belong"},
		{"directory outside", zipBuilder{parts: []part{good()}, dirShift: 1 << 20}.bytes(), "outside the file"},
		{"count too high", zipBuilder{parts: []part{good()}, count: is(uint16(60000))}.bytes(), "no room for them"},
		{"count too low", zipBuilder{parts: []part{good(), {name: "b", data: "x"}}, count: is(uint16(1))}.bytes(), "more entries than it declares"},
		{"split", zipBuilder{parts: []part{good()}, disk: 1}.bytes(), "one part of several"},
		{"million entries", claims(1_000_000), "the zip has 1000000 entries, 65536 is the limit"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, c.data, archive.Limits{})
			code := azfunc.CodeOf(err)
			if err == nil || !strings.Contains(err.Error(), c.want) || (code != azfunc.Invalid && code != azfunc.TooLarge) {
				t.Errorf("want a refusal with %q, got %s: %v", c.want, code, err)
			}
		})
	}
}

// zip64Size is an entry that declares its size in a zip64 field.
func zip64Size(name string, size uint64) part {
	return part{name: name, data: "x", deflate: true, size: is(uint32(0xffffffff)), extra: extra64(size)}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	many := make([]part, 50)
	for i := range many {
		many[i] = part{name: fmt.Sprintf("f%d/a/b", i), data: strings.Repeat("x", 100)}
	}
	data := zipOf(many...)
	cases := []struct {
		name   string
		limits archive.Limits
		want   string
	}{
		{"defaults", archive.Limits{}, ""},
		{"entries", archive.Limits{MaxEntries: 49}, "has 50 entries, 49 is the limit"},
		{"implied folders count", archive.Limits{MaxEntries: 100}, "entries, 100 is the limit"},
		{"just enough entries", archive.Limits{MaxEntries: 150}, ""},
		{"bytes", archive.Limits{MaxBytes: 4999}, "4.9 KiB is the limit"},
		{"just enough bytes", archive.Limits{MaxBytes: 5000}, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := read(t, data, c.limits)
			if c.want == "" && err != nil {
				t.Fatal(err)
			}
			if c.want != "" && (azfunc.CodeOf(err) != azfunc.TooLarge || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("want TooLarge with %q, got %v", c.want, err)
			}
		})
	}
}

func TestBackslashZipIsRead(t *testing.T) {
	t.Parallel()
	x, err := read(t, zipOf(part{name: `Order\`}, part{name: `Order\function.json`, data: "{}"}, part{name: "host.json", data: host}), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := x.Find("Order/function.json"); !ok || e.Size != 2 {
		t.Errorf("entries = %+v", x.Entries)
	}
	if e, ok := x.Find("Order"); !ok || !e.Dir {
		t.Errorf("folder not found in %+v", x.Entries)
	}
	if len(x.Warnings) != 1 || !strings.Contains(x.Warnings[0], "backslashes") {
		t.Errorf("warnings = %q", x.Warnings)
	}
}

func TestTwinFoldersAreTold(t *testing.T) {
	t.Parallel()
	x, err := read(t, zipOf(part{name: "Lib/a.js", data: "1"}, part{name: "lib/b.js", data: "2"}), archive.Limits{})
	if err != nil || len(x.Warnings) != 1 || !strings.Contains(x.Warnings[0], `"Lib" and "lib" differ in case only`) {
		t.Errorf("%v, %+v", err, x)
	}
}

// TestRealTools reads what archive/zip writes, with data descriptors, comments and folder entries.
func TestRealTools(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	files := map[string]string{"host.json": host, "Order/function.json": "{}", "big.txt": strings.Repeat("night shift ", 100_000), "empty": ""}
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Create("folder/"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.SetComment("made by a test"), w.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "app.zip")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := archive.Open(path, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := x.ReadFile(name, 1<<21); err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if err := fstest.TestFS(x.FS(), "host.json", "Order/function.json", "folder"); err != nil {
		t.Error(err)
	}
	if _, err := x.ReadFile("big.txt", 1000); azfunc.CodeOf(err) != azfunc.TooLarge {
		t.Errorf("too large: %v", err)
	}
	if _, err := x.ReadFile("absent", 1000); azfunc.CodeOf(err) != azfunc.NotFound || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	if _, err := archive.Open(filepath.Join(t.TempDir(), "absent.zip"), archive.Limits{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	path := filepath.Join(t.TempDir(), "app.zip")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Open(path, archive.Limits{}); azfunc.CodeOf(err) != azfunc.Invalid {
		t.Errorf("JSON: %v", err)
	}
}

func TestExtract(t *testing.T) {
	t.Parallel()
	x, err := read(t, zipOf(
		good(),
		part{name: "bin/handler", data: "\x7fELF...", mode: 0o100755},
		part{name: "bin/plain", data: "\x7fELF...", mode: 0o100644},
		part{name: "fromwindows/run.sh", data: "#!/bin/sh\n"},
		part{name: "fromwindows/readme.md", data: "hello"},
		part{name: "named", data: "hello", mode: 0o104644},
		part{name: "empty/", mode: 0o040755},
	), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "content")
	if err := x.Extract(t.Context(), dir, "named"); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"host.json": "-rw-r--r--", "bin/handler": "-rwxr-xr-x", "bin/plain": "-rw-r--r--", "fromwindows/run.sh": "-rwxr-xr-x",
		"fromwindows/readme.md": "-rw-r--r--", "named": "-rwxr-xr-x", "empty": "drwxr-xr-x", "bin": "drwxr-xr-x", "fromwindows": "drwxr-xr-x",
	}
	got := map[string]string{}
	for _, name := range names(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got[name] = info.Mode().String()
	}
	if diff := cmp.Diff(want, got); diff != "" && runtime.GOOS != "windows" {
		t.Error(diff)
	}
	if err := x.Extract(t.Context(), dir); azfunc.CodeOf(err) != azfunc.Conflict {
		t.Errorf("a second time: %v", err)
	}
}

// TestExtractAllOrNothing stops in the middle, by damage and by context, and looks for what is left.
func TestExtractAllOrNothing(t *testing.T) {
	t.Parallel()
	data := zipOf(good(), part{name: "a", data: strings.Repeat("x", 1<<20), deflate: true}, part{name: "b", data: "y", crc: is(uint32(7))})
	x, err := archive.Check(bytes.NewReader(data), int64(len(data)), archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		want error
	}{"damage": {ctx: t.Context()}, "context": {ctx: ended, want: context.Canceled}} {
		above := t.TempDir()
		err := x.Extract(c.ctx, filepath.Join(above, "content"))
		if err == nil || (c.want != nil && !errors.Is(err, c.want)) || (c.want == nil && azfunc.CodeOf(err) != azfunc.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		if left := names(t, above); len(left) > 0 {
			t.Errorf("%s: left behind %q", name, left)
		}
	}
	if err := x.Verify(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("verify: %v", err)
	}
}

// names lists everything under dir, slash-separated.
func names(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, _ fs.DirEntry, err error) error {
		if path != "." {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
