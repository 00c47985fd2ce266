package metadata

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
)

const maxConfigBytes = 4 << 20

// list reads the names at the root and tells about what does not belong there.
func (r *reader) list() error {
	entries, err := fs.ReadDir(r.in.Content, ".")
	if err != nil {
		return fmt.Errorf("read the package's top folder: %w", err)
	}
	r.files = make(map[string]bool, len(entries))
	for _, e := range entries {
		r.files[e.Name()] = e.IsDir()
	}
	for name, text := range map[string]string{
		"local.settings.json": "local.settings.json is in the package: it is not used and may hold secrets; set its values as app settings and leave it out",
		"proxies.json":        "proxies.json is ignored: Azure Functions 4.x has no proxies",
		".git":                ".git is in the package: it is not used; leave it out",
		"app_offline.htm":     "app_offline.htm is ignored: stop the app instead",
	} {
		if _, ok := r.files[name]; ok {
			r.report.Warnings = append(r.report.Warnings, text)
		}
	}
	slices.Sort(r.report.Warnings)
	return nil
}

// folders lists the root's folders that can belong to the app, in order.
func (r *reader) folders() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.files)) {
		if r.files[name] && !strings.HasPrefix(name, ".") && name != "node_modules" && name != "__MACOSX" {
			names = append(names, name)
		}
	}
	return names
}

// atRoot returns the first file at the root, in order, whose name has one of the endings.
func (r *reader) atRoot(endings ...string) string {
	for _, name := range slices.Sorted(maps.Keys(r.files)) {
		if !r.files[name] && hasEnding(name, endings) {
			return name
		}
	}
	return ""
}

func hasEnding(name string, endings []string) bool {
	return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(strings.ToLower(name), e) })
}

// read returns the content of a file of configuration; nil without an error when there is none.
func (r *reader) read(name string) ([]byte, error) {
	f, err := r.in.Content.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer f.Close() // read only
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(raw) > maxConfigBytes {
		return nil, azfunc.Errorf(azfunc.TooLarge, "%s is larger than %d MiB", name, maxConfigBytes>>20)
	}
	if raw == nil {
		raw = []byte{}
	}
	return raw, nil
}

// object returns a file of configuration that holds a JSON object; nil without an error when there is none.
func (r *reader) object(name string) (azfunc.Properties, error) {
	raw, err := r.read(name)
	if raw == nil || err != nil {
		return nil, err
	}
	return azfunc.ParseObject(name, raw)
}

func (r *reader) isFile(name string) bool {
	info, err := fs.Stat(r.in.Content, name)
	return err == nil && !info.IsDir()
}

func (r *reader) isFolder(name string) bool {
	info, err := fs.Stat(r.in.Content, name)
	return err == nil && info.IsDir()
}

// inPackage turns a path that a file of the app names into one from the root; false when it leads out.
func inPackage(folder, name string) (string, bool) {
	p := path.Join(folder, strings.ReplaceAll(name, `\`, "/"))
	return p, fs.ValidPath(p) && !path.IsAbs(name)
}

// readHostJSON finds host.json, at the root or by mistake one level down.
func (r *reader) readHostJSON() error {
	raw, err := r.read("host.json")
	if err != nil {
		return err
	}
	if raw == nil {
		if err := r.refuseZippedFolder(); err != nil {
			return err
		}
		r.warn("the package has no host.json: the default was used")
		raw = azfunc.DefaultHostJSON().Raw
	}
	if raw, err = azfunc.ApplyOverrides(raw, r.in.Settings); err != nil {
		return err
	}
	r.report.HostJSON, err = azfunc.ParseHostJSON(raw)
	return err
}

// refuseZippedFolder recognises the most frequent mistake: the folder was zipped, not what is in it.
func (r *reader) refuseZippedFolder() error {
	for _, name := range r.folders() {
		if !r.isFile(path.Join(name, "host.json")) || r.isFile("package.json") || r.isFile("functions.metadata") || r.isFile(r.pythonScript()) {
			continue
		}
		if entries, err := fs.ReadDir(r.in.Content, name); err == nil && hasProject(entries) {
			return sourceError("the package is C# source (" + name + "/ holds a project)")
		}
		return invalid("you zipped the folder, not its content: host.json is in %s/; zip what is inside %s", name, name)
	}
	return nil
}
