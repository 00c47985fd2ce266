//go:build linux

package publish_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nightshift-functions/nightshift/internal/store"
	"github.com/nightshift-functions/nightshift/manager/publish"
)

// smallDisk is a folder on a file system of its own of that many bytes.
func smallDisk(t *testing.T, options string) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "small")
	ok(t, os.Mkdir(folder, 0o700))
	err := syscall.Mount("tmpfs", folder, "tmpfs", 0, options)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		t.Skip("this account may not mount a file system; run the tests as root to fill a disk")
	}
	ok(t, err)
	t.Cleanup(func() { _ = syscall.Unmount(folder, syscall.MNT_DETACH) })
	return folder
}

// noise does not compress, so that a zip of it is as large.
func noise(size int) string {
	raw := make([]byte, size)
	source := rand.NewChaCha8([32]byte{7})
	_, _ = source.Read(raw)
	return string(raw)
}

// No room for the incoming package: the deployment fails with the reason, nothing is left, and later it works.
func TestIncomingDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "size=1m")
	r := newRig(t, withConfig(func(c *publish.Config) { c.IncomingDir = filepath.Join(disk, "incoming") }))
	body := zipOf(t, with(goodApp(), "large.bin", noise(2<<20)))
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", chunked(body)).
		want(t, http.StatusInsufficientStorage, "no space left on device", "publish again")
	r.failedWith(t, "no space left on device")
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
}

// No room in the database: not even the end of the deployment can be stored. When there is room again, the app is not
// stuck.
func TestDatabaseDiskFull(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "size=4m")
	r := newRig(t, inFolder(disk))
	body := zipOf(t, with(goodApp(), "large.bin", noise(6<<20)))
	got := r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(body))
	if got.status < 500 {
		t.Fatalf("a package that does not fit was answered with %d %s", got.status, got.body)
	}
	t.Logf("answered %d %s", got.status, got.body)
	if r.desired(t) != 0 {
		t.Error("a revision was made of it")
	}
	r.nothingLeft(t)
	ok(t, syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=64m"))
	r.do(t, http.MethodPost, "/api/zipdeploy?isAsync=true", bytes.NewReader(zipOf(t, goodApp()))).want(t, http.StatusAccepted)
	list, _, err := r.db.Deployments(t.Context(), r.app.ID, store.Page{})
	ok(t, err)
	if len(list) != 2 || list[1].Status != store.StatusFailed || list[0].Revision != 1 {
		t.Errorf("deployments %+v", list)
	}
}
