// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

var update = flag.Bool("update", false, "write what is found into testdata")

// files returns the files of a folder of testdata with their texts.
func files(t testing.TB, pattern string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	require.NoError(t, err)
	require.NotEmpty(t, paths, pattern)
	texts := make(map[string]string)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		texts[path] = string(text)
	}
	return texts
}

// golden compares got with the file of that path, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// normalized returns the text of n in the form in which libvirt tells it.
func normalized(t *testing.T, n *network.Network, rules schema.Rules) string {
	t.Helper()
	n = n.Clone()
	n.Normalize(rules)
	text, err := n.Format()
	require.NoError(t, err)
	return string(text)
}

func TestValidDocuments(t *testing.T) {
	for path, text := range files(t, "valid/*.xml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			n, err := network.Parse(strings.NewReader(text))
			require.NoError(t, err)
			require.NoError(t, n.Validate())
			golden(t, filepath.Join("testdata", "normalized", filepath.Base(path)), normalized(t, n, schema.Rules{}))
		})
	}
	for path, text := range files(t, "ports/*.xml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p, err := network.ParsePort(strings.NewReader(text))
			require.NoError(t, err)
			require.NoError(t, p.Validate())
			p.Normalize()
			got, err := p.Format()
			require.NoError(t, err)
			golden(t, filepath.Join("testdata", "normalized", "ports", filepath.Base(path)), string(got))
		})
	}
}

// lineInValue matches a tab or a line end in the value of an attribute, which encoding/xml does not make a blank.
var lineInValue = regexp.MustCompile(`=\s*("[^"]*[\t\r\n]|'[^']*[\t\r\n])`)

// otherVersion matches a declaration of XML 1.1, which encoding/xml does not read.
var otherVersion = regexp.MustCompile(`^\s*<\?xml\s+version\s*=\s*["']1\.[^0]`)

// checkRoundTrip checks all laws of reading and writing on one text. It returns false if it is no document.
func checkRoundTrip(t *testing.T, text string) bool {
	n, err := network.Parse(strings.NewReader(text))
	if err != nil {
		return false
	}
	formatted, err := n.Format()
	require.NoError(t, err)
	again, err := network.Parse(bytes.NewReader(formatted))
	require.NoError(t, err, "what Format writes can be read:\n%s", formatted)
	equal(t, "Format and Parse keep everything", n, again)
	twice, err := again.Format()
	require.NoError(t, err)
	assert.Equal(t, string(formatted), string(twice), "Format is a fixed point")

	marshaled, err := xml.Marshal(n)
	require.NoError(t, err)
	again, err = network.Parse(bytes.NewReader(marshaled))
	require.NoError(t, err, "what xml.Marshal writes can be read:\n%s", marshaled)
	equal(t, "xml.Marshal and Parse keep everything", n, again)
	if !lineInValue.MatchString(text) && !otherVersion.MatchString(text) {
		var unmarshaled network.Network
		require.NoError(t, xml.Unmarshal([]byte(text), &unmarshaled))
		equal(t, "xml.Unmarshal and Parse agree", n, &unmarshaled)
	}

	clone := n.Clone()
	equal(t, "a clone is equal", n, clone)
	clone.Normalize(schema.Rules{})
	once := clone.Clone()
	clone.Normalize(schema.Rules{})
	equal(t, "Normalize is a fixed point", once, clone)
	after, err := n.Format()
	require.NoError(t, err)
	assert.Equal(t, string(formatted), string(after), "a clone shares nothing")
	return true
}

// equal compares documents, apart from how prefixes are declared in them.
func equal[T any](t *testing.T, law string, want, got T) {
	t.Helper()
	undeclared := cmp.Transformer("undeclared", func(attrs []xml.Attr) map[xml.Name]string {
		m := map[xml.Name]string{}
		for _, a := range attrs {
			if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
				m[a.Name] = a.Value
			}
		}
		return m
	})
	if diff := cmp.Diff(want, got, undeclared); diff != "" {
		t.Errorf("%s (-want +got):\n%s", law, diff)
	}
}

func TestRoundTrip(t *testing.T) {
	for path, text := range files(t, "*/*.xml") {
		t.Run(path, func(t *testing.T) {
			if strings.Contains(text, "<networkport") {
				return
			}
			require.True(t, checkRoundTrip(t, text))
		})
	}
}

func TestPortRoundTrip(t *testing.T) {
	for path, text := range files(t, "ports/*.xml") {
		t.Run(path, func(t *testing.T) {
			p, err := network.ParsePort(strings.NewReader(text))
			require.NoError(t, err)
			formatted, err := p.Format()
			require.NoError(t, err)
			again, err := network.ParsePort(bytes.NewReader(formatted))
			require.NoError(t, err)
			equal(t, "Format and Parse", p, again)
			marshaled, err := xml.Marshal(p)
			require.NoError(t, err)
			var unmarshaled network.Port
			require.NoError(t, xml.Unmarshal(marshaled, &unmarshaled))
			equal(t, "xml.Marshal and xml.Unmarshal", p, &unmarshaled)
			clone := p.Clone()
			equal(t, "Clone", p, clone)
		})
	}
}

func TestUnknownContentIsKept(t *testing.T) {
	text := files(t, "valid/everything.xml")[filepath.Join("testdata", "valid", "everything.xml")]
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, []xml.Attr{{Name: xml.Name{Space: "https://lab.example/net/1", Local: "owner"}, Value: "alice"}}, n.Attrs)
	require.Len(t, n.Nodes, 1)
	rack := n.Nodes[0]
	assert.Equal(t, xml.Name{Space: "https://lab.example/net/1", Local: "rack"}, rack.Name)
	assert.Len(t, rack.Nodes, 2, "the comment is gone")
	owner := n.Metadata.Of("https://app.example/1")
	require.NotNil(t, owner)
	assert.Len(t, owner.Nodes, 2)
	assert.Equal(t, `5 < 6 & "so"`, n.Metadata.Of("urn:note").Nodes[0].Text)
	assert.Nil(t, n.Metadata.Of("urn:nobody"))

	n, err = network.Reader{Compat: true}.Parse(strings.NewReader(text))
	require.NoError(t, err)
	assert.Empty(t, n.Attrs)
	assert.Empty(t, n.Nodes)
	assert.NotNil(t, n.Metadata.Of("https://app.example/1"), "metadata is nobody's business")
}

func TestForeignNamespaceIsNotOurs(t *testing.T) {
	n, err := network.Parse(strings.NewReader(`<network xmlns:x='urn:x'><x:name>theirs</x:name><name>ours</name><x:ip address='10.0.0.1'/></network>`))
	require.NoError(t, err)
	assert.Equal(t, "ours", n.Name)
	assert.Empty(t, n.IPs)
	assert.Len(t, n.Nodes, 2)
}

func TestLookupByLocalName(t *testing.T) {
	n, err := network.Parse(strings.NewReader(`<network xmlns:x='urn:x'><name>n</name><ip address='10.0.0.1' prefix='24'><dhcp><x:range start='10.0.0.2' end='10.0.0.9'><x:lease expiry='5'/></x:range></dhcp></ip><dns><host ip='10.0.0.1'><x:hostname>h</x:hostname></host></dns></network>`))
	require.NoError(t, err)
	require.Len(t, n.IPs[0].DHCP.Ranges, 1)
	assert.Equal(t, uint64(5), n.IPs[0].DHCP.Ranges[0].Lease.Expiry.Uint())
	assert.Equal(t, []string{"h"}, n.DNS.Hosts[0].Hostnames)
}

func TestFirstOfTwoCounts(t *testing.T) {
	const text = `<network><name>first</name><name>second</name><bridge name='a'/><bridge name='b'/><mtu/><mtu size='1300'/><mtu size='1200'/></network>`
	n, err := network.Parse(strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, "first", n.Name)
	assert.Equal(t, "a", n.Bridge.Name)
	assert.Equal(t, uint64(1300), n.MTU.Size.Uint(), "the first size of any <mtu>")
	require.True(t, checkRoundTrip(t, text))

	_, err = network.Reader{Strict: true}.Parse(strings.NewReader(text))
	var vs schema.Violations
	require.ErrorAs(t, err, &vs)
	assert.Equal(t, "/network/name[2]", vs[0].Path)
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestParseReaderFails(t *testing.T) {
	_, err := network.Parse(failing{io.ErrClosedPipe})
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	var vs schema.Violations
	assert.False(t, errors.As(err, &vs))
}

func TestBadInput(t *testing.T) {
	bomb := "<!DOCTYPE network [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><network><name>&b;</name></network>"
	tests := map[string]string{
		"empty":            "",
		"blank":            " \n",
		"not xml":          "name: default\n",
		"truncated":        "<network><name>x</name>",
		"truncated tag":    "<network><name",
		"invalid UTF-8":    "<network><name>\xff\xfe</name></network>",
		"NUL":              "<network><name>a\x00b</name></network>",
		"UTF-16":           "\xff\xfe<\x00n\x00",
		"entities":         bomb,
		"unknown entity":   "<network><name>&nope;</name></network>",
		"second root":      "<network><name>x</name></network><network/>",
		"text after root":  "<network><name>x</name></network>text",
		"wrong root":       "<domain><name>x</name></domain>",
		"root in space":    "<network xmlns='urn:x'><name>x</name></network>",
		"crossing tags":    "<network><name></network></name>",
		"attribute twice":  "<network ipv6='yes' ipv6='no'><name>x</name></network>",
		"no quotes":        "<network ipv6=yes><name>x</name></network>",
		"other encoding":   "<?xml version='1.0' encoding='latin1'?><network/>",
		"twice in unknown": "<network><name>x</name><a><b c='1' c='2'/></a></network>",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := network.Parse(strings.NewReader(text))
			var vs schema.Violations
			require.ErrorAs(t, err, &vs)
			for _, v := range vs {
				assert.NotZero(t, v.Line)
				assert.NotZero(t, v.Column)
				assert.True(t, strings.HasPrefix(v.Path, "/network"), v.Path)
				assert.NotEmpty(t, v.Msg)
			}
			if name != "second root" && name != "text after root" { // which it does not look at
				assert.Error(t, xml.Unmarshal([]byte(text), new(network.Network)), "xml.Unmarshal agrees")
			}
		})
	}
}
