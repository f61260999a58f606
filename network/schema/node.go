// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/xml"
	"iter"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/internal/xmldoc"
)

// A Node is an element of unknown content with all that is in it, or a piece of text between elements.
// Comments and processing instructions are not kept, nor is white space that only indents.
//
// Names are resolved: Name.Space is the namespace, not the prefix. The declarations of prefixes stand
// among Attrs as the document has them (Space is "xmlns", or Local is "xmlns"), those of the ancestors
// added to the outermost node, so that a node means the same wherever it is put.
type Node struct {
	Name  xml.Name   // the zero Name makes it a text
	Attrs []xml.Attr // attributes in the order of the document
	Text  string     // of a text
	Nodes []Node     // children of an element, texts included
}

// maxNodeDepth bounds the nesting of unknown content.
const maxNodeDepth = 256

// depthError says that unknown content is nested too deep.
type depthError struct{}

func (depthError) Error() string { return "elements are nested more than 256 deep" }
func (depthError) Rule() string  { return "xml-depth" }

// IsText reports whether n is a piece of text.
func (n *Node) IsText() bool { return n.Name.Local == "" }

// UnmarshalXML reads the element that start opens.
func (n *Node) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	return n.read(d, start, false)
}

// read reads the element that start opens, with all its white space or without what only indents.
func (n *Node) read(d *xml.Decoder, start xml.StartElement, space bool) error {
	if err := xmldoc.CheckNames(start); err != nil {
		return err
	}
	*n = Node{Name: start.Name, Attrs: slices.Clone(start.Attr)}
	open := []*Node{n} // pointers stay good: a parent's slice grows only while it is the innermost
	declared := n.declarations()
	for len(open) > 0 {
		tok, err := d.Token()
		if err != nil {
			return err
		}
		top := open[len(open)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			if len(open) >= maxNodeDepth {
				return depthError{}
			}
			if err := xmldoc.CheckNames(tok); err != nil {
				return err
			}
			top.Nodes = append(top.Nodes, Node{Name: tok.Name, Attrs: slices.Clone(tok.Attr)})
			top = &top.Nodes[len(top.Nodes)-1]
			if declared += top.declarations(); declared > xmldoc.MaxAttrs {
				return xmldoc.TooMany("prefixes declared around it", declared)
			}
			open = append(open, top)
		case xml.CharData:
			if len(tok) > 0 {
				top.addText(string(tok))
			}
		case xml.EndElement:
			if !space {
				top.dropIndent()
			}
			declared -= top.declarations()
			open = open[:len(open)-1]
		}
	}
	return nil
}

// AddWords appends words to a text, after a blank if it has some.
func (n *Node) AddWords(words string) {
	if n.Text != "" {
		n.Text += " "
	}
	n.Text += words
}

// declarations counts the declarations of prefixes in n itself.
func (n *Node) declarations() int {
	count := 0
	for _, a := range n.Attrs {
		if xmldoc.IsDeclaration(a) {
			count++
		}
	}
	return count
}

// addText appends s, joining what a comment or a CDATA section divided.
func (n *Node) addText(s string) {
	if last := len(n.Nodes) - 1; last >= 0 && n.Nodes[last].IsText() {
		n.Nodes[last].Text += s
		return
	}
	n.Nodes = append(n.Nodes, Node{Text: s})
}

// dropIndent removes the texts of an element that has child elements and otherwise only white space.
func (n *Node) dropIndent() {
	elements := 0
	for i := range n.Nodes {
		switch {
		case !n.Nodes[i].IsText():
			elements++
		case strings.Trim(n.Nodes[i].Text, " \t\r\n") != "":
			return
		}
	}
	if elements == 0 || elements == len(n.Nodes) {
		return
	}
	kept := n.Nodes[:0]
	for i := range n.Nodes {
		if !n.Nodes[i].IsText() {
			kept = append(kept, n.Nodes[i])
		}
	}
	clear(n.Nodes[len(kept):])
	n.Nodes = kept
}

// MarshalXML writes the element with the prefixes it declares.
func (n Node) MarshalXML(e *xml.Encoder, _ xml.StartElement) error {
	for tok := range n.Tokens() {
		if err := e.EncodeToken(tok); err != nil {
			return err
		}
	}
	return nil
}

// Tokens returns n as tokens ready to be written: names carry their prefix in Local, declarations are
// attributes named xmlns:PREFIX, and what no declaration in n covers gets one.
func (n Node) Tokens() iter.Seq[xml.Token] {
	return func(yield func(xml.Token) bool) { n.tokens(nil, yield) }
}

func (n *Node) tokens(sc *scope, yield func(xml.Token) bool) bool {
	if n.IsText() {
		return yield(xml.CharData(n.Text))
	}
	start, sc := n.start(sc)
	if !yield(start) {
		return false
	}
	for i := range n.Nodes {
		if !n.Nodes[i].tokens(sc, yield) {
			return false
		}
	}
	return yield(start.End())
}
