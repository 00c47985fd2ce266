package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nightshift-functions/nightshift/internal/archive"
	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/internal/metadata"
)

const (
	// maxCacheBytes and maxCacheFiles bound a node's package cache; the ones not used for longest go.
	maxCacheBytes = 4 << 30
	maxCacheFiles = 64
	cacheSuffix   = ".zip"
)

func appDir(cfg Config) string  { return filepath.Join(cfg.WorkDir, "wwwroot") }
func tempDir(cfg Config) string { return filepath.Join(cfg.WorkDir, "tmp") }

// fetchContent brings the app's content into its folder and tells what it is.
func fetchContent(ctx context.Context, cfg Config, spec hostapi.Spec, support metadata.Support) (metadata.Report, error) {
	zip, err := fetchPackage(ctx, cfg, spec.Package)
	if err != nil {
		return metadata.Report{}, err
	}
	index, err := archive.Open(zip, archive.Limits{})
	if err != nil {
		return metadata.Report{}, fmt.Errorf("open package %s: %w", spec.Package.SHA256, err)
	}
	defer func() { _ = index.Close() }()
	report, err := metadata.Read(metadata.Input{Content: index.FS(), Settings: settingsWithRuntime(spec), Support: support})
	if err != nil {
		return report, err // the text is for the app's author
	}
	if err := os.RemoveAll(appDir(cfg)); err != nil { // of an earlier run of this instance
		return report, fmt.Errorf("clear the app's folder: %w", err)
	}
	if err := os.MkdirAll(tempDir(cfg), 0o700); err != nil {
		return report, fmt.Errorf("make the app's temporary folder: %w", err)
	}
	if err := index.Extract(ctx, appDir(cfg), report.Executables...); err != nil {
		return report, err // says that it unpacked
	}
	return report, nil
}

func settingsWithRuntime(spec hostapi.Spec) map[string]string {
	settings := map[string]string{azfunc.RuntimeSetting: spec.Runtime}
	for name, v := range spec.Settings {
		if !strings.EqualFold(name, azfunc.RuntimeSetting) {
			settings[name] = v
		}
	}
	return settings
}

// fetchPackage returns the path of the package's zip, whose digest has just been checked: other instances of the node
// write to the cache too.
func fetchPackage(ctx context.Context, cfg Config, p hostapi.Package) (string, error) {
	if raw, err := hex.DecodeString(p.SHA256); err != nil || len(raw) != sha256.Size {
		return "", azfunc.Errorf(azfunc.Invalid, "the package's digest %q is not a SHA-256", p.SHA256)
	}
	dir := cfg.CacheDir
	if dir == "" {
		dir = filepath.Join(cfg.WorkDir, "packages")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the package cache: %w", err)
	}
	path := filepath.Join(dir, p.SHA256+cacheSuffix)
	if digest, err := digestOf(path); err == nil && digest == p.SHA256 {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // it is in use: keep it longest
		return path, nil
	}
	if err := download(ctx, cfg.Link, p, path); err != nil {
		return "", err
	}
	prune(dir, path)
	return path, nil
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path) // the name is a digest
	if err != nil {
		return "", err // only asked whether
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err // only asked whether
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// download writes the package beside its place and moves it there when its digest is right, so that nobody ever sees
// half a package.
func download(ctx context.Context, link Link, p hostapi.Package, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".download-*")
	if err != nil {
		return fmt.Errorf("make a file for the package: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone when the move has succeeded
	hash := sha256.New()
	limited := &limitedWriter{w: io.MultiWriter(f, hash), left: p.SizeBytes}
	if p.SizeBytes <= 0 {
		limited.left = maxCacheBytes
	}
	err = link.Package(ctx, p.SHA256, limited)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("fetch package %s: %w", p.SHA256, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != p.SHA256 {
		return azfunc.Errorf(azfunc.Unavailable, "the package that came has digest %s instead of %s", got, p.SHA256)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("store the package: %w", err)
	}
	return nil
}

// limitedWriter refuses more than was announced, so that a wrong answer cannot fill the disk.
type limitedWriter struct {
	w    io.Writer
	left int64
}

func (l *limitedWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > l.left {
		return 0, azfunc.Errorf(azfunc.Unavailable, "the package is larger than announced")
	}
	n, err := l.w.Write(b)
	l.left -= int64(n)
	return n, err // passed through
}

// prune keeps the cache within its bounds; the package at keep stays. Errors are another instance's pruning.
func prune(dir, keep string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var files []os.FileInfo
	var total int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), cacheSuffix) {
			files = append(files, info)
			total += info.Size()
		}
	}
	slices.SortFunc(files, func(a, b os.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	count := len(files)
	for _, f := range files {
		if total <= maxCacheBytes && count <= maxCacheFiles {
			return
		}
		if f.Name() == filepath.Base(keep) {
			continue
		}
		_ = os.Remove(filepath.Join(dir, f.Name()))
		total -= f.Size()
		count--
	}
}
