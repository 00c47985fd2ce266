package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const sniffBytes = 512

// checkMagic refuses what does not begin like a zip and says what it begins like, because a wrong upload is far more
// often the wrong file than a broken zip.
func checkMagic(r io.ReaderAt, size int64) error {
	if size == 0 {
		return azfunc.Errorf(azfunc.Invalid, "the upload is empty: send the bytes of the zip as the body of the request")
	}
	head := make([]byte, min(size, sniffBytes))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the start of the zip: %w", err)
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) || bytes.HasPrefix(head, []byte("PK\x05\x06")) || bytes.HasPrefix(head, []byte("PK\x06\x06")) {
		return nil
	}
	return azfunc.Errorf(azfunc.Invalid, "this is not a zip: it looks like %s; publish a zip of what is inside the app's folder", looksLike(head))
}

func looksLike(head []byte) string {
	for _, kind := range binaryKinds() {
		if bytes.HasPrefix(head, []byte(kind.magic)) {
			return kind.name
		}
	}
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return "a tar archive"
	}
	return looksLikeText(strings.TrimSpace(strings.TrimPrefix(string(head), "\xef\xbb\xbf")))
}

func binaryKinds() []struct{ magic, name string } {
	return []struct{ magic, name string }{
		{"\x1f\x8b", "a gzip file (.gz or .tar.gz)"},
		{"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"},
		{"Rar!", "a RAR archive"},
		{"\x28\xb5\x2f\xfd", "a Zstandard file"},
		{"\xfd7zXZ", "an xz file"},
		{"BZh", "a bzip2 file"},
		{"hsqs", "a SquashFS image"},
		{"PK\x07\x08", "one part of a zip that was split"},
		{"PK", "a damaged zip"},
		{"MZ", "a Windows program"},
		{"\x7fELF", "a Linux program"},
		{"UEsDB", "a zip in base64; send its bytes as they are"},
	}
}

func looksLikeText(text string) string {
	lower := strings.ToLower(text)
	switch {
	case text == "":
		return "a file of nothing but space"
	case strings.HasPrefix(lower, "<!doctype html"), strings.HasPrefix(lower, "<html"):
		return "an HTML page, perhaps the sign-in or error page of a download"
	case strings.HasPrefix(text, "{"), strings.HasPrefix(text, "["):
		return "JSON"
	case strings.HasPrefix(text, "<"):
		return "XML"
	case strings.HasPrefix(text, "--") && strings.Contains(lower, "content-disposition"):
		return "a form upload; send the zip itself as the body (curl --data-binary @app.zip)"
	case strings.IndexFunc(text, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == '\uFFFD' }) < 0:
		return "plain text"
	}
	return "data of an unknown kind"
}

// bytesText shows a size in the unit people use for it.
func bytesText(n int64) string {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	switch {
	case n >= gib:
		return fmt.Sprintf("%.1f GiB", float64(n)/gib)
	case n >= mib:
		return fmt.Sprintf("%.1f MiB", float64(n)/mib)
	case n >= kib:
		return fmt.Sprintf("%.1f KiB", float64(n)/kib)
	}
	return fmt.Sprintf("%d bytes", n)
}
