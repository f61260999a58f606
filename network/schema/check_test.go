// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/schema"
)

const late schema.Deviation = "late"

func TestCheckCollects(t *testing.T) {
	c := schema.NewCheck("doc", schema.Rules{})
	assert.True(t, c.Rule(true, "fine", "", "not seen"))
	assert.False(t, c.Rule(false, "first", "@a", "%d is wrong", 7))
	c.In("one", func() {
		c.At("part", 1, func() {
			assert.False(t, c.Deviates(false, late, "", "too late"))
			assert.Equal(t, "/doc/one/part[2]/x/@y", c.Path("x/@y"))
		})
	})
	c.Rule(false, "last", "name", "wrong")
	err := c.Err(schema.NewSource([]byte("<doc>\n<one><part/>\n <part/></one></doc>")))
	var vs schema.Violations
	require.ErrorAs(t, err, &vs)
	assert.Equal(t, schema.Violations{
		{Path: "/doc/@a", Rule: "first", Line: 1, Column: 1, Msg: "7 is wrong"},
		{Path: "/doc/one/part[2]", Rule: "late", Line: 3, Column: 2, Msg: "too late"},
		{Path: "/doc/name", Rule: "last", Line: 1, Column: 1, Msg: "wrong"},
	}, vs)
	assert.EqualError(t, err, "1:1: /doc/@a: 7 is wrong [first]\n3:2: /doc/one/part[2]: too late [late]\n1:1: /doc/name: wrong [last]")
	var v *schema.Violation
	require.ErrorAs(t, err, &v)
	assert.Equal(t, "first", v.Rule)
}

func TestCheckWithoutSource(t *testing.T) {
	c := schema.NewCheck("doc", schema.Rules{})
	c.Rule(false, "first", "", "wrong")
	assert.EqualError(t, c.Err(schema.Source{}), "/doc: wrong [first]")
	assert.NoError(t, schema.NewCheck("doc", schema.Rules{}).Err(schema.Source{}))
}

func TestDeviations(t *testing.T) {
	for name, rules := range map[string]schema.Rules{"compat": {Compat: true}, "allowed": {Allow: []schema.Deviation{"other", late}}} {
		c := schema.NewCheck("doc", rules)
		assert.True(t, c.Deviates(false, late, "", "too late"), name)
		assert.True(t, c.Skips(late), name)
		assert.NoError(t, c.Err(schema.Source{}), name)
		assert.Equal(t, rules, c.Rules())
	}
}

func TestJoin(t *testing.T) {
	a := schema.Violations{{Path: "/doc/@a", Rule: "1", Line: 2}, {Path: "/doc/@a", Rule: "2", Line: 2}}
	b := schema.Violations{{Path: "/doc/@a", Rule: "3", Line: 2}, {Path: "/doc/@b", Rule: "4", Line: 1}, {Path: "/doc/@b", Rule: "5", Line: 1}}
	var rules []string
	for _, v := range schema.Join(nil, a, nil, b).(schema.Violations) {
		rules = append(rules, v.Rule)
	}
	assert.Equal(t, []string{"4", "5", "1", "2"}, rules)
	assert.NoError(t, schema.Join(nil, nil))
	assert.Equal(t, io.EOF, schema.Join(a, io.EOF))
}

func TestSourceMakesNoDifference(t *testing.T) {
	assert.True(t, cmp.Equal(schema.NewSource([]byte("a")), schema.NewSource([]byte("b"))))
	assert.True(t, cmp.Equal(schema.Num(1), schema.Num(1)))
	assert.False(t, cmp.Equal(schema.Num(0), schema.Number{}))
}

type document struct {
	XMLName xml.Name    `xml:"doc"`
	Word    schema.Text `xml:"word,attr,omitempty"`
	schema.Extra
}

func (d *document) UnmarshalXML(x *xml.Decoder, start xml.StartElement) error {
	return schema.Decode(x, start, d)
}

func TestDocument(t *testing.T) {
	var d document
	_, complete, err := schema.Reader{}.Read(strings.NewReader("<doc word='' more='1'><a/></doc>"), "doc", &d)
	require.NoError(t, err)
	assert.True(t, complete)
	assert.Equal(t, schema.Empty, d.Word)
	text, err := schema.AppendDocument(nil, "doc", &d)
	require.NoError(t, err)
	assert.Equal(t, "<doc word='' more='1'>\n  <a/>\n</doc>\n", string(text))
	var again document
	require.NoError(t, xml.Unmarshal(text, &again))
	assert.Equal(t, d, again)

	_, complete, err = schema.Reader{Strict: true}.Read(strings.NewReader("<doc more='1'/>"), "doc", &d)
	assert.True(t, complete)
	assert.ErrorContains(t, err, "attribute-unknown")
	_, complete, err = schema.Reader{}.Read(strings.NewReader("<doc"), "doc", &d)
	assert.False(t, complete)
	assert.ErrorContains(t, err, "xml-syntax")
	_, _, err = schema.Reader{}.Read(io.MultiReader(strings.NewReader("<doc"), errReader{}), "doc", &d)
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Error(t, xml.Unmarshal([]byte("<dok/>"), &again))
	var vs schema.Violations
	assert.False(t, errors.As(io.EOF, &vs))
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
