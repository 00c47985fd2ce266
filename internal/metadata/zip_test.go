package metadata_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/archive"
	"github.com/nightshift-functions/nightshift/internal/metadata"
)

// TestZipAndFolderAgree reads the same app as the manager does, from its zip, and as the worker does, unpacked.
func TestZipAndFolderAgree(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content app
		runtime string
	}{
		"node v4": {nodeV4(), "node"}, "node v3": {nodeV3(), "node"}, "python": {pythonV2(), "python"}, "dotnet": {dotnet(), "dotnet-isolated"}, "custom": {custom(), "custom"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := zipped(t, c.content)
			x, err := archive.Check(bytes.NewReader(data), int64(len(data)), archive.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			in := input(nil, c.runtime)
			in.Content = x.FS()
			fromZip, err := metadata.Read(in)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "content")
			if err := x.Extract(t.Context(), dir, fromZip.Executables...); err != nil {
				t.Fatal(err)
			}
			in.Content = os.DirFS(dir)
			fromFolder, err := metadata.Read(in)
			if diff := cmp.Diff(fromZip, fromFolder); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			for _, name := range fromZip.Executables {
				if info, err := os.Stat(filepath.Join(dir, name)); err != nil || (info.Mode()&0o100 == 0 && runtime.GOOS != "windows") {
					t.Errorf("%s is not executable: %v %v", name, info, err)
				}
			}
		})
	}
}

func zipped(t *testing.T, content app) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range content {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
