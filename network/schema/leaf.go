// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"cmp"
	"encoding/xml"
	"iter"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/internal/xmldoc"
)

// A Leaf is unknown content of an element that the model holds as its text alone, such as the <name> of
// a network: attributes, and elements in the text.
//
//	<name lang='en'>default</name>
type Leaf struct {
	Name  string // of the element
	Index int    // which of the elements of that name, from 0
	Attrs []xml.Attr
	// Nodes is the content with the elements in it, nil if it has only text. It is written as long as its text is
	// that of the model.
	Nodes []Node
}

// Leaves are the leaves of one element, at most one of each name and index, in the order of these.
type Leaves []Leaf

// Leaf finds a leaf for the reader and the writer of documents; nil if there is none.
func (s *Leaves) Leaf(name string, index int) xmldoc.Leaf {
	if i, ok := s.find(name, index); ok {
		return &(*s)[i]
	}
	return nil
}

func (s *Leaves) find(name string, index int) (at int, ok bool) {
	if len(*s) == 0 {
		return 0, false
	}
	return slices.BinarySearchFunc(*s, Leaf{Name: name, Index: index}, func(a, b Leaf) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Index, b.Index))
	})
}

// AddLeaf adds a leaf for the reader of documents.
func (s *Leaves) AddLeaf(name string, index int) xmldoc.Leaf {
	at, _ := s.find(name, index)
	*s = slices.Insert(*s, at, Leaf{Name: name, Index: index})
	return &(*s)[at]
}

// AddAttr adds an attribute.
func (f *Leaf) AddAttr(a xml.Attr) { f.Attrs = append(f.Attrs, a) }

// AddText adds a text to Nodes.
func (f *Leaf) AddText(text string) {
	if text != "" {
		f.Nodes = append(f.Nodes, Node{Text: text})
	}
}

// AddElement adds the element that start opens to Nodes, and returns the text in it.
func (f *Leaf) AddElement(from *xml.Decoder, start xml.StartElement, declared []xml.Attr) (string, error) {
	var n Node
	if err := n.read(from, start, true); err != nil {
		return "", err
	}
	n.Inherit(declared)
	f.Nodes = append(f.Nodes, n)
	return n.content(), nil
}

// Attributes returns Attrs.
func (f *Leaf) Attributes() []xml.Attr { return f.Attrs }

// Content returns Nodes ready to be written, nil if they do not have that text or no elements.
func (f *Leaf) Content(text string) iter.Seq[xml.Token] {
	var content strings.Builder
	for i := range f.Nodes {
		content.WriteString(f.Nodes[i].content())
	}
	if content.String() != text || !slices.ContainsFunc(f.Nodes, func(n Node) bool { return !n.IsText() }) {
		return nil
	}
	return func(yield func(xml.Token) bool) {
		for i := range f.Nodes {
			if !f.Nodes[i].tokens(nil, yield) {
				return
			}
		}
	}
}

// content returns all the text in n.
func (n *Node) content() string {
	if n.IsText() {
		return n.Text
	}
	var b strings.Builder
	for i := range n.Nodes {
		b.WriteString(n.Nodes[i].content())
	}
	return b.String()
}
