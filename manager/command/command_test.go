package command_test

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nightshift-functions/nightshift/manager/command"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"manager": func() { os.Exit(command.Run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)) },
	})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata"})
}
