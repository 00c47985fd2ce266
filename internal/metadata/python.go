package metadata

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const sitePackages = ".python_packages/lib/site-packages"

var (
	distribution = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*`)
	separators   = regexp.MustCompile(`[-_.]+`)
	pythonImport = regexp.MustCompile(`(?m)^\s*(?:import|from)\s+([A-Za-z0-9_]+)`)
)

// pythonScript is the file that registers the functions of the v2 model.
func (r *reader) pythonScript() string {
	if name := azfunc.Setting(r.in.Settings, "PYTHON_SCRIPT_FILE_NAME"); name != "" {
		return path.Base(name)
	}
	return "function_app.py"
}

// readPython looks at an app as the language worker for Python does: with the script it is v2 and function.json does
// not count, without it v1.
func (r *reader) readPython() error {
	for _, folder := range []string{".venv", "venv", "env"} {
		if r.isFile(path.Join(folder, "pyvenv.cfg")) {
			r.warn("%s is a virtual environment: it is not used; install the packages with pip install -r requirements.txt --target %s", folder, sitePackages)
		}
	}
	if err := r.checkRequirements(); err != nil {
		return err
	}
	script := r.pythonScript()
	if r.isFile(script) {
		r.report.Model, r.report.Indexed = PythonV2, true
		if len(r.functs) > 0 {
			r.warn("the functions in %s are ignored: %s registers the functions, and one app follows one model", r.functionFolders(), script)
		}
		return nil
	}
	r.report.Model = PythonV1
	if len(r.functs) == 0 {
		return invalid("the package has no function: there is no %s and no folder with a function.json; publish the app's own folder", script)
	}
	r.checkScripts()
	r.report.Functions = r.functs
	return nil
}

// checkRequirements compares requirements.txt with the packages that are in the zip. As for Node, what is missing and
// imported stops the app; the name of a package and of its module may differ, so the rest is a warning.
func (r *reader) checkRequirements() error {
	raw, err := r.read("requirements.txt")
	if err != nil {
		return err
	}
	installed := r.installedPackages()
	missing := map[string]bool{}
	for _, name := range requirements(string(raw)) {
		module := strings.ReplaceAll(name, "-", "_")
		if name != "azure-functions" && !installed[name] && !r.isFolder(module) && !r.isFile(module+".py") {
			missing[name] = true
		}
	}
	used := r.uses(pythonImport, missing, normal, ".py")
	if len(used) > 0 {
		return invalid("Python packages are missing: %s; run pip install -r requirements.txt --target %s in the app's folder and zip that folder too", some(used, ", "), sitePackages)
	}
	if len(missing) > 0 {
		r.warn("requirements.txt asks for %s, which the package does not hold; if the node does not bring it, run pip install -r requirements.txt --target %s before you zip", some(slices.Sorted(maps.Keys(missing)), ", "), sitePackages)
	}
	return nil
}

// installedPackages lists the distributions in the app's site-packages by their normalised names.
func (r *reader) installedPackages() map[string]bool {
	names := map[string]bool{}
	entries, err := fs.ReadDir(r.in.Content, sitePackages)
	if err != nil {
		return names
	}
	for _, e := range entries {
		stem, isInfo := strings.CutSuffix(e.Name(), ".dist-info")
		if isInfo {
			stem, _, _ = strings.Cut(stem, "-")
		}
		names[normal(strings.TrimSuffix(stem, ".py"))] = true
	}
	return names
}

// requirements lists the distributions that a requirements.txt names without a condition, normalised.
func requirements(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")), "#")
		found := distribution.FindString(line)
		if found == "" || strings.ContainsAny(line, ";/") || strings.HasPrefix(line, "-") {
			continue
		}
		names = append(names, normal(found))
	}
	return names
}

// normal is how packaging tools compare names: lower case, runs of -, _ and . as one hyphen.
func normal(name string) string {
	return strings.ToLower(separators.ReplaceAllString(name, "-"))
}

// How much code is searched for imports; generated bundles beyond it say nothing about missing modules.
const (
	maxCodeFile = 2 << 20
	maxCode     = 32 << 20
)

// uses tells which of the missing packages the app's own code, without node_modules, asks for: each once, with a file.
// The first group of imports is what the code writes, of which packageOf makes the name of the package.
func (r *reader) uses(imports *regexp.Regexp, missing map[string]bool, packageOf func(string) string, endings ...string) []string {
	if len(missing) == 0 {
		return nil
	}
	seen := map[string]bool{}
	var found []string
	budget := int64(maxCode)
	r.walk("", func(file string, d fs.DirEntry) bool {
		info, err := d.Info()
		if err != nil || !hasEnding(file, endings) || info.Size() > maxCodeFile {
			return true
		}
		if budget -= info.Size(); budget < 0 {
			return false
		}
		for _, m := range imports.FindAllStringSubmatch(r.code(file), -1) {
			if name := packageOf(m[1]); missing[name] && !seen[name] {
				seen[name] = true
				found = append(found, fmt.Sprintf("%s (needed by %s)", name, file))
			}
		}
		return true
	})
	slices.Sort(found)
	return found
}

// code returns a file's text, "" when it cannot be read: the language worker will say so better than a search.
func (r *reader) code(file string) string {
	f, err := r.in.Content.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close() // read only
	raw, err := io.ReadAll(io.LimitReader(f, maxCodeFile))
	if err != nil {
		return ""
	}
	return string(raw)
}
