package command

import (
	"fmt"
	"path/filepath"

	"github.com/nightshift-functions/nightshift/manager/localca"
)

type trustCommand struct {
	Data string `default:"./.nightshift" help:"Data folder of the installation."`
}

// Run prints how each tool is made to trust the installation's certificate authority.
func (c trustCommand) Run(s streams) error {
	dir, err := filepath.Abs(filepath.Join(c.Data, "tls")) // the lines are run from anywhere
	if err != nil {
		return fmt.Errorf("resolve --data %q: %w", c.Data, err)
	}
	ca, err := localca.Open(localca.Config{Dir: dir})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.stdout, localca.TrustText(ca.CAFile()))
	return err
}
