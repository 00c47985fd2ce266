package store_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The statements keep to the words that SQLite and SQL Server 2016 share. What differs is in Dialect alone.
func TestStatementsArePortable(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`(?i)\b(LIMIT|RETURNING|MERGE|ON CONFLICT|INSERT OR|REPLACE INTO|IFNULL|COALESCE|strftime|datetime|NULL|TOP|ROWID|LIKE|GLOB)\b|\|\||\+=|\?|::|"`)
	statement := regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE|WHERE|AND|ORDER)\b`)
	count := 0
	for file, f := range sources(t) {
		ast.Inspect(f, func(n ast.Node) bool {
			text, ok := literal(n)
			if !ok || !statement.MatchString(text) {
				return true
			}
			count++
			if word := forbidden.FindString(text); word != "" {
				t.Errorf("%s: %q is not in both dialects: %s", file, word, text)
			}
			return true
		})
	}
	if count < 100 {
		t.Errorf("only %d statements were looked at: the test misses them", count)
	}
}

func literal(n ast.Node) (string, bool) {
	lit, ok := n.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	parsed := map[string]*ast.File{}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		if parsed[f.Name()], err = parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	return parsed
}
