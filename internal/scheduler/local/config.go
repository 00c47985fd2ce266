package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// Config is what a Scheduler needs to know. Only RunDir has no default.
type Config struct {
	// RunDir holds the instances' folders, logs and staged binaries; see DefaultRunDir. Instances of other accounts
	// must be able to pass through it and through its parents.
	RunDir string

	// Instances get their ports from FirstPort to LastPort, 21000 to 21999 by default: below the range from which
	// kernels take ports for outgoing connections, and inside the one that Nomad uses.
	FirstPort, LastPort int

	// Identity makes the token of an instance. By default the scheduler mints random ones that VerifyIdentity knows.
	Identity func(context.Context, IdentityRequest) (token string, err error)

	// KeepDead is how many dead instances of a job stay in the snapshot, with their logs; 5 by default.
	KeepDead int

	// KeepStopped is how many stopped jobs stay readable although nobody purged them; 50 by default.
	KeepStopped int

	// KeepLogs is how many instances of former runs keep their logs when a scheduler opens the run folder; 20 by
	// default.
	KeepLogs int

	// NodeName is the machine's name in snapshots; the host name by default.
	NodeName string

	// NoPIDNamespace leaves instances in the manager's PID namespace even where the kernel grants them their own.
	// Descendants that leave their process group then outlive a killed manager.
	NoPIDNamespace bool
}

// IdentityRequest names the identity that a task wants.
type IdentityRequest struct {
	AllocID string
	JobID   string
	Name    string // of the task's identity block
}

const (
	defaultFirstPort = 21000
	defaultLastPort  = 21999
	defaultKeepDead  = 5
	defaultKeepLogs  = 20

	defaultKeepStopped = 50
	maxPort            = 65535
)

// DefaultRunDir returns the run folder that belongs to a data folder. As root it lies under /var/tmp, because the data
// folder is closed to the accounts of the apps; otherwise it is inside the data folder.
func DefaultRunDir(dataDir string) (string, error) {
	abs, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("make the path of the data folder %q absolute: %w", dataDir, err)
	}
	if os.Geteuid() != 0 { // -1 on Windows
		return filepath.Join(abs, "run"), nil
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join("/var/tmp", "nightshift-"+hex.EncodeToString(sum[:6])), nil
}

func (c Config) withDefaults() (Config, error) {
	if c.RunDir == "" {
		return c, azfunc.Errorf(azfunc.Invalid, "the local scheduler needs a run folder")
	}
	abs, err := filepath.Abs(c.RunDir)
	if err != nil {
		return c, fmt.Errorf("make the path of the run folder %q absolute: %w", c.RunDir, err)
	}
	c.RunDir = abs
	if c.FirstPort == 0 && c.LastPort == 0 {
		c.FirstPort, c.LastPort = defaultFirstPort, defaultLastPort
	}
	if c.FirstPort < 1 || c.LastPort > maxPort || c.FirstPort > c.LastPort {
		return c, azfunc.Errorf(azfunc.Invalid, "%d-%d is not a range of ports; use two numbers from 1 to %d, the smaller one first", c.FirstPort, c.LastPort, maxPort)
	}
	if c.KeepDead == 0 {
		c.KeepDead = defaultKeepDead
	}
	if c.KeepStopped == 0 {
		c.KeepStopped = defaultKeepStopped
	}
	if c.KeepLogs == 0 {
		c.KeepLogs = defaultKeepLogs
	}
	if c.NodeName == "" {
		if c.NodeName, err = os.Hostname(); err != nil {
			return c, fmt.Errorf("ask for the name of this machine: %w", err)
		}
	}
	return c, nil
}
