// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A case in testdata/rules is a document followed by what is found in it: in the default mode, in Compat mode and,
// where it is not the same as in the default mode, in strict mode, on QEMU and on the host aHost. The name of its file begins with
// that of the rule it is for.
const (
	defaultLine = "-- default --\n"
	compatLine  = "-- compat --\n"
	strictLine  = "-- strict --\n"
	qemuLine    = "-- qemu --\n"
	hostLine    = "-- host --\n"
)

// found returns all violations of the document, one a line.
func found(text string, how domainiface.Reader, on domainiface.Hypervisor, rules schema.Rules) string {
	i, err := how.Parse(strings.NewReader(text))
	if i != nil {
		err = schema.Join(err, i.ValidateOn(on, rules))
	}
	if err == nil {
		return ""
	}
	return err.Error() + "\n"
}

// aHost has a card, a VLAN device on it, and a card that is the port of a bridge.
var aHost = &host.Facts{Links: []host.Link{
	{Name: "eth0"}, {Name: "eth0.2", Kind: "vlan", Lower: "eth0", VLAN: 2}, {Name: "eth1", Master: "br0"},
}}

// foundOn returns all violations that show only on the host, one a line.
func foundOn(text string, f *host.Facts) string {
	i, _ := domainiface.Reader{}.Parse(strings.NewReader(text))
	if i == nil {
		return ""
	}
	if err := i.ValidateHost(f, schema.Rules{}); err != nil {
		return err.Error() + "\n"
	}
	return ""
}

func TestRules(t *testing.T) {
	for path, text := range files(t, "rules/*.txt") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			doc, _, _ := strings.Cut(text, defaultLine)
			anywhere := domainiface.Hypervisor{}
			def := found(doc, domainiface.Reader{}, anywhere, schema.Rules{})
			got := doc + defaultLine + def +
				compatLine + found(doc, domainiface.Reader{Compat: true}, anywhere, schema.Rules{Compat: true})
			if strict := found(doc, domainiface.Reader{Strict: true}, anywhere, schema.Rules{}); strict != def {
				got += strictLine + strict
			}
			if qemu := found(doc, domainiface.Reader{}, domainiface.QEMU(), schema.Rules{}); qemu != def {
				got += qemuLine + qemu
			}
			if host := foundOn(doc, aHost); host != "" {
				got += hostLine + host
			}
			golden(t, path, got)
		})
	}
}

// elsewhere are the rules whose failing case is no file, with where it is instead.
var elsewhere = map[string]string{"guest-alias": "TestValidateGuest", "guest-boot": "TestValidateGuest"}

// attachRule is what the names of rules about an interface and its network begin with; their cases are in testdata/explain.
const attachRule = "attach-"

func TestEveryRuleHasAFailingCase(t *testing.T) {
	var cases strings.Builder
	for path, text := range files(t, "rules/*.txt") {
		_, violations, ok := strings.Cut(text, defaultLine)
		require.True(t, ok, path)
		cases.WriteString(violations)
	}
	rules := map[string]bool{}
	collectRules(t, ".", rules, rules)
	require.Greater(t, len(rules), 50)
	for rule := range rules {
		if elsewhere[rule] == "" && !strings.HasPrefix(rule, attachRule) && !strings.Contains(cases.String(), "["+rule+"]\n") {
			t.Errorf("no case in testdata/rules breaks the rule %s", rule)
		}
	}
}

func TestEveryCaseBreaksItsRule(t *testing.T) {
	for path, text := range files(t, "rules/*.txt") {
		_, violations, _ := strings.Cut(text, defaultLine)
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		hit := false
		for line := range strings.Lines(violations) {
			rule := strings.TrimSuffix(line[strings.LastIndexByte(line, '[')+1:], "]\n")
			hit = hit || rule != "" && strings.HasPrefix(name, rule)
		}
		assert.True(t, hit, "%s breaks no rule whose name it begins with", path)
	}
}

// TestDeviationsCanBeLeftOut checks that each rule that libvirt does not have is left out by its name and by Compat.
func TestDeviationsCanBeLeftOut(t *testing.T) {
	deviations := map[string]bool{}
	collectRules(t, ".", nil, deviations)
	require.Greater(t, len(deviations), 15)
	for path, text := range files(t, "rules/*.txt") {
		doc, violations, _ := strings.Cut(text, defaultLine)
		def, rest, _ := strings.Cut(violations, compatLine)
		for name := range deviations {
			tag := "[" + name + "]\n"
			compat, _, _ := strings.Cut(rest, "-- ")
			assert.NotContains(t, compat, tag, path)
			if strings.Contains(def, tag) {
				allow := schema.Rules{Allow: []schema.Deviation{schema.Deviation(name)}}
				assert.NotContains(t, found(doc, domainiface.Reader{}, domainiface.Hypervisor{}, allow), tag, path)
			}
		}
	}
}

// collectRules adds the names of the rules in the package of dir: the second argument of each call of Rule and the
// kinds of syntax errors to rules, which may be nil, and the constants of type Deviation to deviations.
func collectRules(t *testing.T, dir string, rules, deviations map[string]bool) {
	if rules == nil {
		rules = map[string]bool{}
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Rule" && len(n.Args) > 1 {
					rules[literal(t, n.Args[1])] = true
				}
			case *ast.ValueSpec:
				if sel, ok := n.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Deviation" && refuses(n) {
					deviations[literal(t, n.Values[0])] = true
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Kind" {
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
