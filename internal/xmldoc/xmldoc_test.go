// SPDX-License-Identifier: Apache-2.0

package xmldoc_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/xmldoc"
)

// A doc is a document with one field of each kind.
type doc struct {
	XMLName xml.Name `xml:"doc"`
	Word    string   `xml:"word,attr,omitempty"`
	Even    even     `xml:"even,attr,omitempty" doc:"blank,lax,anycase"`
	Name    string   `xml:"name"`
	Half    even     `xml:"half"`
	One     *part    `xml:"one" doc:"keep"`
	Open    *part    `xml:"open" doc:"open"`
	Sum     *part    `xml:"sum" doc:"merge"`
	Any     *part    `xml:"any" doc:"anyns"`
	Opaque  *part    `xml:"opaque" doc:"opaque"`
	Parts   []part   `xml:"part"`
	Lines   []string `xml:"line"`
	Theirs  *part    `xml:"urn:theirs theirs" doc:"prefix=t"`
	extra
}

type part struct {
	Word string `xml:"word,attr,omitempty"`
	Text string `xml:"text,omitempty"`
	extra
}

type extra struct {
	Attrs []xml.Attr `xml:",any,attr"`
	Nodes []node     `xml:",any"`
}

// An even is a number that can be halved.
type even string

func (e even) String() string { return string(e) }

func (e *even) UnmarshalText(text []byte) error {
	if len(text) == 0 || strings.IndexByte("02468", text[len(text)-1]) < 0 {
		return fmt.Errorf("%q is odd", text)
	}
	*e = even(text)
	return nil
}

func (e *even) UnmarshalLax([]byte) error {
	*e = "0"
	return nil
}

// A node keeps the tokens of an element and what it was told about the prefixes around it.
type node struct {
	toks     []xml.Token
	declared []xml.Attr
}

func (n *node) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	n.toks = append(n.toks, start.Copy())
	for depth := 1; depth > 0; {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		switch tok.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		n.toks = append(n.toks, xml.CopyToken(tok))
	}
	return nil
}

func (n *node) IsText() bool {
	if len(n.toks) == 0 {
		return false
	}
	_, ok := n.toks[0].(xml.CharData)
	return ok
}

func (n *node) AddWords(words string) {
	if n.IsText() {
		words = string(n.toks[0].(xml.CharData)) + " " + words
	}
	n.toks = []xml.Token{xml.CharData(words)}
}

func (n *node) Inherit(declared []xml.Attr) { n.declared = append(n.declared, declared...) }

func (n node) Tokens() iter.Seq[xml.Token] {
	return func(yield func(xml.Token) bool) {
		for _, tok := range n.toks {
			if !yield(tok) {
				return
			}
		}
	}
}

func read(t *testing.T, text string, o xmldoc.Options) (*doc, []string) {
	t.Helper()
	d := new(doc)
	got, err := xmldoc.Read(strings.NewReader(text), "doc", d, o)
	require.NoError(t, err)
	var problems []string
	for _, p := range got.Problems {
		problems = append(problems, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Path, p.Rule))
	}
	return d, problems
}

func TestRead(t *testing.T) {
	d, problems := read(t, `<?xml version="1.0"?>
<!DOCTYPE doc>
<doc word='w&amp;' even='12' more='1'>
  <name> a<![CDATA[<b>]]><!-- c --><i>d</i> </name>
  <one word='1'/><open/>
  <part word='a'><text>x</text></part><line>1</line><part word='b'/><line></line>
  <sum word='s'/><sum word='t'><text>u</text></sum>
  <t:theirs xmlns:t='urn:theirs' word='th'/><x:any xmlns:x='urn:x' word='an'/>
  <unknown/>
</doc>
<!-- done -->`, xmldoc.Options{})
	assert.Empty(t, problems)
	assert.Equal(t, "w&", d.Word)
	assert.Equal(t, even("12"), d.Even)
	assert.Equal(t, " a<b>d ", d.Name, "all text in the element, as it is")
	assert.Equal(t, "1", d.One.Word)
	assert.NotNil(t, d.Open)
	assert.Equal(t, "s", d.Sum.Word, "the first one wins")
	assert.Equal(t, "u", d.Sum.Text, "the second one adds")
	assert.Equal(t, "th", d.Theirs.Word)
	assert.Equal(t, "an", d.Any.Word)
	require.Len(t, d.Parts, 2)
	assert.Equal(t, "x", d.Parts[0].Text)
	assert.Equal(t, []string{"1", ""}, d.Lines)
	assert.Equal(t, []xml.Attr{{Name: xml.Name{Local: "more"}, Value: "1"}}, d.Attrs)
	assert.Len(t, d.Nodes, 1)
}

func TestProblems(t *testing.T) {
	tests := []struct {
		name, text string
		options    xmldoc.Options
		want       []string
	}{
		{"all values", "<doc even='1'>\n  <half>3</half>\n  <part/>\n</doc>", xmldoc.Options{},
			[]string{"1:6 /doc/@even value-syntax", "2:3 /doc/half value-syntax"}},
		{"lax", "<doc even='1'/>", xmldoc.Options{Compat: true}, nil},
		{"attribute twice ends it", "<doc><one a='1' a='2' b='3'/><name", xmldoc.Options{Compat: true}, []string{"1:11 /doc/one/@a attribute-once"}},
		{"attribute twice in text", "<doc><name><i a='1' a='2'/></name></doc>", xmldoc.Options{}, []string{"1:15 /doc/name/@a attribute-once"}},
		{"no name after a prefix", "<doc xmlns:p='urn:p'><p:0/></doc>", xmldoc.Options{}, []string{"1:22 /doc/0 xml-syntax"}},
		{"no prefix", "<doc xmlns:0='urn:p'/>", xmldoc.Options{}, []string{"1:1 /doc xml-syntax"}},
		{"colons", "<doc><:a/></doc>", xmldoc.Options{}, []string{"1:6 /doc/:a xml-syntax"}},
		{"letters", "<doc><é/><_/></doc>", xmldoc.Options{}, nil},
		{"blank", "<doc even=''/>", xmldoc.Options{}, nil},
		{"attribute twice", "<doc word='1'\n  word='2'/>", xmldoc.Options{}, []string{"1:6 /doc/@word attribute-once"}},
		{"many attributes", "<doc" + manyAttrs(40) + " a7='x'/>", xmldoc.Options{}, []string{"1:48 /doc/@a7 attribute-once"}},
		{"unknown is kept", "<doc a='1'><b/>text</doc>", xmldoc.Options{}, nil},
		{"unknown is refused", "<doc a='1'><b/>text<name c='1'><d/></name></doc>", xmldoc.Options{Strict: true}, []string{
			"1:6 /doc/@a attribute-unknown", "1:12 /doc/b element-unknown", "1:16 /doc text-unknown",
			"1:26 /doc/name/@c attribute-unknown", "1:32 /doc/name element-unknown"}},
		{"opaque is not", "<doc><opaque a='1'><b/>text</opaque></doc>", xmldoc.Options{Strict: true}, nil},
		{"declarations are known", "<doc xmlns:x='urn:x'/>", xmldoc.Options{Strict: true}, nil},
		{"second", "<doc><one/><one/><part/><part/></doc>", xmldoc.Options{Strict: true}, []string{"1:12 /doc/one[2] element-once"}},
		{"foreign", "<doc xmlns:x='urn:x'><x:one/></doc>", xmldoc.Options{Strict: true}, []string{"1:22 /doc/one element-unknown"}},
		{"repeated path", "<doc>\n<part/>\n<part><z/></part></doc>", xmldoc.Options{Strict: true}, []string{"3:7 /doc/part[2]/z element-unknown"}},
		{"root", "<dok/>", xmldoc.Options{}, []string{"1:1 /doc xml-root"}},
		{"root in a namespace", "<doc xmlns='urn:x'/>", xmldoc.Options{}, []string{"1:1 /doc xml-root"}},
		{"root in a namespace, compat", "<doc xmlns='urn:x'/>", xmldoc.Options{Compat: true}, nil},
		{"nothing", " ", xmldoc.Options{}, []string{"1:2 /doc xml-syntax"}},
		{"byte order mark", "\ufeff<doc/>", xmldoc.Options{}, nil},
		{"text before", "x<doc/>", xmldoc.Options{}, []string{"1:1 /doc xml-syntax"}},
		{"text after", "<doc/>x", xmldoc.Options{}, []string{"1:7 /doc xml-syntax"}},
		{"element after", "<doc/>\n<doc/>", xmldoc.Options{}, []string{"2:1 /doc xml-syntax"}},
		{"garbage after", "<doc/>\n<", xmldoc.Options{}, []string{"2:2 /doc xml-syntax"}},
		{"problems before the end", "<doc even='1'><part>", xmldoc.Options{}, []string{"1:6 /doc/@even value-syntax", "1:21 /doc/part[1] xml-syntax"}},
		{"in skipped content", "<doc><b><c></b></doc>", xmldoc.Options{Compat: true}, []string{"1:16 /doc/b xml-syntax"}},
		{"in text", "<doc><name>a<b></name></doc>", xmldoc.Options{}, []string{"1:23 /doc/name xml-syntax"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, problems := read(t, test.text, test.options)
			assert.Equal(t, test.want, problems)
		})
	}
}

func manyAttrs(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a%d=''", i)
	}
	return b.String()
}

func TestValueWithoutRule(t *testing.T) {
	_, problems := read(t, "<doc even='1'/>", xmldoc.Options{})
	assert.Equal(t, []string{"1:6 /doc/@even value-syntax"}, problems)
}

func TestSurplusIsKeptOrDropped(t *testing.T) {
	const text = "<doc xmlns:p='urn:p'><name>1</name><name>2</name><one/><one word='2'/><b/></doc>"
	d, _ := read(t, text, xmldoc.Options{})
	assert.Equal(t, "1", d.Name)
	assert.Len(t, d.Nodes, 3)
	assert.Equal(t, []xml.Attr{{Name: xml.Name{Space: "xmlns", Local: "p"}, Value: "urn:p"}}, d.Nodes[0].declared)
	d, _ = read(t, text, xmldoc.Options{Compat: true})
	assert.Len(t, d.Nodes, 1, "only what the tag says is kept")
}

// endless is a document of that many bytes, made while it is read.
type endless struct {
	head, body string
	left       int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	if e.head != "" {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := 0
	for n+len(e.body) <= len(p) {
		n += copy(p[n:], e.body)
	}
	if n == 0 {
		n = copy(p, e.body)
	}
	e.left -= n
	return n, nil
}

func TestLimits(t *testing.T) {
	deep := strings.Repeat("<a>", 100_000)
	tests := []struct {
		name string
		text io.Reader
		rule string
	}{
		{"50 MB", &endless{"<doc>", "<part word='0123456789'/>", 50 << 20}, "xml-size"},
		{"50 MB in memory", strings.NewReader("<doc>" + strings.Repeat(" ", 50<<20) + "</doc>"), "xml-size"},
		{"a million tags", strings.NewReader("<doc>" + strings.Repeat("<a/>", 1<<20) + "</doc>"), "xml-size"},
		{"deep unknown", strings.NewReader("<doc>" + deep), "xml-depth"},
		{"deep known", strings.NewReader("<doc><part>" + deep), "xml-depth"},
		{"deep text", strings.NewReader("<doc><name>" + deep), "xml-depth"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, err := xmldoc.Read(test.text, "doc", new(doc), xmldoc.Options{Compat: true})
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			require.NotEmpty(t, got.Problems)
			assert.Equal(t, test.rule, got.Problems[len(got.Problems)-1].Rule)
			assert.False(t, got.Complete)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(128<<20), "memory is bounded")
		})
	}
	t.Run("at the limit", func(t *testing.T) {
		n := xmldoc.MaxDepth - 2
		_, problems := read(t, "<doc>"+strings.Repeat("<a>", n)+strings.Repeat("</a>", n)+"</doc>", xmldoc.Options{Compat: true})
		assert.Empty(t, problems)
	})
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	_, err := xmldoc.Read(io.MultiReader(strings.NewReader("<doc>"), &failing{broken}), "doc", new(doc), xmldoc.Options{})
	assert.ErrorIs(t, err, broken)
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

func TestDecodeAgreesWithRead(t *testing.T) {
	const text = "<doc even='1'><half>3</half></doc>"
	d := xml.NewDecoder(strings.NewReader(text))
	tok, err := d.Token()
	require.NoError(t, err)
	problems := xmldoc.Decode(d, tok.(xml.StartElement), new(doc), xmldoc.Options{})
	require.Len(t, problems, 2)
	assert.Equal(t, "/doc/half", problems[1].Path)
}

func TestAppend(t *testing.T) {
	d := &doc{
		Word:   "a'b\"c<d>e&f\ng\th\ri\x01\xffj",
		Even:   "2",
		Name:   "x\ny\r",
		One:    &part{},
		Open:   &part{},
		Parts:  []part{{Word: "1"}, {Text: "t", extra: extra{Attrs: []xml.Attr{{Name: xml.Name{Space: "urn:q", Local: "r"}, Value: "s"}}}}},
		Lines:  []string{"", "l"},
		Theirs: &part{Word: "w"},
	}
	got, err := xmldoc.Append(nil, "doc", d)
	require.NoError(t, err)
	want := "<doc xmlns:t='urn:theirs' word='a&apos;b&quot;c&lt;d&gt;e&amp;f&#10;g&#9;h&#13;i\ufffdj' even='2'>\n" +
		"  <name>x\ny&#13;</name>\n" +
		"  <one/>\n" +
		"  <open>\n" +
		"  </open>\n" +
		"  <part word='1'/>\n" +
		"  <part xmlns:ns1='urn:q' ns1:r='s'>\n" +
		"    <text>t</text>\n" +
		"  </part>\n" +
		"  <line></line>\n" +
		"  <line>l</line>\n" +
		"  <t:theirs word='w'/>\n" +
		"</doc>\n"
	assert.Equal(t, want, string(got))
}

func TestLocate(t *testing.T) {
	const text = "<?xml version='1.0'?>\n<doc word='w'>\n  <one word='&gt;' w='1'/>\n  <part/>\n  <part\n    word='b'><text>x</text></part>\n  <p:theirs xmlns:p='urn:theirs'/>\n</doc>\n"
	tests := map[string]xmldoc.Place{
		"/doc":                 {2, 1},
		"/doc/@word":           {2, 6},
		"/doc/@none":           {2, 1},
		"/doc/one":             {3, 3},
		"/doc/one/@w":          {3, 20},
		"/doc/part[1]":         {4, 3},
		"/doc/part[2]":         {5, 3},
		"/doc/part[2]/@word":   {6, 5},
		"/doc/part[2]/text":    {6, 14},
		"/doc/part[2]/none":    {5, 3},
		"/doc/part[2]/none/@w": {5, 3},
		"/doc/part[3]":         {2, 1},
		"/doc/t:theirs":        {7, 3},
		"/doc/theirs":          {2, 1},
		"/other":               {},
	}
	var paths []string
	for path := range tests {
		paths = append(paths, path)
	}
	for i, at := range xmldoc.Locate([]byte(text), paths) {
		assert.Equal(t, tests[paths[i]], at, paths[i])
	}
	assert.Equal(t, []xmldoc.Place{{1, 1}}, xmldoc.Locate([]byte("<doc><"), []string{"/doc/one"}), "as far as it can be read")
}

func TestLayoutMistakesPanic(t *testing.T) {
	type wrong struct {
		Number int `xml:"number,attr"`
	}
	assert.Panics(t, func() { _, _ = xmldoc.Append(nil, "wrong", &wrong{}) })
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("<doc word='w' even='12'><name>n</name><one/><part word='a'><text>x</text></part><line/></doc>"))
	f.Add([]byte("<doc xmlns:t='urn:theirs'><t:theirs/><a b='c'>d<e/>f</a></doc>"))
	f.Add([]byte("<?xml version='1.0'?><doc><![CDATA[x]]><!-- y --></doc>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d := new(doc)
		got, err := xmldoc.Read(bytes.NewReader(text), "doc", d, xmldoc.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, p := range got.Problems {
			if p.Line < 1 || p.Column < 1 || p.Rule == "" || p.Msg == "" {
				t.Fatalf("%+v", p)
			}
			paths = append(paths, p.Path)
		}
		xmldoc.Locate(text, paths)
	})
}
