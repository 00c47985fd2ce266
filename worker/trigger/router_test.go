package trigger_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nightshift-functions/nightshift/internal/azfunc"
	"github.com/nightshift-functions/nightshift/worker/trigger"
)

func router(t testing.TB, prefix string, templates ...string) *trigger.Router[string] {
	t.Helper()
	var routes []trigger.Route[string]
	for _, text := range templates {
		methods, template, ok := strings.Cut(text, " ")
		if !ok {
			methods, template = "", text
		}
		r := trigger.Route[string]{Template: template, Target: text}
		if methods != "" {
			r.Methods = strings.Split(methods, ",")
		}
		routes = append(routes, r)
	}
	r, err := trigger.NewRouter(prefix, routes)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		template, path string
		want           string // parameters as k=v, joined by spaces; "no" for no match
	}{
		{"hello", "/api/hello", ""},
		{"hello", "/api/HELLO/", ""},
		{"hello", "/API/hello", ""},
		{"hello", "/hello", "no"},
		{"hello", "/api/hello/more", "no"},
		{"hello/{id}", "/api/hello/1", "id=1"},
		{"hello/{id}", "/api/hello", "no"},
		{"hello/{id?}", "/api/hello", ""},
		{"hello/{id:int}", "/api/hello/12", "id=12"},
		{"hello/{id:int}", "/api/hello/x", "no"},
		{"hello/{id:int?}", "/api/hello", ""},
		{"hello/{id:int?}", "/api/hello/x", "no"},
		{"hello/{id=7}", "/api/hello", "id=7"},
		{"hello/{id:int=7}", "/api/hello", "id=7"},
		{"hello/{id:int:min(10)}", "/api/hello/9", "no"},
		{"hello/{id:int:min(10)}", "/api/hello/10", "id=10"},
		{"hello/{id:range(1,3)}", "/api/hello/3", "id=3"},
		{"hello/{id:range(1,3)}", "/api/hello/4", "no"},
		{"hello/{n:alpha}", "/api/hello/abc", "n=abc"},
		{"hello/{n:alpha}", "/api/hello/ab1", "no"},
		{"hello/{n:length(3)}", "/api/hello/äöü", "n=äöü"},
		{"hello/{n:length(2,3)}", "/api/hello/a", "no"},
		{"hello/{n:maxlength(2)}", "/api/hello/abc", "no"},
		{"hello/{n:guid}", "/api/hello/7c9e6679-7425-40de-944b-e07fc1f90ae7", "n=7c9e6679-7425-40de-944b-e07fc1f90ae7"},
		{"hello/{n:guid}", "/api/hello/7", "no"},
		{"hello/{n:bool}", "/api/hello/True", "n=True"},
		{"hello/{n:decimal}", "/api/hello/1.5", "n=1.5"},
		{"hello/{n:datetime}", "/api/hello/2026-03-01", "n=2026-03-01"},
		{"hello/{n:datetime}", "/api/hello/yesterday", "no"},
		{"hello/{n:regex(^[a-c]{{2}}$)}", "/api/hello/ab", "n=ab"},
		{"hello/{n:regex(^[a-c]{{2}}$)}", "/api/hello/abc", "no"},
		{"hello/{n:regex(^\\d+:\\d$)}", "/api/hello/12:3", "n=12:3"},
		{"files/{*path}", "/api/files/a/b%2Fc/d", "path=a/b/c/d"},
		{"files/{*path}", "/api/files", ""},
		{"files/{**path}", "/api/files/a", "path=a"},
		{"files/{name}.{ext}", "/api/files/a.b.txt", "ext=txt name=a.b"},
		{"files/{name}.{ext?}", "/api/files/a", "name=a"},
		{"v{major:int}-{minor:int}", "/api/v1-2", "major=1 minor=2"},
		{"hello/{n}", "/api/hello/a%20b%2Fc", "n=a b/c"},
		{"hello/{n}", "/api/hello/%zz", "no"},
		{"{*any}", "/api/x/y", "any=x/y"},
		{"{*any}", "/api", ""},
	} {
		t.Run(c.template+" "+c.path, func(t *testing.T) {
			t.Parallel()
			_, params, ok := router(t, "api", c.template).Match("GET", c.path)
			got := "no"
			if ok {
				var list []string
				for _, k := range slices.Sorted(maps.Keys(params)) {
					list = append(list, k+"="+params[k])
				}
				got = strings.Join(list, " ")
			}
			if got != c.want {
				t.Errorf("want %q, got %q", c.want, got)
			}
		})
	}
}

func TestPrecedenceAndMethods(t *testing.T) {
	t.Parallel()
	r := router(t, "", "{*rest}", "orders/{id}", "orders/{id:int}", "orders/new", "orders/{id:int}/lines", "GET,post items", "delete items", "{a}/{b}/{c}")
	for request, want := range map[string]string{
		"GET /orders/new":      "orders/new",
		"GET /orders/7":        "orders/{id:int}",
		"GET /orders/x":        "orders/{id}",
		"GET /orders/7/lines":  "orders/{id:int}/lines",
		"GET /orders/x/lines":  "{a}/{b}/{c}",
		"GET /items":           "GET,post items",
		"POST /items":          "GET,post items",
		"DELETE /items":        "delete items",
		"PUT /items":           "{*rest}",
		"GET /anything/at/all": "{a}/{b}/{c}",
		"GET /":                "{*rest}",
	} {
		method, path, _ := strings.Cut(request, " ")
		got, _, ok := r.Match(method, path)
		if !ok || got != want {
			t.Errorf("%s: want %q, got %q", request, want, got)
		}
	}
	if _, _, ok := router(t, "api", "POST hello").Match("GET", "/api/hello"); ok {
		t.Error("a wrong method matched")
	}
}

func TestCheckTemplate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		prefix, route string
		ok            bool
	}{
		{"api", "admin/x", true}, {"", "admin/x", false}, {"", "Runtime", false}, {"", "administrator", true}, {"", "{x}", true},
		{"api", "a/{b", false}, {"api", "a/{}", false}, {"api", "a/{b}{c}", false}, {"api", "{*a}/b", false}, {"api", "{a}/{A}", false},
		{"api", "{a:nonsense}", false}, {"api", "{a:min(x)}", false}, {"api", "{a:regex([)}", false}, {"api", "a//b", false}, {"api", "a}b", false}, {"api", "", true},
	} {
		err := trigger.CheckTemplate(c.prefix, c.route)
		if (err == nil) != c.ok {
			t.Errorf("%q %q: %v", c.prefix, c.route, err)
		}
		if err != nil && azfunc.CodeOf(err) != azfunc.Invalid {
			t.Errorf("%q: code %s", c.route, azfunc.CodeOf(err))
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("hello/{id:int?}", "/api/hello/7")
	f.Add("files/{name}.{ext?}", "/api/files/a.b")
	f.Add("{*any}", "/api//%2f/..")
	f.Add("{a:regex(^x{{1}}$)=1}", "/api/x")
	f.Fuzz(func(t *testing.T, template, path string) {
		if trigger.CheckTemplate("api", template) != nil {
			return
		}
		r, err := trigger.NewRouter("api", []trigger.Route[int]{{Template: template, Target: 1}})
		if err != nil {
			t.Fatalf("CheckTemplate accepted what NewRouter refuses: %v", err)
		}
		_, one, ok := r.Match("GET", path)
		_, two, again := r.Match("GET", path)
		if ok != again || !cmp.Equal(one, two) {
			t.Errorf("%v %v", one, two)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	r := router(b, "api", "one", "two", "three/{id:int}", "four/{*rest}", "hello/{name?}")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := r.Match("GET", "/api/hello/me"); !ok {
			b.Fatal("no match")
		}
	}
}
