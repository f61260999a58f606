// SPDX-License-Identifier: Apache-2.0

package schema_test

import (
	"encoding/xml"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A house is a document with elements of text.
type house struct {
	XMLName xml.Name    `xml:"house"`
	Name    string      `xml:"name"`
	ID      schema.UUID `xml:"id"`
	Rooms   []string    `xml:"room"`
	schema.Extra
}

func readHouse(t *testing.T, text string) *house {
	t.Helper()
	h := new(house)
	_, complete, err := schema.Reader{}.Read(strings.NewReader(text), "house", h)
	require.NoError(t, err)
	require.True(t, complete)
	return h
}

func writeHouse(t *testing.T, h *house) string {
	t.Helper()
	text, err := schema.AppendDocument(nil, "house", h)
	require.NoError(t, err)
	return string(text)
}

func TestLeaves(t *testing.T) {
	const text = `<house>
  <name lang='en' xmlns:ns2='urn:a' ns2:b='1'>Green <em>or</em> blue</name>
  <id was='7'></id>
  <room>hall</room>
  <room floor='1'>bath</room>
  far out
  <garden/>
</house>
`
	h := readHouse(t, text)
	assert.Equal(t, "Green or blue", h.Name)
	assert.Equal(t, []string{"hall", "bath"}, h.Rooms)
	assert.Len(t, h.Leaves, 3)
	assert.Equal(t, text, writeHouse(t, h))
	assert.False(t, schema.IsBare(h.Extra))

	c := schema.CloneExtra(h.Extra)
	require.Equal(t, h.Extra, c)
	c.Leaves[0].Attrs[0].Value, c.Leaves[1].Nodes = "", nil
	h.Name, h.Rooms = "Red", h.Rooms[:1]
	assert.Equal(t, `<house>
  <name lang='en' xmlns:ns2='urn:a' ns2:b='1'>Red</name>
  <id was='7'></id>
  <room>hall</room>
  far out
  <garden/>
</house>
`, writeHouse(t, h), "attributes stay, elements go with the text that they were in")
}

func TestManyLeavesInLinearTime(t *testing.T) {
	var b strings.Builder
	b.WriteString("<house>")
	for i := range 100_000 {
		fmt.Fprintf(&b, "<room n='%d'>r</room>", i)
	}
	b.WriteString("</house>")
	h := readHouse(t, b.String())
	require.Len(t, h.Leaves, 100_000)
	assert.Contains(t, writeHouse(t, h), "<room n='99999'>r</room>")
}
