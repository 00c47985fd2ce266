package server

import (
	"errors"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Config is what one manager on one machine needs. Addresses are host:port; port 0 takes a free one.
type Config struct {
	DataDir      string // absolute
	HTTPAddr     string
	HTTPSAddr    string
	AppHTTPAddr  string
	AppHTTPSAddr string
	LinkAddr     string
	Domain       string // apps are <app>.<Domain>, their SCM <app>.scm.<Domain>
	WorkerPath   string
	LanguagesDir string
	SearchPath   string // PATH in which instances find node, python, ...
}

// Validate refuses what could not work or would not be safe.
func (c Config) Validate() error {
	if c.Domain == "" {
		return azfunc.Errorf(azfunc.Invalid, "the domain of the apps is empty; --domain functions.localhost is the default")
	}
	return errors.Join(loopback("--http-addr", c.HTTPAddr), loopback("--app-http-addr", c.AppHTTPAddr), loopback("--link-addr", c.LinkAddr))
}

// loopback keeps plain http on this machine: passwords and tokens travel on it.
func loopback(flag, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return azfunc.Errorf(azfunc.Invalid, "%s %q is not host:port: %w", flag, addr, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return nil
	}
	return azfunc.Errorf(azfunc.Invalid, "%s %q: plain http is served on loopback only (127.0.0.1 or localhost); other machines use the https addresses", flag, addr)
}

// The accounts of apps lie above all ranges that distributions, systemd and container tools give away (systemd,
// "Users, Groups, UIDs and GIDs": 1879048192 to 2147483647 is unused). Each installation on a machine has a block of
// its own there, so that apps of two installations never share an account.
const (
	uidRange  = 1879048192
	uidBlock  = 4096
	uidBlocks = 1 << 16
)

func firstUID(dataDir string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(dataDir))
	return uidRange + int(h.Sum32()%uidBlocks)*uidBlock
}

// PrepareData makes the data folder, closed to everybody else, and proves that it can be written.
func PrepareData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return azfunc.Errorf(azfunc.Invalid, "the data folder cannot be made: %w; choose another with --data", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return azfunc.Errorf(azfunc.Invalid, "the data folder cannot be closed to others: %w; choose one that you own with --data", err)
	}
	probe, err := os.CreateTemp(dir, ".write-probe-*")
	if err != nil {
		return azfunc.Errorf(azfunc.Invalid, "the data folder is not writable: %w; choose another with --data", err)
	}
	return errors.Join(probe.Close(), os.Remove(filepath.Clean(probe.Name())))
}
