package archrules_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nightshift-functions/nightshift/"

type rule struct {
	from string   // package or tree of packages
	not  []string // packages or trees it may not import: of this module, or full paths
	why  string
}

// siblings of the manager meet in manager/server and nowhere else.
func siblings() []string {
	return []string{"manager/management", "manager/publish", "manager/rollout", "manager/gateway", "manager/hostapi"}
}

func rules() []rule {
	roles := []string{"manager", "worker", "drivers", "jobspecs", "portal"}
	all := []rule{
		{"internal", roles, "shared packages know no role"},
		{"drivers", []string{"manager", "worker", "jobspecs", "portal", "internal/store", "internal/scheduler"}, "drivers are pure translation"},
		{"jobspecs", []string{"manager", "worker", "portal", "internal/store", "internal/scheduler"}, "jobspecs are pure translation"},
		{"worker", []string{"manager", "internal/store", "internal/scheduler", "internal/discovery", "drivers", "jobspecs", "portal"}, "a worker holds no control-plane right"},
		{"manager", []string{"worker"}, "roles talk over HTTP"},
		{"manager/identity", siblings(), "identity is below the roles"},
		{"manager/gateway", []string{"internal/store"}, "the hot path never asks the database"},
	}
	for _, from := range siblings() {
		others := slices.DeleteFunc(siblings(), func(s string) bool { return s == from })
		all = append(all, rule{from, append(others, "manager/server", "manager/command"), "siblings meet only in manager/server"})
	}
	return all
}

// borders says which packages may import a third party's package.
func borders() map[string][]string {
	return map[string][]string{
		"github.com/hashicorp/nomad/api":  {"internal/scheduler", "jobspecs", "drivers"},
		"github.com/hashicorp/consul/api": {"internal/discovery", "internal/lease"},
		"database/sql":                    {"internal/store"},
		"github.com/go-chi/chi/v5":        {"internal/httpserver", "manager"},
		"github.com/rs/zerolog/log":       {},
		"log":                             {"internal/httpserver"}, // net/http's ErrorLog is one
	}
}

type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		all = append(all, p)
	}
}

func within(path, tree string) bool { return path == tree || strings.HasPrefix(path, tree+"/") }

func violations(all []pkg) []string {
	var found []string
	for _, p := range all {
		for _, imp := range p.Imports {
			found = append(found, broken(p.ImportPath, imp)...)
		}
	}
	return found
}

func broken(from, imp string) []string {
	var found []string
	local := strings.TrimPrefix(imp, module)
	for _, r := range rules() {
		if within(from, r.from) && slices.ContainsFunc(r.not, func(n string) bool { return within(local, n) }) {
			found = append(found, fmt.Sprintf("%s imports %s: %s", from, local, r.why))
		}
	}
	for third, allowed := range borders() {
		ok := slices.ContainsFunc(allowed, func(a string) bool { return within(from, a) })
		if imp == third && !ok {
			found = append(found, fmt.Sprintf("%s imports %s: only %v may", from, imp, allowed))
		}
	}
	if strings.HasPrefix(imp, "github.com/hashicorp/nomad/") && !strings.HasPrefix(imp, "github.com/hashicorp/nomad/api") {
		found = append(found, fmt.Sprintf("%s imports %s: only nomad/api has a licence that we may use", from, imp))
	}
	return found
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	for _, v := range violations(packages(t)) {
		t.Error(v)
	}
}

// TestRulesCatch proves that the rules can fail at all.
func TestRulesCatch(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"worker/host", module + "internal/store"},
		{"manager/gateway", module + "manager/rollout"},
		{"manager/rollout", "database/sql"},
		{"internal/azfunc", module + "manager/identity"},
		{"manager/server", "github.com/hashicorp/nomad/api"},
		{"internal/scheduler/nomad", "github.com/hashicorp/nomad/client"},
	} {
		if len(broken(c[0], c[1])) == 0 {
			t.Errorf("%s may import %s", c[0], c[1])
		}
	}
}

// TestRulesNameWhatExists keeps the rules from going stale: a package that a rule starts from must exist.
func TestRulesNameWhatExists(t *testing.T) {
	t.Parallel()
	all := packages(t)
	for _, r := range rules() {
		if !slices.ContainsFunc(all, func(p pkg) bool { return within(p.ImportPath, r.from) }) {
			t.Errorf("a rule names %s, which does not exist", r.from)
		}
	}
}

func TestPureVocabulary(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if p.ImportPath != "internal/azfunc" {
			continue
		}
		for _, imp := range p.Imports {
			if strings.Contains(strings.Split(imp, "/")[0], ".") {
				t.Errorf("internal/azfunc imports %s: the vocabulary needs only the standard library", imp)
			}
		}
	}
}
