// SPDX-License-Identifier: Apache-2.0

package domainiface_test

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

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/hostdev"
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

// parse returns the interface that text says.
func parse(t testing.TB, text string) *domainiface.Interface {
	t.Helper()
	i, err := domainiface.Parse(strings.NewReader(text))
	require.NoError(t, err)
	return i
}

// format returns the text of i.
func format(t testing.TB, i *domainiface.Interface) string {
	t.Helper()
	text, err := i.Format()
	require.NoError(t, err)
	return string(text)
}

// TestValidDocuments compares each document as it is written, and as it is told of an inactive guest by us and by
// libvirt.
func TestValidDocuments(t *testing.T) {
	for path, text := range files(t, "valid/*.xml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			i := parse(t, text)
			if !strings.HasPrefix(filepath.Base(path), "lost") {
				require.NoError(t, i.Validate())
			}
			require.NoError(t, i.ValidateAs(schema.Rules{Compat: true}))
			golden(t, filepath.Join("testdata", "formatted", filepath.Base(path)), format(t, i))
			i.Normalize(schema.Rules{})
			golden(t, filepath.Join("testdata", "normalized", filepath.Base(path)), format(t, i))

			i, err := domainiface.Reader{Compat: true}.Parse(strings.NewReader(text))
			require.NoError(t, err)
			i.Normalize(schema.Rules{Compat: true})
			golden(t, filepath.Join("testdata", "compat", filepath.Base(path)), format(t, i))
		})
	}
}

// lineInValue matches a tab or a line end in the value of an attribute, which encoding/xml does not make a blank.
var lineInValue = regexp.MustCompile(`=\s*("[^"]*[\t\r\n]|'[^']*[\t\r\n])`)

// otherVersion matches a declaration of XML 1.1, which encoding/xml does not read.
var otherVersion = regexp.MustCompile(`^\s*<\?xml\s+version\s*=\s*["']1\.[^0]`)

// checkRoundTrip checks all laws of reading and writing on one text. It returns false if it is no document.
func checkRoundTrip(t *testing.T, text string) bool {
	i, err := domainiface.Parse(strings.NewReader(text))
	if err != nil {
		return false
	}
	formatted := format(t, i)
	again, err := domainiface.Parse(strings.NewReader(formatted))
	require.NoError(t, err, "what Format writes can be read:\n%s", formatted)
	equal(t, "Format and Parse keep everything", i, again)
	assert.Equal(t, formatted, format(t, again), "Format is a fixed point")

	marshaled, err := xml.Marshal(i)
	require.NoError(t, err)
	again, err = domainiface.Parse(bytes.NewReader(marshaled))
	require.NoError(t, err, "what xml.Marshal writes can be read:\n%s", marshaled)
	equal(t, "xml.Marshal and Parse keep everything", i, again)
	if !lineInValue.MatchString(text) && !otherVersion.MatchString(text) {
		var unmarshaled domainiface.Interface
		require.NoError(t, xml.Unmarshal([]byte(text), &unmarshaled))
		equal(t, "xml.Unmarshal and Parse agree", i, &unmarshaled)
	}

	clone := i.Clone()
	equal(t, "a clone is equal", i, clone)
	clone.Normalize(schema.Rules{})
	once := clone.Clone()
	clone.Normalize(schema.Rules{})
	equal(t, "Normalize is a fixed point", once, clone)
	assert.Equal(t, formatted, format(t, i), "a clone shares nothing")
	complete, err := i.Complete(sevens{})
	require.NoError(t, err)
	assert.Equal(t, formatted, format(t, i), "Complete changes only its copy")
	if i.Validate() == nil {
		assert.NoError(t, complete.Validate(), "Complete keeps the rules")
	}
	twice, err := complete.Complete(failing{io.ErrUnexpectedEOF})
	require.NoError(t, err, "nothing is left to be made up")
	equal(t, "Complete is a fixed point", complete, twice)
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
		t.Run(path, func(t *testing.T) { require.True(t, checkRoundTrip(t, text)) })
	}
}

func TestUnknownContentIsKept(t *testing.T) {
	text := files(t, "valid/unknown.xml")[filepath.Join("testdata", "valid", "unknown.xml")]
	i := parse(t, text)
	assert.Equal(t, []xml.Attr{{Name: xml.Name{Space: "https://app.example/1", Local: "mark"}, Value: "7"}}, i.Attrs)
	require.Len(t, i.Nodes, 3)
	assert.Equal(t, "tag", i.Nodes[0].Name.Local)
	assert.Equal(t, "source", i.Nodes[1].Name.Local, "the second one, which does not count")
	assert.Equal(t, schema.Text("br0"), i.Source.Bridge)
	assert.Equal(t, "kept & written", i.Source.Nodes[0].Nodes[0].Text)

	i, err := domainiface.Reader{Compat: true}.Parse(strings.NewReader(text))
	require.NoError(t, err)
	assert.Empty(t, i.Attrs)
	assert.Empty(t, i.Nodes)
	assert.Empty(t, i.Source.Attrs)

	i, err = domainiface.Reader{Strict: true}.Parse(strings.NewReader(text))
	require.NotNil(t, i)
	var vs schema.Violations
	require.ErrorAs(t, err, &vs)
	assert.Len(t, vs, 7)
}

func TestWithoutTypeNothingIsJudged(t *testing.T) {
	i, err := domainiface.Parse(strings.NewReader(`<interface type='netwrok'><source network='default'/></interface>`))
	assert.Nil(t, i)
	var vs schema.Violations
	require.ErrorAs(t, err, &vs)
	require.Len(t, vs, 1)
	assert.Equal(t, "/interface/@type", vs[0].Path)
	assert.Contains(t, vs[0].Msg, `did you mean "network"?`)
}

func TestAddress(t *testing.T) {
	tests := []struct {
		name, text string
		want       string
		ok         bool
	}{
		{"canonical", `<address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x2'/>`, "0000:04:10.2", true},
		{"any base", `<address type='pci' domain='1' bus='0x4' slot='020' function='2'/>`, "0001:04:10.2", true},
		{"absent numbers", `<address type='pci' bus='3'/>`, "0000:03:00.0", true},
		{"other bus", `<address type='usb' bus='1' device='2'/>`, "", false},
		{"no number", `<address type='pci' bus='x'/>`, "", false},
		{"too large", `<address type='pci' domain='0x100000000'/>`, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := parse(t, `<interface type='hostdev'><source>`+tt.text+`</source></interface>`)
			k, ok := i.Source.Address.PCI()
			assert.Equal(t, tt.ok, ok)
			if ok {
				assert.Equal(t, tt.want, k.String())
			}
		})
	}
	_, ok := (*domainiface.Address)(nil).PCI()
	assert.False(t, ok)
	k := hostdev.Key{Bus: 4, Slot: 16, Function: 2}
	got, ok := domainiface.NewAddress(k).PCI()
	assert.True(t, ok)
	assert.Equal(t, k, got)
}

func TestModel(t *testing.T) {
	tests := []struct {
		text           string
		want           domainiface.ModelType
		virtio, header bool
	}{
		{"virtio", domainiface.Virtio, true, true},
		{"VirtIO-Transitional", domainiface.VirtioTransitional, true, true},
		{"virtio-non-transitional", domainiface.VirtioNonTransitional, true, true},
		{"E1000E", domainiface.E1000e, false, true},
		{"igb", domainiface.IGB, false, true},
		{"vmxnet3", domainiface.VMXNet3, false, true},
		{"e1000", domainiface.E1000, false, false},
		{"am79c970a", "Am79C970A", false, false},
		{"of_our-own", "of_our-own", false, false},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			m := parse(t, `<interface><model type='`+tt.text+`'/></interface>`).Model
			assert.Equal(t, tt.want, m.Type)
			assert.Equal(t, tt.virtio, m.Virtio())
			assert.Equal(t, tt.header, m.VnetHeader())
		})
	}
	assert.False(t, (*domainiface.Model)(nil).Virtio())
	assert.False(t, (*domainiface.Model)(nil).VnetHeader())
}

func TestHostdevDriver(t *testing.T) {
	i := parse(t, `<interface type='hostdev'><driver name='vfio' model='m'/><source><address type='pci' bus='1'/></source></interface>`)
	assert.Equal(t, &hostdev.Driver{Name: hostdev.VFIO, Model: "m"}, i.Driver.Hostdev())
	assert.Nil(t, (*domainiface.Driver)(nil).Hostdev())
	text := format(t, i)
	assert.Less(t, strings.Index(text, "<driver"), strings.Index(text, "<source"), "a driver of the host stands before what it serves")
}

func TestMacvtapMode(t *testing.T) {
	for text, want := range map[string]schema.MacvtapMode{
		"": schema.MacvtapVEPA, "mode='vepa'": schema.MacvtapVEPA, "mode='bridge'": schema.MacvtapBridge,
		"mode='private'": schema.MacvtapPrivate, "mode='passthrough'": schema.MacvtapPassthrough,
	} {
		i := parse(t, `<interface type='direct'><source dev='eth0' `+text+`/></interface>`)
		assert.Equal(t, want, i.Source.Mode.Macvtap(), text)
	}
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestParseReaderFails(t *testing.T) {
	_, err := domainiface.Parse(failing{io.ErrClosedPipe})
	assert.ErrorIs(t, err, io.ErrClosedPipe)
	var vs schema.Violations
	assert.False(t, errors.As(err, &vs))
}

func TestBadInput(t *testing.T) {
	deep := "<interface>" + strings.Repeat("<a>", 300) + strings.Repeat("</a>", 300) + "</interface>"
	tests := map[string]struct{ text, rule string }{
		"empty":            {"", "xml-syntax"},
		"not xml":          {"type: network\n", "xml-syntax"},
		"truncated":        {"<interface type='user'>", "xml-syntax"},
		"invalid UTF-8":    {"<interface type='\xff'/>", "xml-syntax"},
		"unknown entity":   {"<interface>&nope;</interface>", "xml-syntax"},
		"second root":      {"<interface/><interface/>", "xml-syntax"},
		"wrong root":       {"<network><name>x</name></network>", "xml-root"},
		"root in space":    {"<interface xmlns='urn:x'/>", "xml-root"},
		"attribute twice":  {"<interface type='user' type='null'/>", "attribute-once"},
		"deep":             {deep, "xml-"},
		"50 MB":            {"<interface>" + strings.Repeat(" ", 50<<20) + "</interface>", "xml-size"},
		"a million of one": {"<interface>" + strings.Repeat("<ip/>", 1<<20) + "</interface>", "xml-size"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := domainiface.Parse(strings.NewReader(tt.text))
			var vs schema.Violations
			require.ErrorAs(t, err, &vs)
			assert.True(t, strings.HasPrefix(vs[0].Rule, tt.rule), vs[0].Rule)
			assert.NotZero(t, vs[0].Line)
			assert.NotEmpty(t, vs[0].Msg)
		})
	}
}

// endless is a document without an end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	n := copy(b, "<interface>")
	for i := n; i < len(b); i++ {
		b[i] = ' '
	}
	return len(b), nil
}

func TestParseEndless(t *testing.T) {
	_, err := domainiface.Parse(endless{})
	var vs schema.Violations
	require.ErrorAs(t, err, &vs)
	assert.Equal(t, "xml-size", vs[0].Rule)
}

func TestWriteTo(t *testing.T) {
	i := parse(t, `<interface type='null'/>`)
	var b bytes.Buffer
	n, err := i.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, int64(b.Len()), n)
	assert.Equal(t, format(t, i), b.String())
}
