// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/xml"
	"slices"
)

// Extra is what a document says in an element that this library does not know. Every element embeds
// it, so that reading and writing a document loses nothing. What libvirt would not read a second time
// (an element of which only the first counts) is kept here too. Text between elements is kept as words
// with a blank between them.
type Extra struct {
	Attrs []xml.Attr `xml:",any,attr"`
	Nodes []Node     `xml:",any"`
	// Leaves is what children with a text have besides it.
	Leaves Leaves `xml:"-" doc:"leaves"`
}

// HasNode reports whether an unknown or surplus child element of the name is kept, in no namespace.
func (x *Extra) HasNode(local string) bool {
	for i := range x.Nodes {
		if x.Nodes[i].Name == (xml.Name{Local: local}) {
			return true
		}
	}
	return false
}

// IsBare reports whether an element has no unknown content. It is no method, because every element would
// inherit it.
func IsBare(x Extra) bool { return len(x.Attrs) == 0 && len(x.Nodes) == 0 && len(x.Leaves) == 0 }

// CloneExtra returns a copy that shares nothing with x. It is no method, because every element would
// inherit it.
func CloneExtra(x Extra) Extra {
	return Extra{Attrs: slices.Clone(x.Attrs), Nodes: cloneNodes(x.Nodes), Leaves: cloneLeaves(x.Leaves)}
}

func cloneLeaves(leaves Leaves) Leaves {
	c := slices.Clone(leaves)
	for i := range c {
		c[i].Attrs = slices.Clone(c[i].Attrs)
		c[i].Nodes = cloneNodes(c[i].Nodes)
	}
	return c
}

func cloneNodes(nodes []Node) []Node {
	c := slices.Clone(nodes)
	for i := range c {
		c[i].Attrs = slices.Clone(c[i].Attrs)
		c[i].Nodes = cloneNodes(c[i].Nodes)
	}
	return c
}
