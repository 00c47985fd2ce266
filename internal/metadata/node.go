package metadata

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// packageJSON is what matters of an app's package.json.
type packageJSON struct {
	main         string
	dependencies []string // names, in order
	library      string   // the version asked of @azure/functions
}

// readProject reads package.json. Azure goes on without one that it cannot read and then finds no function; here it is
// refused, because the author can still repair it.
func (r *reader) readProject() error {
	const name = "package.json"
	props, err := r.object(name)
	if props == nil || err != nil {
		return err
	}
	if main, ok := props.Get("main"); ok {
		r.project.main, _ = main.(string) // anything else does not count, as in Azure
	}
	dependencies, err := props.Section("dependencies")
	if err != nil {
		return invalid("%s: %w", name, err)
	}
	r.project.dependencies = dependencies.Keys()
	r.project.library, _ = dependencies.Text("@azure/functions", "")
	return nil
}

// readNode looks at an app as the language worker for Node does: "main" registers functions, function.json lists them
// in the older model, and both in one app means that function.json is ignored.
func (r *reader) readNode() error {
	r.report.Model = NodeV4
	r.report.EntryFiles = r.matchMain()
	if err := r.checkModules(); err != nil {
		return err
	}
	if len(r.functs) == 0 {
		r.report.Indexed = true
		return r.checkMain()
	}
	if len(r.report.EntryFiles) > 0 && !r.asksForV3() {
		r.report.Indexed = true
		r.warn("the functions in %s are ignored: package.json has a main that registers functions, and one app follows one model", r.functionFolders())
		return nil
	}
	if r.project.main != "" && len(r.report.EntryFiles) == 0 && !r.asksForV3() {
		r.warn("package.json has \"main\": %q, but no file of the package matches it; the functions in %s are used", r.project.main, r.functionFolders())
	}
	r.report.Model, r.report.EntryFiles = NodeV3, nil
	r.checkScripts()
	r.report.Functions = r.functs
	return nil
}

// asksForV3 tells for an app that has both a main and function.json which it means: the older model is the default of
// an app that does not ask for version 4 of the library.
func (r *reader) asksForV3() bool {
	major, _, _ := strings.Cut(strings.TrimLeft(r.project.library, "^~>=v "), ".")
	return major == "" || major == "1" || major == "2" || major == "3"
}

func (r *reader) functionFolders() string {
	names := make([]string, len(r.functs))
	for i, f := range r.functs {
		names[i] = f.Name + "/function.json"
	}
	return some(names, ", ")
}

func (r *reader) checkMain() error {
	switch {
	case len(r.report.EntryFiles) > 0:
		return nil
	case !r.isFile("package.json"):
		return invalid("the package has no function: there is no package.json with a \"main\" and no folder with a function.json; publish the app's own folder")
	case r.project.main == "":
		return invalid("package.json has no \"main\" and no folder has a function.json, so there is no function: name the file that registers the functions, for instance \"main\": \"src/functions/*.js\"")
	case r.isFile("tsconfig.json") || r.hasTypeScript():
		return invalid("package.json has \"main\": %q, but no file of the package matches it: build the TypeScript first (npm run build) and zip its output too", r.project.main)
	}
	return invalid("package.json has \"main\": %q, but no file of the package matches it: correct the path, or put the files into the zip", r.project.main)
}

func (r *reader) hasTypeScript() bool {
	found := false
	r.walk("", func(file string, _ fs.DirEntry) bool {
		found = strings.HasSuffix(file, ".ts") && !strings.HasSuffix(file, ".d.ts")
		return !found
	})
	return found
}

// matchMain lists the files that "main" matches, in order.
func (r *reader) matchMain() []string {
	pattern := path.Clean(strings.TrimPrefix(r.project.main, "./"))
	if r.project.main == "" || !fs.ValidPath(pattern) {
		return nil
	}
	if r.isFile(pattern) {
		return []string{pattern}
	}
	if r.isFolder(pattern) {
		pattern += "/**"
	}
	match, err := compileGlob(pattern)
	if err != nil {
		return nil
	}
	var files []string
	r.walk(within(pattern), func(file string, _ fs.DirEntry) bool {
		if match.MatchString(file) {
			files = append(files, file)
		}
		return true
	})
	return files
}

// within returns "node_modules" for a pattern that leads there, so that the walk does not skip it.
func within(pattern string) string {
	first, _, _ := strings.Cut(pattern, "/")
	return first
}

// walk visits the package's files in order until visit says no. It leaves out node_modules and folders that begin
// with a dot, except the one called keep.
func (r *reader) walk(keep string, visit func(file string, d fs.DirEntry) bool) {
	_ = fs.WalkDir(r.in.Content, ".", func(file string, d fs.DirEntry, err error) error {
		name := path.Base(file)
		switch {
		case err != nil, file == ".":
			return nil //nolint:nilerr // what cannot be listed is not there for the app either
		case d.IsDir() && name != keep && (name == "node_modules" || strings.HasPrefix(name, ".")):
			return fs.SkipDir
		case d.IsDir() || visit(file, d):
			return nil
		}
		return fs.SkipAll
	})
}

// compileGlob turns the pattern language of "main" into a regular expression: * and ? stay within a folder, ** spans
// folders, {a,b} and [abc] choose.
func compileGlob(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	depth := 0
	b.WriteString("^")
	for i := 0; i < len(pattern); i++ {
		rest := pattern[i:]
		switch c := pattern[i]; {
		case strings.HasPrefix(rest, "**/"):
			b.WriteString("(?:.*/)?")
			i += 2
		case strings.HasPrefix(rest, "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '{':
			depth++
			b.WriteString("(?:")
		case c == '}' && depth > 0:
			depth--
			b.WriteString(")")
		case c == ',' && depth > 0:
			b.WriteString("|")
		case c == '[' && strings.Contains(rest, "]"):
			n := strings.IndexByte(rest, ']')
			b.WriteString("[" + strings.ReplaceAll(strings.Replace(rest[1:n], "!", "^", 1), `\`, `\\`) + "]")
			i += n
		default:
			b.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	compiled, err := regexp.Compile(b.String() + "$")
	if err != nil {
		return nil, fmt.Errorf("read pattern %q: %w", pattern, err)
	}
	return compiled, nil
}

// checkModules compares "dependencies" with node_modules. A module that is missing and that the code asks for stops
// the app; one that no code asks for does not, as in bundled apps, whose package.json lists what was bundled.
func (r *reader) checkModules() error {
	if r.isFile(".pnp.cjs") || r.isFile(".pnp.loader.mjs") {
		return nil
	}
	missing := map[string]bool{}
	for _, name := range r.project.dependencies {
		if !isBuiltIn(name) && !r.isFolder(path.Join("node_modules", name)) {
			missing[name] = true
		}
	}
	used := r.uses(nodeImport, missing, moduleName, ".js", ".mjs", ".cjs")
	if len(used) > 0 {
		return invalid("modules are missing from the package: %s; run npm ci --omit=dev and zip node_modules too, or bundle the app", some(used, ", "))
	}
	if len(missing) > 0 {
		r.warn("package.json depends on %s, which the package does not hold; that is right only if the app is bundled", some(slices.Sorted(maps.Keys(missing)), ", "))
	}
	return nil
}

// isBuiltIn reports modules that need no folder: what the platform brings and what is part of Node itself.
func isBuiltIn(name string) bool {
	return slices.Contains([]string{
		"@azure/functions", "@azure/functions-core", "assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto",
		"dgram", "dns", "domain", "events", "fs", "http", "http2", "https", "inspector", "module", "net", "os", "path", "perf_hooks", "process",
		"punycode", "querystring", "readline", "repl", "stream", "string_decoder", "timers", "tls", "tty", "url", "util", "v8", "vm", "worker_threads", "zlib",
	}, name)
}

// nodeImport finds what require, import and export load, in minified code too.
var nodeImport = regexp.MustCompile(`(?:\brequire\(\s*|\bfrom\s*|\bimport\s*\(?\s*)["']([^"'\n]+)["']`)

// moduleName is the folder of node_modules that a specifier leads to: its first step, two for a scoped module.
func moduleName(specifier string) string {
	steps := strings.SplitN(specifier, "/", 3)
	if strings.HasPrefix(specifier, "@") && len(steps) > 1 {
		return steps[0] + "/" + steps[1]
	}
	return steps[0]
}
