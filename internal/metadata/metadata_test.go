package metadata_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/internal/metadata"
)

// app is the content of an app: path -> text.
type app map[string]string

func (a app) with(other app) app {
	out := maps.Clone(a)
	maps.Copy(out, other)
	return out
}

func (a app) without(name string) app {
	out := maps.Clone(a)
	delete(out, name)
	return out
}

func (a app) fs() fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range a {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

const (
	hostJSON  = `{"version": "2.0"}`
	httpFn    = `{"bindings": [{"type": "httpTrigger", "name": "req", "direction": "in"}, {"type": "http", "name": "$return", "direction": "out"}]}`
	timerFn   = `{"bindings": [{"type": "timerTrigger", "name": "timer", "schedule": "0 * * * * *"}]}`
	cosmosFn  = `{"bindings": [{"type": "cosmosDBTrigger", "name": "docs"}]}`
	workerCfg = `{"description": {"language": "dotnet-isolated", "extensions": [".dll"], "defaultExecutablePath": "dotnet", "defaultWorkerPath": "MyApp.dll", "workerIndexing": "true"}}`
	handler   = `{"version": "2.0", "customHandler": {"description": {"defaultExecutablePath": "handler"}}}`
	elf       = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00\x00\x00\x00\x00"
)

func nodeV4() app {
	return app{"host.json": hostJSON, "package.json": `{"main": "src/functions/*.js", "dependencies": {"@azure/functions": "^4.0.0"}}`,
		"src/functions/hello.js": `const { app } = require("@azure/functions")`, "src/functions/bye.js": "", "src/index.ts": ""}
}

func nodeV3() app {
	return app{"host.json": hostJSON, "Hello/function.json": httpFn, "Hello/index.js": "module.exports = 1", "Tick/function.json": timerFn, "Tick/index.js": ""}
}

func pythonV2() app {
	return app{"host.json": hostJSON, "function_app.py": "import azure.functions as func", "requirements.txt": "azure-functions\n"}
}

func dotnet() app {
	return app{"host.json": hostJSON, "worker.config.json": workerCfg, "MyApp.dll": "MZ", "functions.metadata": `[
	  {"name": "Tick", "scriptFile": "MyApp.dll", "entryPoint": "MyApp.Tick.Run", "language": "dotnet-isolated", "bindings": [{"name": "t", "type": "timerTrigger", "direction": "In"}]},
	  {"name": "Hello", "scriptFile": "MyApp.dll", "entryPoint": "MyApp.Hello.Run", "language": "dotnet-isolated", "bindings": [{"name": "req", "type": "httpTrigger", "direction": "In"}, {"name": "$return", "type": "http", "direction": "Out"}]}]`}
}

func custom() app {
	return app{"host.json": handler, "handler": elf, "Hello/function.json": httpFn}
}

func runtimes() map[string]string {
	return map[string]string{"node": "v20.20", "python": "3.11", "dotnet-isolated": "8.0", "custom": "", "java": "17", "powershell": "7.4"}
}

func support() metadata.Support {
	return metadata.Support{Triggers: map[string]bool{"httpTrigger": true, "timerTrigger": true, "sqlTrigger": false}, Bindings: map[string]bool{"http": true}}
}

func input(content app, runtime string, settings ...string) metadata.Input {
	s := map[string]string{}
	if runtime != "" {
		s[azfunc.RuntimeSetting] = runtime
	}
	for i := 0; i < len(settings); i += 2 {
		s[settings[i]] = settings[i+1]
	}
	return metadata.Input{Content: content.fs(), Settings: s, Runtimes: runtimes(), Support: support()}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		in   metadata.Input
		want string
	}{
		{"folder zipped", input(app{"MyApp/host.json": hostJSON, "MyApp/package.json": "{}"}, "node"),
			"you zipped the folder, not its content: host.json is in MyApp/; zip what is inside MyApp"},
		{"folder zipped on a Mac", input(app{"__MACOSX/host.json": "x", "MyApp/host.json": hostJSON}, "node"), "host.json is in MyApp/"},
		{"solution zipped", input(app{"All.sln": "", "MyApp/host.json": hostJSON, "MyApp/MyApp.csproj": "<Project/>"}, "dotnet-isolated"),
			"the package is C# source (MyApp/ holds a project): build it with dotnet publish -c Release"},
		{"host.json broken", input(nodeV4().with(app{"host.json": "{\n \"version\": \"2.0\"\n \"a\": 1}"}), "node"), "host.json is not valid JSON: line 3, column 2"},
		{"host.json version", input(nodeV4().with(app{"host.json": "{}"}), "node"), `"version" is missing`},
		{"override broken", input(nodeV4(), "node", "AzureFunctionsJobHost__functionTimeout", "soon"), `"functionTimeout": "soon" is not a time span`},
		{"unknown runtime", input(nodeV4(), "nodejs"), `FUNCTIONS_WORKER_RUNTIME is "nodejs", which is no runtime of Azure Functions; known are node, python, java`},
		{"runtime not installed", metadata.Input{Content: nodeV4().fs(), Settings: map[string]string{"FUNCTIONS_WORKER_RUNTIME": "node"}, Runtimes: map[string]string{"python": "3.11", "custom": ""}},
			"the app needs the runtime node, which this installation does not have; it has custom, python (3.11)"},
		{"nothing installed", metadata.Input{Content: nodeV4().fs(), Settings: map[string]string{"FUNCTIONS_WORKER_RUNTIME": "node"}, Runtimes: map[string]string{}}, "it has no runtime at all"},
		{"wrong runtime", input(nodeV4(), "python"), `is "python", but the content looks like node (package.json has "main": "src/functions/*.js")`},
		{"wrong runtime names the command", input(pythonV2(), "node"), "--settings FUNCTIONS_WORKER_RUNTIME=python"},
		{"no runtime and no clue", input(app{"host.json": hostJSON, "readme.md": ""}, ""), "the app setting FUNCTIONS_WORKER_RUNTIME is missing and the content does not tell"},
		{"no runtime and two clues", input(nodeV4().with(pythonV2()), ""), "the content may be node or python"},
		{"custom without handler", input(nodeV4(), "custom"), "host.json has no customHandler"},
		{"in-process by generator", input(app{"host.json": hostJSON, "Hello/function.json": `{"generatedBy": "Microsoft.NET.Sdk.Functions-4.1", "scriptFile": "../bin/MyApp.dll", "bindings": []}`}, "dotnet"),
			"in-process .NET app (Hello/function.json was generated by Microsoft.NET.Sdk.Functions)"},
		{"in-process by dll", input(app{"host.json": hostJSON, "Hello/function.json": `{"scriptFile": "..\\bin\\MyApp.dll", "bindings": []}`}, "dotnet-isolated"), "function Hello runs MyApp.dll"},
		{"in-process by script", input(app{"host.json": hostJSON, "Hello/function.json": httpFn, "Hello/run.csx": ""}, ""), "see the isolated worker model guide"},
		{"in-process by setting", input(app{"host.json": hostJSON}, "dotnet"), "see the isolated worker model guide"},
		{"isolated called dotnet", input(dotnet(), "dotnet"), "FUNCTIONS_WORKER_RUNTIME=dotnet-isolated"},
		{"C# source", input(app{"host.json": hostJSON, "MyApp.csproj": "", "Program.cs": ""}, "dotnet-isolated"), "C# source (MyApp.csproj): build it with dotnet publish -c Release and zip"},
		{"C# source without setting", input(app{"host.json": hostJSON, "Program.cs": ""}, ""), "C# source (Program.cs)"},
		{"isolated without metadata", input(app{"host.json": hostJSON}, "dotnet-isolated"), "no functions.metadata"},
		{"isolated without worker config", input(dotnet().without("worker.config.json"), "dotnet-isolated"), "no worker.config.json"},
		{"isolated without dll", input(dotnet().without("MyApp.dll"), "dotnet-isolated"), "runs MyApp.dll, which is not in the package"},
		{"isolated metadata broken", input(dotnet().with(app{"functions.metadata": "[{]"}), "dotnet-isolated"), "functions.metadata is not valid JSON: line 1"},
		{"isolated metadata object", input(dotnet().with(app{"functions.metadata": "{}"}), "dotnet-isolated"), "must hold a list"},
		{"isolated metadata empty", input(dotnet().with(app{"functions.metadata": "[]"}), "dotnet-isolated"), "functions.metadata lists none"},
		{"node without functions", input(app{"host.json": hostJSON}, "node"), `there is no package.json with a "main"`},
		{"node without main", input(app{"host.json": hostJSON, "package.json": "{}"}, "node"), `package.json has no "main"`},
		{"node main matches nothing", input(nodeV4().with(app{"package.json": `{"main": "lib/*.js"}`}).without("src/index.ts"), "node"), `"main": "lib/*.js", but no file of the package matches it: correct the path`},
		{"node main not built", input(nodeV4().with(app{"package.json": `{"main": "dist/src/functions/*.js"}`}), "node"), "build the TypeScript first (npm run build)"},
		{"node main leads out", input(nodeV4().with(app{"package.json": `{"main": "../index.js"}`}), "node"), `"main": "../index.js", but no file`},
		{"package.json broken", input(nodeV4().with(app{"package.json": "{"}), "node"), "package.json is not valid JSON"},
		{"node modules missing", input(nodeV4().with(app{"package.json": `{"main": "src/functions/*.js", "dependencies": {"lodash": "4", "@azure/functions": "4", "@acme/db": "1", "crypto": "1"}}`,
			"src/functions/hello.js": `import x from "@acme/db/pool"; const _ = require('lodash'), c = require("crypto")`}), "node"),
			"modules are missing from the package: @acme/db (needed by src/functions/hello.js), lodash (needed by src/functions/hello.js); run npm ci"},
		{"python without functions", input(app{"host.json": hostJSON}, "python"), "there is no function_app.py"},
		{"python other script", input(pythonV2(), "python", "PYTHON_SCRIPT_FILE_NAME", "main.py"), "there is no main.py"},
		{"python packages missing", input(pythonV2().with(app{"requirements.txt": "azure-functions\nrequests==2.31 # http\nmy.pkg\nnumpy; sys_platform == 'win32'\n-r other.txt\n",
			"function_app.py": "import azure.functions\nfrom requests import get\n"}), "python"), "Python packages are missing: requests (needed by function_app.py)"},
		{"java source", input(app{"host.json": hostJSON, "pom.xml": ""}, "java"), "the package is Java source"},
		{"powershell empty", input(app{"host.json": hostJSON, "profile.ps1": ""}, "powershell"), "the package holds no function"},
		{"handler missing", input(custom().without("handler"), "custom"), "host.json starts the custom handler handler, which is not in the package"},
		{"handler for macOS", input(custom().with(app{"handler": "\xcf\xfa\xed\xfe...."}), "custom"), "handler is built for macOS"},
		{"handler script missing", input(custom().with(app{"host.json": `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"node","defaultWorkerPath":"server.js"}}}`}), "custom"), "runs server.js as defaultWorkerPath"},
		{"handler without functions", input(custom().without("Hello/function.json"), "custom"), "list routes under customHandler.http"},
		{"all functions bad", input(app{"host.json": hostJSON, "A/function.json": "{", "B/function.json": cosmosFn, "B/index.js": ""}, "node"),
			"no function of the package can run. A: A/function.json is not valid JSON: line 1, column 2: it ends too early, a closing bracket or quote is missing. B: this release of Nightshift has no trigger of type cosmosDBTrigger"},
		{"worker config broken", input(dotnet().with(app{"worker.config.json": `{"description": {}}`}), "dotnet-isolated"), "description.language is missing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report, err := metadata.Read(c.in)
			code := azfunc.CodeOf(err)
			if err == nil || !strings.Contains(err.Error(), c.want) || (code != azfunc.Invalid && code != azfunc.Unsupported) {
				t.Errorf("want a refusal with %q\ngot %s: %v, %+v", c.want, code, err, report.Lines())
			}
		})
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		in       metadata.Input
		model    metadata.Model
		runs     string // names of the functions that run
		indexed  bool
		warnings []string // parts, one each
	}{
		{"node v4", input(nodeV4(), "node"), metadata.NodeV4, "", true, nil},
		{"node v4 upper case", input(nodeV4(), " Node "), metadata.NodeV4, "", true, nil},
		{"node v4 inferred", input(nodeV4(), ""), metadata.NodeV4, "", true, []string{"FUNCTIONS_WORKER_RUNTIME is missing; the content looks like node"}},
		{"node v4 bundled", input(nodeV4().with(app{"package.json": `{"main": "./src/functions/{hello,other}.js", "dependencies": {"lodash": "4"}}`}), "node"), metadata.NodeV4, "", true, []string{"depends on lodash"}},
		{"node v4 with modules", input(nodeV4().with(app{"package.json": `{"main": "src", "dependencies": {"lodash": "4"}}`, "node_modules/lodash/package.json": "{}", "src/functions/hello.js": "require('lodash')"}), "node"), metadata.NodeV4, "", true, nil},
		{"node v4 and function.json", input(nodeV4().with(app{"Old/function.json": httpFn}), "node"), metadata.NodeV4, "", true, []string{"Old/function.json are ignored"}},
		{"node v3", input(nodeV3(), "node"), metadata.NodeV3, "Hello Tick", false, nil},
		{"node v3 with npm init's main", input(nodeV3().with(app{"package.json": `{"main": "index.js"}`}), "node"), metadata.NodeV3, "Hello Tick", false, nil},
		{"node v3 script above", input(nodeV3().with(app{"Hello/function.json": strings.Replace(httpFn, "{", `{"scriptFile": "../dist/hello.js",`, 1), "dist/hello.js": ""}), "node"), metadata.NodeV3, "Hello Tick", false, nil},
		{"no host.json", input(nodeV3().without("host.json"), "node"), metadata.NodeV3, "Hello Tick", false, []string{"no host.json: the default was used"}},
		{"no host.json at the root of an app", input(nodeV4().without("host.json").with(app{"test/host.json": hostJSON}), "node"), metadata.NodeV4, "", true, []string{"no host.json"}},
		{"allow list", input(nodeV3().with(app{"host.json": `{"version":"2.0","functions":["hello","gone"]}`}), "node"), metadata.NodeV3, "Hello", false, []string{`lists "gone"`}},
		{"one unsupported", input(nodeV3().with(app{"Docs/function.json": cosmosFn, "Docs/index.js": ""}), "node"), metadata.NodeV3, "Hello Tick", false, nil},
		{"one broken", input(nodeV3().with(app{"Bad/function.json": "{", "Bad/index.js": ""}), "node"), metadata.NodeV3, "Hello Tick", false, nil},
		{"one without trigger", input(nodeV3().with(app{"Bad/function.json": `{"bindings":[]}`, "Bad/index.js": ""}), "node"), metadata.NodeV3, "Hello Tick", false, nil},
		{"one without script", input(nodeV3().without("Tick/index.js"), "node"), metadata.NodeV3, "Hello", false, nil},
		{"one excluded", input(nodeV3().with(app{"Tick/function.json": `{"excluded": true}`}), "node"), metadata.NodeV3, "Hello", false, []string{"function Tick is left out"}},
		{"one of another language", input(nodeV3().with(app{"Py/function.json": timerFn, "Py/__init__.py": ""}), "node"), metadata.NodeV3, "Hello Tick", false, nil},
		{"python v2", input(pythonV2(), "python"), metadata.PythonV2, "", true, nil},
		{"python v2 with packages", input(pythonV2().with(app{"requirements.txt": "requests>=2\nPyYAML\n", "function_app.py": "import requests, yaml", ".python_packages/lib/site-packages/requests-2.31.0.dist-info/RECORD": "",
			".python_packages/lib/site-packages/pyyaml-6.0.dist-info/RECORD": ""}), "python"), metadata.PythonV2, "", true, nil},
		{"python packages perhaps missing", input(pythonV2().with(app{"requirements.txt": "PyYAML", "function_app.py": "import yaml", ".venv/pyvenv.cfg": ""}), "python"), metadata.PythonV2, "", true, []string{".venv is a virtual environment", "asks for pyyaml"}},
		{"python v1", input(app{"host.json": hostJSON, "Hello/function.json": strings.Replace(httpFn, "{", `{"scriptFile": "__init__.py",`, 1), "Hello/__init__.py": ""}, "python"), metadata.PythonV1, "Hello", false, nil},
		{"dotnet-isolated", input(dotnet(), "dotnet-isolated"), metadata.DotnetIsolated, "Hello Tick", false, nil},
		{"dotnet-isolated own exe", input(dotnet().with(app{"worker.config.json": strings.Replace(workerCfg, `"dotnet",`, `"{WorkerRoot}MyApp.exe",`, 1), "MyApp.exe": "MZ"}), "dotnet-isolated"), metadata.DotnetIsolated, "Hello Tick", false, []string{"MyApp.exe is built for Windows"}},
		{"custom", input(custom(), "custom"), metadata.CustomHandler, "Hello", false, []string{"handler is built for Linux (x86-64)"}},
		{"custom inferred", input(custom().with(app{"package.json": `{"main": "x.js"}`}), ""), metadata.CustomHandler, "Hello", false, []string{"is missing", "Linux"}},
		{"custom for Windows", input(custom().without("handler").with(app{"handler.exe": "MZ"}), "custom"), metadata.CustomHandler, "Hello", false, []string{"handler.exe is built for Windows"}},
		{"custom script", input(custom().with(app{"handler": "#!/bin/sh"}), "custom"), metadata.CustomHandler, "Hello", false, nil},
		{"custom odd file", input(custom().with(app{"handler": "hello"}), "custom"), metadata.CustomHandler, "Hello", false, []string{"neither a program"}},
		{"custom with interpreter", input(custom().with(app{"host.json": `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"node","arguments":["server.js"]}}}`}), "custom"), metadata.CustomHandler, "Hello", false, []string{"the one of the node is used"}},
		{"custom with routes", input(custom().without("Hello/function.json").with(app{"host.json": strings.Replace(handler, `"description"`, `"http": {"routes": [{"route": "{*p}"}]}, "description"`, 1)}), "custom"), metadata.CustomHandler, "", true, []string{"Linux"}},
		{"handler not used", input(nodeV4().with(app{"host.json": handler}), "node"), metadata.NodeV4, "", true, []string{"customHandler, which is not used"}},
		{"java", input(app{"host.json": hostJSON, "Hello/function.json": strings.Replace(httpFn, "{", `{"scriptFile": "../app.jar",`, 1), "app.jar": "PK"}, "java"), metadata.FunctionJSON, "Hello", false, nil},
		{"powershell", input(app{"host.json": hostJSON, "Hello/function.json": httpFn, "Hello/run.ps1": "", "Hello/sample.dat": ""}, "powershell"), metadata.FunctionJSON, "Hello", false, nil},
		{"leftovers", input(nodeV4().with(app{"local.settings.json": "{}", "proxies.json": "{}"}), "node", "FUNCTIONS_EXTENSION_VERSION", "~3"), metadata.NodeV4, "", true, []string{"local.settings.json is in the package", "proxies.json is ignored", "asks for host version 3"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			report, err := metadata.Read(c.in)
			if err != nil {
				t.Fatal(err)
			}
			var runs []string
			for _, f := range report.Functions {
				if len(f.Problems) == 0 {
					runs = append(runs, f.Name)
				}
			}
			if got := strings.Join(runs, " "); report.Model != c.model || got != c.runs || report.Indexed != c.indexed {
				t.Errorf("model %q, runs %q, indexed %v\n%s", report.Model, got, report.Indexed, strings.Join(report.Lines(), "\n"))
			}
			if len(report.Warnings) != len(c.warnings) {
				t.Fatalf("warnings = %q, want %q", report.Warnings, c.warnings)
			}
			for i, want := range c.warnings {
				if !strings.Contains(report.Warnings[i], want) {
					t.Errorf("warning %q, want %q", report.Warnings[i], want)
				}
			}
		})
	}
}

// TestFunctionProblems breaks one of two functions; the other runs on.
func TestFunctionProblems(t *testing.T) {
	t.Parallel()
	script := func(file string) string { return strings.Replace(timerFn, "{", `{"scriptFile": "`+file+`",`, 1) }
	cases := []struct {
		name string
		bad  app
		want string
	}{
		{"script missing", app{"Tick/function.json": script("tock.js")}, "its script Tick/tock.js is not in the package"},
		{"script outside", app{"Tick/function.json": script("../../x.js")}, `its script "../../x.js" lies outside the package`},
		{"script of another runtime", app{"Tick/function.json": script("run.ps1"), "Tick/run.ps1": ""}, "its script Tick/run.ps1 is for powershell, the app's runtime is node"},
		{"script unknown", app{"Tick/function.json": timerFn, "Tick/index.js": "", "Tick/other.js": "", "Tick/function.proj": ""}, ""},
		{"script cannot be told", app{"Tick/function.json": timerFn, "Tick/a.js": "", "Tick/b.js": ""}, "its script cannot be told"},
		{"broken", app{"Tick/function.json": "{}}", "Tick/index.js": ""}, "Tick/function.json is not valid JSON: line 1, column 3"},
		{"no trigger", app{"Tick/function.json": `{"bindings": [{"type": "http", "name": "res", "direction": "out"}]}`, "Tick/index.js": ""}, "it has no trigger"},
		{"two triggers", app{"Tick/function.json": `{"bindings": [{"type": "httpTrigger", "name": "a"}, {"type": "timerTrigger", "name": "b"}]}`, "Tick/index.js": ""}, "it has 2 triggers"},
		{"trigger lacking", app{"Tick/function.json": cosmosFn, "Tick/index.js": ""}, "this release of Nightshift has no trigger of type cosmosDBTrigger"},
		{"trigger switched off", app{"Tick/function.json": strings.Replace(cosmosFn, "cosmosDBTrigger", "sqlTrigger", 1), "Tick/index.js": ""}, "no trigger of type sqlTrigger"},
		{"binding lacking", app{"Tick/function.json": `{"bindings": [{"type": "timerTrigger", "name": "a"}, {"type": "sendGrid", "name": "b", "direction": "out"}]}`, "Tick/index.js": ""}, "no binding of type sendGrid"},
		{"name", app{"1Tick/function.json": timerFn, "1Tick/index.js": ""}, `"1Tick" is not a name for a function`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			content := app{"host.json": hostJSON, "Hello/function.json": httpFn, "Hello/index.js": ""}.with(c.bad)
			report, err := metadata.Read(input(content, "node"))
			if err != nil || len(report.Functions) != 2 {
				t.Fatalf("%v, %+v", err, report)
			}
			for _, f := range report.Functions {
				got := strings.Join(f.Problems, "; ")
				if good := f.Name == "Hello" || c.want == ""; good && got != "" || !good && !strings.Contains(got, c.want) {
					t.Errorf("%s: problems %q, want %q", f.Name, got, c.want)
				}
			}
		})
	}
}

func TestReportDetails(t *testing.T) {
	t.Parallel()
	report, err := metadata.Read(input(nodeV3().with(app{"Docs/function.json": cosmosFn, "Docs/index.js": ""}), "node", "AzureWebJobs.Tick.Disabled", "true"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"Runtime: node (v20.20), programming model: node v3",
		"Function Docs does not run: this release of Nightshift has no trigger of type cosmosDBTrigger",
		"Function Hello (httpTrigger)",
		"Function Tick (timerTrigger) is disabled",
	}
	if diff := cmp.Diff(want, report.Lines()); diff != "" {
		t.Error(diff)
	}
	if got := report.Functions[1].Function; got.ScriptFile != "index.js" || got.Directory != "Hello" || !got.IsHTTP() {
		t.Errorf("function = %+v", got)
	}

	report, err = metadata.Read(input(nodeV4(), "node", "AzureFunctionsJobHost__extensions__http__routePrefix", "v1"))
	if err != nil || !slices.Equal(report.EntryFiles, []string{"src/functions/bye.js", "src/functions/hello.js"}) || report.HostJSON.HTTP.RoutePrefix != "v1" {
		t.Errorf("%v, %+v", err, report)
	}
	report, err = metadata.Read(input(custom(), "custom"))
	if err != nil || report.Platform != "linux" || !slices.Equal(report.Executables, []string{"handler"}) {
		t.Errorf("%v, %+v", err, report)
	}
}

// FuzzRead feeds any text as each of the files that Read parses: an error has a sentence for the author, and a report
// holds something to run.
func FuzzRead(f *testing.F) {
	f.Add(hostJSON, httpFn, `{"main": "src/**/*.js"}`, "[]", workerCfg, "requests", "node")
	f.Add(handler, timerFn, `{"main": "{a,b}[!c]?.js", "dependencies": {"x(": "1"}}`, `[{"name": "A", "bindings": []}]`, "{}", "a;b\n-r x", "")
	f.Add("", cosmosFn, "{", "{", "{", "", "dotnet-isolated")
	f.Fuzz(func(t *testing.T, host, function, project, list, worker, requirements, runtime string) {
		content := app{"host.json": host, "A/function.json": function, "package.json": project, "requirements.txt": requirements, "A/index.js": `require("x(")`}
		if list != "" {
			content["functions.metadata"] = list
		}
		if worker != "" {
			content["worker.config.json"] = worker
		}
		report, err := metadata.Read(input(content, runtime))
		if err != nil {
			if azfunc.CodeOf(err) == azfunc.Internal {
				t.Fatalf("no sentence for the author: %v", err)
			}
			return
		}
		runs := report.Indexed
		for _, fn := range report.Functions {
			runs = runs || len(fn.Problems) == 0
		}
		if !runs || len(report.Lines()) == 0 {
			t.Fatalf("nothing runs in %+v", report)
		}
	})
}
