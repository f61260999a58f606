// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

func TestWithMetadata(t *testing.T) {
	const doc = `<network><name>x</name><title>old</title><description>of it</description><metadata><a:x xmlns:a='urn:a'/><b:y xmlns:b='urn:b'>1</b:y></metadata></network>`
	title, empty, lines := "new", "", "two\nlines"
	tests := []struct {
		name   string
		change network.MetadataChange
		want   string
	}{
		{"nothing", network.MetadataChange{}, `<title>old</title><description>of it</description><metadata><a:x xmlns:a='urn:a'/><b:y xmlns:b='urn:b'>1</b:y></metadata>`},
		{"title", network.MetadataChange{Title: &title}, `<title>new</title><description>of it</description><metadata><a:x xmlns:a='urn:a'/><b:y xmlns:b='urn:b'>1</b:y></metadata>`},
		{"no words", network.MetadataChange{Title: &empty, Description: &empty}, `<metadata><a:x xmlns:a='urn:a'/><b:y xmlns:b='urn:b'>1</b:y></metadata>`},
		{"description", network.MetadataChange{Description: &lines}, "<title>old</title><description>two\nlines</description><metadata><a:x xmlns:a='urn:a'/><b:y xmlns:b='urn:b'>1</b:y></metadata>"},
		{"an element in place of one", network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a", Prefix: "n", XML: `<z k='1'><w/></z>`}},
			`<title>old</title><description>of it</description><metadata><n:z xmlns:n='urn:a' k='1'><w/></n:z><b:y xmlns:b='urn:b'>1</b:y></metadata>`},
		{"an element more", network.MetadataChange{Element: &network.MetadataElement{URI: "urn:c", Prefix: "c", XML: `<z/>`}},
			`<title>old</title><description>of it</description><metadata><a:x xmlns:a='urn:a'/><b:y xmlns:b='urn:b'>1</b:y><c:z xmlns:c='urn:c'/></metadata>`},
		{"an element less", network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a"}},
			`<title>old</title><description>of it</description><metadata><b:y xmlns:b='urn:b'>1</b:y></metadata>`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n := parse(t, doc)
			got, err := n.WithMetadata(test.change)
			require.NoError(t, err)
			want := parse(t, "<network><name>x</name>"+test.want+"</network>")
			require.Equal(t, normalized(t, want, schema.Rules{}), normalized(t, got, schema.Rules{}))
			require.Equal(t, normalized(t, parse(t, doc), schema.Rules{}), normalized(t, n, schema.Rules{}), "the network itself stays as it is")
		})
	}
	none, err := parse(t, `<network><name>x</name><metadata><a:x xmlns:a='urn:a'/></metadata></network>`).WithMetadata(
		network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a"}})
	require.NoError(t, err)
	require.Nil(t, none.Metadata)
}

func TestWithMetadataRefuses(t *testing.T) {
	lines := "two\nlines"
	for name, c := range map[string]struct {
		change network.MetadataChange
		want   string
	}{
		"title":      {network.MetadataChange{Title: &lines}, "/network/title"},
		"no URI":     {network.MetadataChange{Element: &network.MetadataElement{Prefix: "a", XML: "<x/>"}}, "URI"},
		"no prefix":  {network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a", XML: "<x/>"}}, "prefix"},
		"prefix xml": {network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a", Prefix: "xmlx", XML: "<x/>"}}, "prefix"},
		"two":        {network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a", Prefix: "a", XML: "<x/><y/>"}}, "one element"},
		"a text":     {network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a", Prefix: "a", XML: "x"}}, "one element"},
		"not XML":    {network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a", Prefix: "a", XML: "<x>"}}, "1:"},
		"out of it":  {network.MetadataChange{Element: &network.MetadataElement{URI: "urn:a", Prefix: "a", XML: "</metadata><metadata>"}}, "xml-syntax"},
	} {
		_, err := parse(t, `<network><name>x</name></network>`).WithMetadata(c.change)
		require.ErrorContains(t, err, c.want, name)
	}
	_, err := parse(t, `<network><name>x</name></network>`).WithMetadata(network.MetadataChange{Title: &lines})
	require.ErrorIs(t, err, fs.ErrInvalid)
}

// Words are changed live and in the definition, and touch nothing.
func TestUpdateMetadata(t *testing.T) {
	w := newUpdateWorld(t)
	log := len(w.Log())
	title := "the network of net 1"
	_, err := w.nets.Update(t.Context(), "net1", network.UpdateRequest{Live: true, Config: true, Metadata: &network.MetadataChange{
		Title: &title, Element: &network.MetadataElement{URI: "urn:app", Prefix: "app", XML: "<owner>alice</owner>"},
	}})
	require.NoError(t, err)
	require.Len(t, w.Log(), log)
	s := w.status(t)
	for _, n := range []*network.Network{s.Live, s.Definition} {
		require.Equal(t, title, n.Title)
		require.Equal(t, "alice", n.Metadata.Of("urn:app").Nodes[0].Text)
	}
}
