package channel

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/rpc"
)

// Launch is what a language worker is told on its command line.
type Launch struct {
	Port      int
	WorkerID  string
	RequestID string
}

// flags are the nine pairs that Azure's host passes: Python up to 3.12 and PowerShell read only the old family, Node,
// .NET and Go only the new one, Java either.
func (l Launch) flags() []string {
	port, limit := strconv.Itoa(l.Port), strconv.Itoa(rpc.MaxMessageBytes)
	return []string{
		"--host", "127.0.0.1",
		"--port", port,
		"--workerId", l.WorkerID,
		"--requestId", l.RequestID,
		"--grpcMaxMessageLength", limit,
		"--functions-uri", "http://127.0.0.1:" + port + "/",
		"--functions-worker-id", l.WorkerID,
		"--functions-request-id", l.RequestID,
		"--functions-grpc-max-message-length", limit,
	}
}

// Command returns the program and its arguments for a launch; env is the language worker's environment, from which
// %NAME% is filled in (empty when unset). The error is Unsupported when the program is not there.
func (c Config) Command(l Launch, env map[string]string) (string, []string, error) {
	executable, err := c.findExecutable(env)
	if err != nil {
		return "", nil, err
	}
	var args []string
	for _, a := range c.Arguments {
		args = append(args, strings.Fields(c.expand(a, env))...)
	}
	if extra := azfunc.Setting(env, "languageWorkers__"+c.Language+"__arguments"); extra != "" {
		args = append(args, strings.Fields(extra)...)
	}
	if path := c.expand(c.WorkerPath, env); path != "" {
		args = append(args, c.absolute(path))
	}
	return executable, append(args, l.flags()...), nil
}

func (c Config) findExecutable(env map[string]string) (string, error) {
	name := c.expand(c.Executable, env)
	if custom := azfunc.Setting(env, "languageWorkers__"+c.Language+"__defaultExecutablePath"); custom != "" {
		name = custom
	}
	local := c.absolute(name)
	if info, err := os.Stat(local); err == nil && info.Mode().IsRegular() {
		return local, nil
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", azfunc.Errorf(azfunc.Unsupported,
			"the runtime %q is not on this node: %q was looked for in %s and on the PATH; install it on the node, or place the app where it is",
			c.Language, name, c.Dir)
	}
	return found, nil
}

func (c Config) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, filepath.FromSlash(path))
}

var setting = regexp.MustCompile(`%([A-Za-z_][A-Za-z0-9_.()]*)%`)

func (c Config) expand(text string, env map[string]string) string {
	text = strings.NewReplacer(
		"{os}", osName(), "{architecture}", architecture(),
		"{workerDirectoryPath}", c.Dir, "{WorkerRoot}", c.Dir+string(filepath.Separator),
		"{AzureWebJobsScriptRoot}", env["AzureWebJobsScriptRoot"],
	).Replace(text)
	return Expand(strings.ReplaceAll(text, "%FUNCTIONS_WORKER_RUNTIME_VERSION%", c.RuntimeVersion), env)
}

// Expand replaces %NAME% by the variable of that name, by nothing when it is unset.
func Expand(text string, env map[string]string) string {
	return setting.ReplaceAllStringFunc(text, func(m string) string { return azfunc.Setting(env, strings.Trim(m, "%")) })
}

func osName() string {
	switch runtime.GOOS {
	case "windows":
		return "WINDOWS"
	case "darwin":
		return "OSX"
	}
	return "LINUX"
}

func architecture() string {
	switch runtime.GOARCH {
	case "amd64":
		return "X64"
	case "386":
		return "X86"
	case "arm64":
		return "Arm64"
	}
	return runtime.GOARCH
}
