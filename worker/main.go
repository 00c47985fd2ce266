// Command worker is Nightshift's Worker Role: the functions host inside an instance.
package main

import (
	"os"

	"github.com/nightshift-functions/nightshift/worker/command"
)

func main() {
	os.Exit(command.Run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
