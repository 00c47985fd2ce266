package server

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Addresses says where everything is. It is written to addresses.json in the data folder while the manager is up,
// so that scripts find ports that were chosen freely.
type Addresses struct {
	HTTP         string // base URLs without a trailing slash
	HTTPS        string
	AppHTTP      string
	AppHTTPS     string
	Link         string
	DataDir      string
	PasswordFile string // the first administrator's
}

// The one subscription and resource group of a new installation.
const (
	DefaultSubscriptionID = "00000000-0000-0000-0000-000000000001"
	DefaultGroup          = "default"
	DefaultGroupID        = "/subscriptions/" + DefaultSubscriptionID + "/resourceGroups/" + DefaultGroup
)

func addressesFile(dataDir string) string { return filepath.Join(dataDir, "addresses.json") }

// write replaces the file in one step: a reader sees the old or the new one whole.
func (a Addresses) write() error {
	raw, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the addresses: %w", err)
	}
	path := addressesFile(a.DataDir)
	if err := os.WriteFile(path+".new", append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write the addresses: %w", err)
	}
	return nil
}
