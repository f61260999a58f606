// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/schema"
)

func TestNodeRoundTrip(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"plain":            {`<a b="1"/>`, `<a b="1"></a>`},
		"text":             {`<a> x <![CDATA[<y>]]><!-- z --> </a>`, `<a> x &lt;y&gt; </a>`},
		"indented":         {"<a>\n  <b/>\n  <c>\n    <d/>\n  </c>\n</a>", `<a><b></b><c><d></d></c></a>`},
		"mixed":            {"<a>x <b/> y</a>", `<a>x <b></b> y</a>`},
		"blank":            {"<a>  </a>", `<a>  </a>`},
		"prefix":           {`<p:a xmlns:p="urn:p" p:b="1"><p:c/></p:a>`, `<p:a xmlns:p="urn:p" p:b="1"><p:c></p:c></p:a>`},
		"default space":    {`<a xmlns="urn:a"><b/><c xmlns=""/></a>`, `<a xmlns="urn:a"><b></b><c xmlns=""></c></a>`},
		"hidden prefix":    {`<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c/></p:b></p:a>`, `<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c></p:c></p:b></p:a>`},
		"attribute space":  {`<a xmlns="urn:a" xmlns:p="urn:a" p:b="1"/>`, `<a xmlns="urn:a" xmlns:p="urn:a" p:b="1"></a>`},
		"xml:lang":         {`<a xml:lang="en"/>`, `<a xml:lang="en"></a>`},
		"empty cdata":      {`<a><![CDATA[]]></a>`, `<a></a>`},
		"undeclared":       {`<q:a/>`, `<a xmlns="q"></a>`},
		"undeclared attr":  {`<a q:b="1"/>`, `<a xmlns:ns1="q" ns1:b="1"></a>`},
		"escaped":          {`<a b="&lt;&#10;&quot;">&amp;</a>`, `<a b="&lt;&#xA;&#34;">&amp;</a>`},
		"instruction gone": {`<a><?x y?></a>`, `<a></a>`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var n, again schema.Node
			require.NoError(t, xml.Unmarshal([]byte(test.in), &n))
			got, err := xml.Marshal(n)
			require.NoError(t, err)
			assert.Equal(t, test.want, string(got))
			require.NoError(t, xml.Unmarshal(got, &again))
			twice, err := xml.Marshal(again)
			require.NoError(t, err)
			assert.Equal(t, string(got), string(twice))
		})
	}
}

func TestNodeMadeInGo(t *testing.T) {
	n := schema.Node{
		Name:  xml.Name{Space: "urn:a", Local: "a"},
		Attrs: []xml.Attr{{Name: xml.Name{Space: "urn:b", Local: "b"}, Value: "1"}, {Name: xml.Name{Local: "c"}, Value: "2"}},
		Nodes: []schema.Node{{Text: "x"}, {Name: xml.Name{Local: "d"}}, {Name: xml.Name{Space: "urn:a", Local: "e"}}},
	}
	got, err := xml.Marshal(n)
	require.NoError(t, err)
	assert.Equal(t, `<a xmlns="urn:a" xmlns:ns1="urn:b" ns1:b="1" c="2">x<d xmlns=""></d><e></e></a>`, string(got))

	n = schema.Node{Name: xml.Name{Space: "urn:a", Local: "a"}, Attrs: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: "urn:other"}}}
	got, err = xml.Marshal(n)
	require.NoError(t, err)
	assert.Equal(t, `<ns1:a xmlns="urn:other" xmlns:ns1="urn:a"></ns1:a>`, string(got))
}

func TestNodeInherit(t *testing.T) {
	around := []xml.Attr{
		{Name: xml.Name{Space: "xmlns", Local: "p"}, Value: "urn:p"},
		{Name: xml.Name{Space: "xmlns", Local: "q"}, Value: "urn:q"},
		{Name: xml.Name{Space: "xmlns", Local: "p"}, Value: "urn:inner"},
	}
	n := schema.Node{Name: xml.Name{Space: "urn:inner", Local: "a"}, Nodes: []schema.Node{{Name: xml.Name{Local: "b"}, Attrs: []xml.Attr{{Name: xml.Name{Space: "urn:q", Local: "c"}}}}}}
	n.Inherit(around)
	got, err := xml.Marshal(n)
	require.NoError(t, err)
	assert.Equal(t, `<p:a xmlns:p="urn:inner" xmlns:q="urn:q"><b q:c=""></b></p:a>`, string(got))
}

func TestNodeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"deep":            strings.Repeat("<a>", 257) + strings.Repeat("</a>", 257),
		"attribute twice": "<a><b c='1' c='2'/></a>",
		"truncated":       "<a><b>",
	} {
		assert.Error(t, xml.Unmarshal([]byte(text), new(schema.Node)), name)
	}
}

func TestCloneExtra(t *testing.T) {
	x := schema.Extra{Attrs: []xml.Attr{{Value: "1"}}, Nodes: []schema.Node{{Name: xml.Name{Local: "a"}, Attrs: []xml.Attr{{Value: "2"}}, Nodes: []schema.Node{{Text: "3"}}}}}
	c := schema.CloneExtra(x)
	assert.Equal(t, x, c)
	c.Attrs[0].Value, c.Nodes[0].Attrs[0].Value, c.Nodes[0].Nodes[0].Text = "", "", ""
	assert.Equal(t, "1", x.Attrs[0].Value)
	assert.Equal(t, "2", x.Nodes[0].Attrs[0].Value)
	assert.Equal(t, "3", x.Nodes[0].Nodes[0].Text)
	assert.True(t, x.HasNode("a"))
	assert.False(t, x.HasNode("b"))
}

func FuzzNode(f *testing.F) {
	f.Add([]byte(`<p:a xmlns:p="urn:p" p:b="1">x<c xmlns="urn:c"/></p:a>`))
	f.Add([]byte("<a>\n <b xml:lang='en'/>\n</a>"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var n, again schema.Node
		if xml.Unmarshal(text, &n) != nil {
			return
		}
		got, err := xml.Marshal(n)
		if err != nil {
			t.Fatalf("%v: %q", err, text)
		}
		if err := xml.Unmarshal(got, &again); err != nil {
			t.Fatalf("%v: %q", err, got)
		}
		twice, err := xml.Marshal(again)
		if err != nil || string(got) != string(twice) {
			t.Fatalf("%v: %q then %q", err, got, twice)
		}
	})
}
