package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/version"
)

// streams are the command's outputs and what it may know of its surroundings.
type streams struct {
	stdout, stderr io.Writer
	env            map[string]string
}

type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the Management Role on this machine."`
	User    userCommand    `cmd:"" help:"Accounts of this installation, while the manager is stopped."`
	Trust   trustCommand   `cmd:"" help:"Say how each tool is made to trust this installation's certificates."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// Run executes one command and returns the process's exit code.
func Run(args, environ []string, stdout, stderr io.Writer) int {
	var cli commands
	s := streams{stdout, stderr, environment(environ)}
	code := -1
	parser, err := kong.New(&cli, kong.Name("manager"),
		kong.Description("Nightshift's Management Role. Each flag is also read from the environment as NIGHTSHIFT_<FLAG>, for example NIGHTSHIFT_DATA for --data."),
		kong.Writers(stdout, stderr), kong.Exit(func(c int) { code = c }), kong.Resolvers(fromEnvironment(s.env)), kong.UsageOnError())
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "manager:", err)
		return 1
	}
	ctx, err := parser.Parse(args)
	if code >= 0 {
		return code // --help
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "manager: %v\n", err)
		return 2
	}
	if err := ctx.Run(s); err != nil {
		_, _ = fmt.Fprintf(stderr, "manager: %s\n", explain(err))
		return 1
	}
	return 0
}

// explain prints the sentence for people where there is one, and the whole chain otherwise: on the command line
// nobody else is there to look it up.
func explain(err error) string {
	if azfunc.CodeOf(err) == azfunc.Internal {
		return err.Error()
	}
	return azfunc.MessageOf(err)
}

func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env
}

func fromEnvironment(env map[string]string) kong.ResolverFunc {
	return func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if v, ok := env["NIGHTSHIFT_"+strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))]; ok && v != "" {
			return v, nil
		}
		return nil, nil // kong's way of saying that the flag is not set here
	}
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(s streams) error {
	_, err := fmt.Fprintln(s.stdout, version.String())
	return err
}
