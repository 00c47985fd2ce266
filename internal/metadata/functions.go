package metadata

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

// readFunctions reads the function.json of every folder at the root. One that cannot be read is a function that does
// not run, not an error, as in Azure.
func (r *reader) readFunctions() error {
	for _, name := range r.folders() {
		raw, err := r.read(path.Join(name, "function.json"))
		if err != nil {
			return err
		}
		if raw == nil {
			continue
		}
		f, err := azfunc.ParseFunctionJSON(name, raw)
		if err != nil {
			f = azfunc.Function{Name: name, Directory: name}
			r.functs = append(r.functs, FunctionReport{Name: name, Function: f, Problems: []string{err.Error()}})
			continue
		}
		if f.Excluded {
			r.warn("function %s is left out: its function.json says \"excluded\"", name)
			continue
		}
		if f.ScriptFile == "" {
			f.ScriptFile = r.defaultScript(name)
			f.Language = azfunc.RuntimeOf(f.ScriptFile)
		}
		r.functs = append(r.functs, FunctionReport{Name: name, Function: f, Problems: f.Problems()})
	}
	return nil
}

// defaultScript finds the script of a function whose function.json names none: the only other file, else one called
// as Azure's templates do. "" when it cannot be told.
func (r *reader) defaultScript(folder string) string {
	entries, err := fs.ReadDir(r.in.Content, folder)
	if err != nil {
		return ""
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && !strings.EqualFold(e.Name(), "function.json") {
			files = append(files, e.Name())
		}
	}
	if len(files) == 1 {
		return files[0]
	}
	for _, f := range files {
		stem := strings.ToLower(strings.TrimSuffix(f, path.Ext(f)))
		language := azfunc.RuntimeOf(f)
		if (stem == "run" && language != "") || (stem == "index" && language == azfunc.RuntimeNode) || f == "__init__.py" {
			return f
		}
	}
	return ""
}

// checkScripts compares the script of every function with the package and with the app's runtime.
func (r *reader) checkScripts() {
	for i := range r.functs {
		f := &r.functs[i]
		if len(f.Function.Bindings) > 0 { // else it was not read, and that is its problem already
			f.Problems = append(f.Problems, r.scriptProblems(f.Function)...)
		}
	}
}

func (r *reader) scriptProblems(f azfunc.Function) []string {
	if f.ScriptFile == "" {
		return []string{"its script cannot be told: name it as \"scriptFile\" in function.json"}
	}
	file, ok := inPackage(f.Directory, f.ScriptFile)
	if !ok {
		return []string{fmt.Sprintf("its script %q lies outside the package", f.ScriptFile)}
	}
	if !r.isFile(file) {
		return []string{fmt.Sprintf("its script %s is not in the package", file)}
	}
	if f.Language != "" && f.Language != r.report.Runtime {
		return []string{fmt.Sprintf("its script %s is for %s, the app's runtime is %s", file, f.Language, r.report.Runtime)}
	}
	return nil
}

// readModel looks at the content as its runtime would.
func (r *reader) readModel() error {
	switch {
	case r.report.Runtime == azfunc.RuntimeCustom:
		return r.readCustomHandler()
	case r.report.Runtime == azfunc.RuntimeDotnetIsolated:
		return r.readDotnet()
	case r.worker != nil && strings.EqualFold(r.worker.language, r.report.Runtime):
		return r.readOwnWorker()
	case r.report.Runtime == azfunc.RuntimeNode:
		return r.readNode()
	case r.report.Runtime == azfunc.RuntimePython:
		return r.readPython()
	}
	return r.readPlain()
}

// readPlain is for runtimes whose functions are in function.json and nowhere else.
func (r *reader) readPlain() error {
	r.report.Model = FunctionJSON
	if len(r.functs) == 0 && r.report.Runtime == azfunc.RuntimeJava && (r.isFile("pom.xml") || r.isFile("build.gradle")) {
		return invalid("the package is Java source: build it (mvn clean package) and zip what is inside target/azure-functions/<app>")
	}
	r.checkScripts()
	r.report.Functions = r.functs
	return nil
}

// readOwnWorker is for an app that brings its language worker, as apps written in Go do.
func (r *reader) readOwnWorker() error {
	r.report.Model = OwnWorker
	if err := r.worker.check(r); err != nil {
		return err
	}
	r.report.Indexed = r.worker.indexing || len(r.functs) == 0
	if !r.worker.indexing {
		r.report.Functions = r.functs
	}
	return nil
}
