// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"encoding"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// words are all enumerations of documents: for each a new value, and how a value is spelled.
var words = map[string]struct {
	value func() encoding.TextUnmarshaler
	word  func(uint8) string
}{
	"domainiface.BackendType": enum[domainiface.BackendType](),
	"domainiface.DriverName":  enum[domainiface.DriverName](),
	"domainiface.LinkState":   enum[domainiface.LinkState](),
	"domainiface.MACType":     enum[domainiface.MACType](),
	"domainiface.Proto":       enum[domainiface.Proto](),
	"domainiface.SourceMode":  enum[domainiface.SourceMode](),
	"domainiface.TeamingType": enum[domainiface.TeamingType](),
	"domainiface.TXMode":      enum[domainiface.TXMode](),
	"domainiface.Type":        enum[domainiface.Type](),
	"hostdev.AddressType":     enum[hostdev.AddressType](),
	"hostdev.DriverName":      enum[hostdev.DriverName](),
	"network.Command":         enum[network.Command](),
	"network.EventKind":       enum[network.EventKind](),
	"network.Family":          enum[network.Family](),
	"network.ForwardMode":     enum[network.ForwardMode](),
	"network.InputPolicy":     enum[network.InputPolicy](),
	"network.LeaseUnit":       enum[network.LeaseUnit](),
	"network.PlugType":        enum[network.PlugType](),
	"network.PortProto":       enum[network.PortProto](),
	"network.Section":         enum[network.Section](),
	"schema.MACTableManager":  enum[schema.MACTableManager](),
	"schema.MacvtapMode":      enum[schema.MacvtapMode](),
	"schema.OnOff":            enum[schema.OnOff](),
	"schema.YesNo":            enum[schema.YesNo](),
	"virtualport.NativeMode":  enum[virtualport.NativeMode](),
	"virtualport.Type":        enum[virtualport.Type](),
}

// enum returns the entry of an enumeration.
func enum[T interface {
	~uint8
	fmt.Stringer
}, P interface {
	*T
	encoding.TextUnmarshaler
}]() (e struct {
	value func() encoding.TextUnmarshaler
	word  func(uint8) string
}) {
	e.value = func() encoding.TextUnmarshaler { return P(new(T)) }
	e.word = func(n uint8) string { return T(n).String() }
	return e
}

// TestEveryEnumIsTested looks for the types that are read from words.
func TestEveryEnumIsTested(t *testing.T) {
	var found []string
	for _, pkg := range packages {
		files, err := filepath.Glob(root + pkg + "/*.go")
		require.NoError(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			require.NoError(t, err)
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "UnmarshalText" && calls(f, "UnmarshalWord") {
					found = append(found, path.Base(pkg)+"."+f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name)
				}
			}
		}
	}
	slices.Sort(found)
	var tested []string
	for name := range words {
		tested = append(tested, name)
	}
	slices.Sort(tested)
	assert.Equal(t, found, tested)
}

func calls(f *ast.FuncDecl, name string) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			found = found || n.Sel.Name == name
		case *ast.Ident:
			found = found || n.Name == name
		}
		return true
	})
	return found
}

// TestEveryWordIsSuggested misspells each word of each enumeration, and wants the word itself suggested.
func TestEveryWordIsSuggested(t *testing.T) {
	for name, e := range words {
		t.Run(name, func(t *testing.T) {
			n := uint8(1)
			for ; e.word(n) != "invalid"; n++ {
				word := e.word(n)
				require.NoError(t, e.value().UnmarshalText([]byte(word)))
				misspelled := []string{" " + word, word + " ", strings.ToUpper(word), strings.ToUpper(word[:1]) + word[1:]}
				if len(word) > 4 {
					misspelled = append(misspelled, word+word[len(word)-1:])
					if begin := word[:len(word)-1]; !ambiguous(e.word, begin) {
						misspelled = append(misspelled, begin)
					}
				}
				for _, text := range misspelled {
					if text == word || isWord(e.word, text) {
						continue
					}
					err := e.value().UnmarshalText([]byte(text))
					var syntax *schema.SyntaxError
					require.True(t, errors.As(err, &syntax), "%q is not %q", text, word)
					assert.Equal(t, word, syntax.Hint, "for %q", text)
					assert.Contains(t, err.Error(), fmt.Sprintf("(did you mean %q?)", word))
					assert.Contains(t, err.Error(), syntax.Want)
				}
			}
			assert.Greater(t, n, uint8(1))
			var syntax *schema.SyntaxError
			require.True(t, errors.As(e.value().UnmarshalText([]byte("xylophone-quartet")), &syntax))
			assert.Empty(t, syntax.Hint, "nothing is near")
		})
	}
}

// ambiguous reports whether several words have the beginning.
func ambiguous(word func(uint8) string, begin string) bool {
	count := 0
	for n := uint8(1); word(n) != "invalid"; n++ {
		if strings.HasPrefix(word(n), begin) {
			count++
		}
	}
	return count > 1
}

func isWord(word func(uint8) string, text string) bool {
	for n := uint8(1); word(n) != "invalid"; n++ {
		if word(n) == text {
			return true
		}
	}
	return false
}

// TestSuggestions has the near misses of documents, and the words that others have for the same.
func TestSuggestions(t *testing.T) {
	for _, c := range []struct{ doc, path, hint string }{
		{"<network><name>x</name><forward mode='passthru'/></network>", "/network/forward/@mode", "passthrough"},
		{"<network><name>x</name><forward mode='veb'/></network>", "/network/forward/@mode", "bridge"},
		{"<network><name>x</name><forward mode='PEPA'/></network>", "/network/forward/@mode", "private"},
		{"<network ipv6='Yes'><name>x</name></network>", "/network/@ipv6", "yes"},
		{"<network ipv6='true'><name>x</name></network>", "/network/@ipv6", "yes"},
		{"<network><name>x</name><bridge stp='false'/></network>", "/network/bridge/@stp", "off"},
		{"<network><name>x</name><virtualport type='ovs'/></network>", "/network/virtualport/@type", "openvswitch"},
		{"<network><name>x</name><virtualport type='802.1qbg'/></network>", "/network/virtualport/@type", "802.1Qbg"},
		{"<interface type='direct'><source dev='eth0' mode='veb'/></interface>", "/interface/source/@mode", "bridge"},
		{"<interface type='direct'><source dev='eth0' mode='passthru'/></interface>", "/interface/source/@mode", "passthrough"},
		{"<interface type='netwrok'/>", "/interface/@type", "network"},
		{"<interface type='user'><link state='Up'/></interface>", "/interface/link/@state", "up"},
	} {
		file := "network"
		if strings.HasPrefix(c.doc, "<interface") {
			file = "domainiface"
		}
		vs, _ := sample{file, c.doc}.violations(how{})
		at := slices.IndexFunc(vs, func(v *schema.Violation) bool { return v.Path == c.path })
		if assert.GreaterOrEqual(t, at, 0, "%s: %v", c.doc, vs) {
			assert.Contains(t, vs[at].Msg, fmt.Sprintf("(did you mean %q?)", c.hint), c.doc)
		}
	}
}
