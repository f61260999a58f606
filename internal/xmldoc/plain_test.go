// SPDX-License-Identifier: Apache-2.0

package xmldoc_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/xmldoc"
)

// TestValuesAreNormalized checks what the standard says of tabs and line ends in the values of attributes.
func TestValuesAreNormalized(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"line feed", "<doc word='a\nb'/>", "a b"},
		{"tab", "<doc word='a\tb'/>", "a b"},
		{"carriage return", "<doc word='a\rb'/>", "a b"},
		{"two bytes of a line end", "<doc word='\r\na\r\n\r\nb'/>", " a  b"},
		{"other quotes", "<doc word=\"a\n'b\"/>", "a 'b"},
		{"references stay", "<doc word='a&#10;b&#9;c&#13;d'/>", "a\nb\tc\rd"},
		{"blanks stay", "<doc word='  a  b '/>", "  a  b "},
		{"not in a comment", "<doc><!-- <a b='\n --></doc>", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, problems := read(t, test.text, xmldoc.Options{})
			assert.Empty(t, problems)
			assert.Equal(t, test.want, d.Word)
		})
	}
	d, problems := read(t, "<doc word='\r\n'\n even='1'><name>a\tb\nc</name></doc>", xmldoc.Options{})
	assert.Equal(t, " ", d.Word)
	assert.Equal(t, "a\tb\nc", d.Name, "texts of elements stay")
	assert.Equal(t, []string{"3:2 /doc/@even value-syntax"}, problems, "places are those of the text as it was")
}

func TestProlog(t *testing.T) {
	tests := []struct {
		name, before, after string
		compat              bool
		want                []string
	}{
		{name: "declaration", before: "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>"},
		{name: "other version", before: "<?xml version=\"1.1\"?>"},
		{name: "byte order mark", before: "\ufeff<?xml version='1.0'?>"},
		{name: "encoding of seven bits", before: "<?xml version='1.0' encoding='US-ASCII'?>"},
		{name: "line ends", before: "<?xml version='1.0'\nencoding='utf-8'\n?>\n"},
		{name: "other instruction", before: "<?xml-stylesheet href='x'?>"},
		{name: "document type", before: "<!DOCTYPE doc SYSTEM 'doc.dtd' [<!ELEMENT doc ANY>]>"},
		{name: "version to come", before: "<?xml version='2.0'?>", want: []string{"1:1 /doc xml-syntax"}},
		{name: "no version", before: "<?xml encoding='UTF-8'?>", want: []string{"1:1 /doc xml-syntax"}},
		{name: "nothing", before: "<?xml?>", want: []string{"1:1 /doc xml-syntax"}},
		{name: "not standalone", before: "<?xml version='1.0' standalone='maybe'?>", want: []string{"1:1 /doc xml-syntax"}},
		{name: "more", before: "<?xml version='1.0' more='1'?>", want: []string{"1:1 /doc xml-syntax"}},
		{name: "upper case", before: "<?XML version='1.0'?>", want: []string{"1:1 /doc xml-syntax"}},
		{name: "not at the beginning", before: "\n <?xml version='1.0'?>", want: []string{"2:2 /doc xml-syntax"}},
		{name: "twice", before: "<?xml version='1.0'?><?xml version='1.0'?>", want: []string{"1:22 /doc xml-syntax"}},
		{name: "behind", after: "<?xml version='1.0'?>", want: []string{"1:12 /doc xml-syntax"}},
		{name: "other encoding", before: "<?xml version='1.0' encoding='ISO-8859-1'?>", want: []string{"1:1 /doc xml-syntax"}},
		{name: "other encoding not believed", before: "<?xml version='1.0' encoding='ISO-8859-1'?>", compat: true},
		{name: "wide encoding", before: "\xff\xfe<\x00d\x00", want: []string{"1:1 /doc xml-syntax"}},
		{name: "document type behind", after: "<!DOCTYPE doc>", want: []string{"1:12 /doc xml-syntax"}},
		{name: "two document types", before: "<!DOCTYPE a><!DOCTYPE b>", want: []string{"1:13 /doc xml-syntax"}},
		{name: "document type without a name", before: "<!DOCTYPE>", want: []string{"1:1 /doc xml-syntax"}},
		{name: "no document type", before: "<!ELEMENT a ANY>", want: []string{"1:1 /doc xml-syntax"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, problems := read(t, test.before+"<doc></doc>"+test.after, xmldoc.Options{Compat: test.compat})
			assert.Equal(t, test.want, problems)
		})
	}
	_, problems := read(t, "<doc>\n <one word='a'x='b'/></doc>", xmldoc.Options{})
	assert.Equal(t, []string{"2:2 /doc xml-syntax"}, problems, "a blank between attributes")
	_, problems = read(t, "<doc><!DOCTYPE doc></doc>", xmldoc.Options{})
	assert.Equal(t, []string{"1:6 /doc xml-syntax"}, problems)
}

// TestGivenTwice checks, in Compat mode, which of several elements counts.
func TestGivenTwice(t *testing.T) {
	tests := []struct{ name, text, first, inside string }{
		{"the first", "<first word='a'/><first word='b'/>", "a//", ""},
		{"the first that has the attribute", "<first/><first word='b' text='c'/>", "b//", ""},
		{"an empty one is the first", "<first blank=''/><first blank='2' word='a'/>", "a//", ""},
		{"each attribute", "<first word='a'/><first word='b' blank='2'/>", "a/2/", ""},
		{"each child", "<first word='a'><text>t</text></first><first><text>u</text></first>", "a//t", ""},
		{"an empty child is the first", "<first><text></text></first><first><text>u</text></first>", "//", ""},
		{"attributes of the first only", "<inside/><inside word='b'><text>u</text></inside>", "", "//u"},
		{"children of the first that has them", "<inside word='a'><text>t</text></inside><inside blank='2'><text>u</text></inside>", "", "a//t"},
		{"an empty text is the first", "<first/><text/><text>b</text>", "//", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d, err := twiceRead(t, test.text)
			assert.Empty(t, err)
			assert.Equal(t, test.first, d.First.String())
			assert.Equal(t, test.inside, d.Inside.String())
			assert.Empty(t, d.Text)
		})
	}
}

// TestWrittenAgain checks that a field with the word again is written as the element and not read.
func TestWrittenAgain(t *testing.T) {
	d := &twice{First: &both{Word: "a"}, Again: &both{Word: "b"}}
	text, err := xmldoc.AppendCompact(nil, "doc", d)
	require.NoError(t, err)
	assert.Equal(t, "<doc><first word='a' blank=''><text></text></first><text></text><first word='b' blank=''><text></text></first></doc>", string(text))
	d, problems := twiceRead(t, "<first word='a'/><first word='b'/>")
	assert.Empty(t, problems)
	assert.Nil(t, d.Again)
}

// A twice has elements that may be given twice.
type twice struct {
	First  *both  `xml:"first" doc:"first"`
	Inside *both  `xml:"inside" doc:"inside"`
	Text   string `xml:"text"`
	Again  *both  `xml:"-" doc:"again=first"`
}

type both struct {
	Word  string `xml:"word,attr"`
	Blank even   `xml:"blank,attr" doc:"blank"`
	Text  string `xml:"text"`
}

func (b *both) String() string {
	if b == nil {
		return ""
	}
	return b.Word + "/" + string(b.Blank) + "/" + b.Text
}

func twiceRead(t *testing.T, text string) (*twice, []xmldoc.Problem) {
	t.Helper()
	d := new(twice)
	got, err := xmldoc.Read(strings.NewReader("<doc>"+text+"</doc>"), "doc", d, xmldoc.Options{Compat: true})
	require.NoError(t, err)
	return d, got.Problems
}
