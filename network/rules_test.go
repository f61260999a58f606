// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A case in testdata/rules is a document followed by what is found in it: in the default mode, in Compat mode and,
// where it is not the same as in the default mode, in strict mode. The name of its file begins with that of the
// rule it is for.
const (
	defaultLine = "-- default --\n"
	compatLine  = "-- compat --\n"
	strictLine  = "-- strict --\n"
)

// found returns all violations of the document, one a line.
func found(text string, how network.Reader, rules schema.Rules) string {
	var err error
	if strings.HasPrefix(text, "<networkport") {
		var p *network.Port
		if p, err = how.ParsePort(strings.NewReader(text)); p != nil {
			err = schema.Join(err, p.ValidateAs(rules))
		}
	} else {
		var n *network.Network
		if n, err = how.Parse(strings.NewReader(text)); n != nil {
			err = schema.Join(err, n.ValidateAs(rules))
		}
	}
	if err == nil {
		return ""
	}
	return err.Error() + "\n"
}

func TestRules(t *testing.T) {
	for path, text := range files(t, "rules/*.txt") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			doc, _, _ := strings.Cut(text, defaultLine)
			def := found(doc, network.Reader{}, schema.Rules{})
			got := doc + defaultLine + def + compatLine + found(doc, network.Reader{Compat: true}, schema.Rules{Compat: true})
			if strict := found(doc, network.Reader{Strict: true}, schema.Rules{}); strict != def {
				got += strictLine + strict
			}
			golden(t, path, got)
		})
	}
}

// elsewhere are the rules whose failing case is no file, with where it is instead.
var elsewhere = map[string]string{
	"xml-size":     "internal/xmldoc: TestLimits",
	"xml-depth":    "internal/xmldoc: TestLimits",
	"value-syntax": "internal/xmldoc: TestValueWithoutRule",

	"update-defined":  "testdata/updates: TestUpdateDeviations",
	"update-host-mac": "testdata/updates: TestUpdateDeviations",
	"update-in-use":   "testdata/updates: TestUpdateDeviations",
	"update-section":  "testdata/updates: TestUpdateDeviations",
}

func TestEveryRuleHasAFailingCase(t *testing.T) {
	var cases strings.Builder
	for _, text := range files(t, "rules/*.txt") {
		_, violations, _ := strings.Cut(text, defaultLine)
		cases.WriteString(violations)
	}
	rules := map[string]bool{}
	for _, dir := range []string{".", "schema", "../qos", "../virtualport", "../hostdev", "../internal/xmldoc"} {
		collectRules(t, dir, rules)
	}
	require.Greater(t, len(rules), 100)
	for rule := range rules {
		if elsewhere[rule] == "" && !strings.Contains(cases.String(), "["+rule+"]\n") {
			t.Errorf("no case in testdata/rules breaks the rule %s", rule)
		}
	}
}

// collectRules adds the names of the rules in the package of dir: the second argument of each call of Rule, the
// constants of type Deviation, those of reading, and the kinds of syntax errors.
func collectRules(t *testing.T, dir string, rules map[string]bool) {
	paths, err := fs.Glob(os.DirFS(dir), "*.go")
	require.NoError(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, path), nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Rule" && len(n.Args) > 1 {
					rules[literal(t, n.Args[1])] = true
				}
			case *ast.ValueSpec:
				if sel, ok := n.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Deviation" && refuses(n) || strings.HasPrefix(n.Names[0].Name, "rule") && len(n.Values) == 1 {
					rules[literal(t, n.Values[0])] = true
				}
			case *ast.KeyValueExpr:
				_, named := n.Value.(*ast.BasicLit) // other kinds are not named
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Kind" && named {
					rules[literal(t, n.Value)+"-syntax"] = true
				}
			}
			return true
		})
	}
}

func literal(t *testing.T, e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	require.True(t, ok, "the name of a rule is written where the rule is")
	s, err := strconv.Unquote(lit.Value)
	require.NoError(t, err)
	return s
}

// refuses reports whether a deviation refuses documents, and does not accept them or correct what is done with them, for
// which internal/compat has the examples.
func refuses(deviation *ast.ValueSpec) bool {
	name := deviation.Names[0].Name
	doc := deviation.Doc.Text()
	return !strings.HasPrefix(doc, name+" accepts") && !strings.HasPrefix(doc, name+" corrects")
}
