package archive

import (
	"strings"
	"unicode/utf8"
)

// backslashes tells how the zip separates folders. .NET Framework before 4.6.1 and old PowerShell wrote "\": when
// every separator in the zip is one, it is read as "/". A mixture has two readings, and an entry that is "a\b" to one
// program and a folder to the next is how zips escape, so it is refused.
func backslashes(headers []header) (only bool, err error) {
	back, slash := -1, -1
	for i := range headers {
		if back < 0 && strings.Contains(headers[i].name, `\`) {
			back = i
		}
		if slash < 0 && strings.Contains(headers[i].name, "/") {
			slash = i
		}
	}
	if back >= 0 && slash >= 0 {
		return false, refuse(headers[back].name, `its path has backslashes while %q has slashes; create the zip again with forward slashes (dotnet publish and Compress-Archive of PowerShell 7, or "zip -r")`, headers[slash].name)
	}
	return back >= 0, nil
}

// cleanPath returns the path without "." and empty steps; "" for the root itself. Whatever could lead out of the
// folder, or has another meaning on one of the systems that nodes run, is refused.
func cleanPath(name string) (string, error) {
	switch {
	case name == "":
		return "", refuse(name, "it has no name; create the zip again")
	case !utf8.ValidString(name):
		return "", refuse(name, "its name is not UTF-8; create the zip with a tool that writes UTF-8 names")
	case strings.HasPrefix(name, "/"):
		return "", refuse(name, "its path is absolute; paths in the zip must be relative to the app's folder")
	case len(name) >= 2 && name[1] == ':' && isLetter(name[0]):
		return "", refuse(name, "its path begins with a drive; paths in the zip must be relative to the app's folder")
	}
	var steps []string
	for step := range strings.SplitSeq(name, "/") {
		if step == "" || step == "." {
			continue
		}
		if err := checkStep(name, step); err != nil {
			return "", err
		}
		steps = append(steps, step)
	}
	if len(steps) > maxDepth {
		return "", refuse(name, "its path is deeper than %d folders", maxDepth)
	}
	return strings.Join(steps, "/"), nil
}

func checkStep(name, step string) error {
	switch {
	case step == "..":
		return refuse(name, `its path leads out of the app's folder with ".."`)
	case len(step) > maxSegmentBytes:
		return refuse(name, "a part of its path is longer than %d bytes; use shorter names", maxSegmentBytes)
	case strings.ContainsFunc(step, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return refuse(name, "its path holds a control character; rename it")
	case strings.ContainsAny(step, `<>:"|?*\`):
		return refuse(name, `its path holds one of < > : " | ? * \, which Windows nodes cannot store; rename it`)
	case strings.HasSuffix(step, ".") || strings.HasSuffix(step, " "):
		return refuse(name, "a part of its path ends with a dot or a space, which Windows nodes drop; rename it")
	case isReserved(step):
		return refuse(name, "%q is the name of a device on Windows nodes; rename it", step)
	}
	return nil
}

// isReserved reports names that Windows gives to devices, with any extension and in any case.
func isReserved(step string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(step), ".")
	base = strings.TrimRight(base, " ")
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	for _, port := range []string{"COM", "LPT"} {
		if rest, ok := strings.CutPrefix(base, port); ok && utf8.RuneCountInString(rest) == 1 && strings.Contains("0123456789¹²³", rest) {
			return true
		}
	}
	return false
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// tree remembers every path of the zip as Windows compares them, without regard to case.
type tree struct {
	files   map[string]string // upper case -> spelling
	folders map[string]string // upper case -> spelling seen first
	spelled map[string]bool   // every spelling of a folder
	limits  Limits
	twins   []string // sentences about folders that differ in case only
}

func newTree(limits Limits) *tree {
	return &tree{files: map[string]string{}, folders: map[string]string{}, spelled: map[string]bool{}, limits: limits}
}

func (t *tree) addFile(path string) error {
	key := strings.ToUpper(path)
	if other, ok := t.files[key]; ok && other == path {
		return refuse(path, "it is in the zip twice; create the zip again")
	} else if ok {
		return refuse(path, "it differs from %q in case only, which is the same file on Windows nodes; rename one", other)
	}
	if _, ok := t.folders[key]; ok {
		return refuse(path, "it is a file and a folder at once; create the zip again")
	}
	t.files[key] = path
	return t.addFolder(parent(path))
}

// addFolder takes a folder and those above it. The same folder may come any number of times.
func (t *tree) addFolder(path string) error {
	for ; path != "" && !t.spelled[path]; path = parent(path) {
		key := strings.ToUpper(path)
		if _, ok := t.files[key]; ok {
			return refuse(path, "it is a file and a folder at once; create the zip again")
		}
		if other, ok := t.folders[key]; ok {
			t.noteTwins(other, path)
		} else {
			t.folders[key] = path
		}
		t.spelled[path] = true
		if err := t.limits.checkCount(uint64(len(t.files) + len(t.spelled))); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) noteTwins(a, b string) {
	const enough = 5
	if len(t.twins) < enough {
		t.twins = append(t.twins, `the folders "`+a+`" and "`+b+`" differ in case only: they are one folder on Windows nodes and two on Linux nodes`)
	}
}

func parent(path string) string {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)]
}
