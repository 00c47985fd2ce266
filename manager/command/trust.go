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
	ca, err := localca.Open(localca.Config{Dir: filepath.Join(c.Data, "tls")})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.stdout, localca.TrustText(ca.CAFile()))
	return err
}
