// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is where the packages are.
const root = "../../"

// packages are those that have rules, in the order of the pages.
var packages = []string{"network", "domainiface", "virtualport", "qos", "hostdev", "network/schema", "internal/xmldoc"}

// A rule is one that documents are held to, as the source has it.
type rule struct {
	pkg   string // path of the package
	name  string // bridge-delay
	konst string // BridgeDelay, of a deviation
	doc   string // of a deviation, what it refuses and why; else what is said about a document that breaks it
}

// deviation reports whether libvirt does not have the rule.
func (r rule) deviation() bool { return r.konst != "" }

// ident returns the name of the constant with that of its package.
func (r rule) ident() string { return path.Base(r.pkg) + "." + r.konst }

// sourceRules returns all rules of the source, each once a package, in the order of their names.
func sourceRules(t *testing.T) []rule {
	t.Helper()
	var all []rule
	for _, pkg := range packages {
		seen := map[string]bool{}
		var rules []rule
		for _, r := range packageRules(t, pkg) {
			if !seen[r.name] {
				rules = append(rules, r)
			}
			seen[r.name] = true
		}
		slices.SortFunc(rules, func(a, b rule) int { return strings.Compare(a.name, b.name) })
		all = append(all, rules...)
	}
	return all
}

// packageRules returns the rules of one package: the constants of type Deviation, the names given to Check.Rule with what
// they say, the kinds of syntax errors, and the constants for what no document may have.
func packageRules(t *testing.T, pkg string) []rule {
	t.Helper()
	names, err := fs.Glob(os.DirFS(root+pkg), "*.go")
	require.NoError(t, err)
	var rules []rule
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path.Join(root, pkg, name), nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Rule" && len(n.Args) > 3 {
					rules = append(rules, rule{pkg: pkg, name: literal(n.Args[1]), doc: literal(n.Args[3])})
				}
			case *ast.ValueSpec:
				sel, ok := n.Type.(*ast.SelectorExpr)
				switch {
				case ok && sel.Sel.Name == "Deviation":
					rules = append(rules, rule{pkg, literal(n.Values[0]), n.Names[0].Name, sentence(n.Doc)})
				case pkg == "internal/xmldoc" && strings.HasPrefix(n.Names[0].Name, "rule") && len(n.Values) == 1:
					rules = append(rules, rule{pkg: pkg, name: literal(n.Values[0]), doc: sentence(n.Comment)})
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Kind" {
					if kind := literal(n.Value); kind != "" {
						rules = append(rules, rule{pkg: pkg, name: kind + "-syntax", doc: "a value that cannot be read as its kind"})
					}
				}
			}
			return true
		})
	}
	return rules
}

// literal returns the text of a string literal, "" for anything else.
func literal(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		text, err := strconv.Unquote(lit.Value)
		if err == nil {
			return text
		}
	}
	return ""
}

// sentence returns a comment on one line, without the links of Go.
func sentence(c *ast.CommentGroup) string {
	return strings.NewReplacer("\n", " ", "[", "", "]", "").Replace(strings.TrimSpace(c.Text()))
}
