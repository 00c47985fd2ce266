// Command manager is Nightshift's Management Role.
package main

import (
	"os"

	"github.com/nightshift-functions/nightshift/manager/command"
)

func main() {
	os.Exit(command.Run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
