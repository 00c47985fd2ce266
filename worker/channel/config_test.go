package channel_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/hostapi"
	"github.com/nightshift-functions/nightshift/worker/channel"
)

func write(t *testing.T, dir, content string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, channel.ConfigFile), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFind(t *testing.T) {
	t.Parallel()
	languages, app, empty := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(languages, "node"), `{"description":{"language":"node","defaultExecutablePath":"node"}}`)
	write(t, filepath.Join(languages, "broken"), `{`)
	write(t, filepath.Join(languages, "go"), `{"description":{"language":"native","defaultExecutablePath":"x"}}`)
	write(t, app, `{"description":{"language":"native","defaultExecutablePath":"{AzureWebJobsScriptRoot}/app","workerIndexing":"true"}}`)
	for _, c := range []struct{ app, runtime, dir string }{
		{empty, "Node", filepath.Join(languages, "node")}, {empty, "native", filepath.Join(languages, "go")}, {app, "native", app}, {app, "node", filepath.Join(languages, "node")},
	} {
		if got, err := channel.Find(c.app, languages, c.runtime); err != nil || got.Dir != c.dir {
			t.Errorf("%s: %q %v", c.runtime, got.Dir, err)
		}
	}
	_, err := channel.Find(empty, languages, "cobol")
	if azfunc.CodeOf(err) != azfunc.Unsupported || !strings.Contains(err.Error(), "it has: native, node") {
		t.Errorf("got %v", err)
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	dir := write(t, t.TempDir(), `{"description":{"language":"java","defaultExecutablePath":"%JAVA_HOME%/bin/java","defaultWorkerPath":"worker-{os}-{architecture}.jar",
		"arguments":["-jar %JAVA_OPTS% %UNSET%","-d{workerDirectoryPath}"]}}`)
	java := filepath.Join(dir, "home", "bin")
	if err := os.MkdirAll(java, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(java, "java"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := channel.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	path, args, err := c.Command(channel.Launch{Port: 1234, WorkerID: "w", RequestID: "r"}, map[string]string{
		"JAVA_HOME": filepath.Join(dir, "home"), "JAVA_OPTS": "-Xa -Xb", "languageWorkers__java__arguments": "--extra 1",
	})
	if err != nil || path != filepath.Join(java, "java") {
		t.Fatalf("%s %v", path, err)
	}
	if want := []string{"-jar", "-Xa", "-Xb", "-d" + dir, "--extra", "1"}; !slices.Equal(args[:6], want) {
		t.Errorf("arguments %q", args)
	}
	if !strings.HasPrefix(args[6], filepath.Join(dir, "worker-")) || strings.Contains(args[6], "{") {
		t.Errorf("worker path %q", args[6])
	}
	if want := "--host 127.0.0.1 --port 1234 --workerId w --requestId r --grpcMaxMessageLength 2147483647 --functions-uri http://127.0.0.1:1234/ " +
		"--functions-worker-id w --functions-request-id r --functions-grpc-max-message-length 2147483647"; strings.Join(args[7:], " ") != want {
		t.Errorf("flags %q", args[7:])
	}
	if _, _, err := c.Command(channel.Launch{}, map[string]string{"JAVA_HOME": t.TempDir()}); azfunc.CodeOf(err) != azfunc.Unsupported {
		t.Errorf("without JAVA_HOME: %v", err)
	}
}

func TestParseConfig(t *testing.T) {
	t.Parallel()
	c, err := channel.ParseConfig([]byte(`{"description":{"language":"x","defaultExecutablePath":"y","workerIndexing":"true","extensions":[".js"]},
		"processOptions":{"processCount":3,"initializationTimeout":"00:02:00"}}`))
	if err != nil || !c.Indexing || c.Process.Count != 3 || c.Process.InitTimeout != 2*time.Minute || c.Process.StartupTimeout != time.Minute {
		t.Errorf("%+v %v", c, err)
	}
	for _, text := range []string{``, `[]`, `{}`, `{"description":{"language":"x"}}`, `{"description":{"language":"x","defaultExecutablePath":"y","arguments":{}}}`,
		`{"description":{"language":"x","defaultExecutablePath":"y"},"processOptions":{"processCount":"many"}}`} {
		if _, err := channel.ParseConfig([]byte(text)); azfunc.CodeOf(err) != azfunc.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestConsole(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stderr bool
		line   string
		want   hostapi.LogLine
		shown  bool
	}{
		{false, "hello", hostapi.LogLine{Level: "information", Category: "Host.Function.Console", Message: "hello"}, true},
		{false, "LanguageWorkerConsoleLog connecting", hostapi.LogLine{Level: "information", Message: "connecting"}, false},
		{false, "LanguageWorkerConsoleLog[warn] old", hostapi.LogLine{Level: "warning", Message: "[warn] old"}, true},
		{true, "LanguageWorkerConsoleLog[error] bad", hostapi.LogLine{Level: "error", Message: "[error] bad"}, true},
		{true, "Unhandled exception. x", hostapi.LogLine{Level: "error", Category: "Host.Function.Console", Message: "Unhandled exception. x"}, true},
		{true, "(node) Warning: x failed", hostapi.LogLine{Level: "warning", Category: "Host.Function.Console", Message: "(node) Warning: x failed"}, true},
		{true, "debugger listening", hostapi.LogLine{Level: "information", Category: "Host.Function.Console", Message: "debugger listening"}, true},
		{false, "azfuncjsonlog:{}", hostapi.LogLine{}, false},
		{false, "  ", hostapi.LogLine{}, false},
	} {
		if got, shown := channel.Console(c.stderr, c.line); got != c.want || shown != c.shown {
			t.Errorf("%q: %+v %v", c.line, got, shown)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(`{"description":{"language":"node","defaultExecutablePath":"node","arguments":["%A%"]},"processOptions":{"processStartupTimeout":"00:00:01"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := channel.ParseConfig([]byte(text))
		if err != nil {
			if azfunc.CodeOf(err) != azfunc.Invalid {
				t.Errorf("code %s", azfunc.CodeOf(err))
			}
			return
		}
		_, _, _ = c.Command(channel.Launch{}, nil)
	})
}
