// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/xml"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A MetadataChange is what becomes of the words that people and applications keep with a network: virsh net-desc and
// net-metadata. What is nil stays as it is.
type MetadataChange struct {
	// Title and Description are the new ones; empty takes them away. A title is one line.
	Title, Description *string
	// Element takes the place of the one that <metadata> has of its namespace.
	Element *MetadataElement
}

// A MetadataElement is a child of <metadata>, of the namespace of its application. See [Metadata.Of] for what is there.
type MetadataElement struct {
	// URI is the namespace, and Prefix what stands for it in the document.
	URI, Prefix string
	// XML is one element; its own namespace does not matter. Empty takes the element away.
	XML string
}

// WithMetadata returns n with other words; n itself stays as it is. The error is [schema.Violations] for XML that cannot be read, or
// wraps [fs.ErrInvalid].
func (n *Network) WithMetadata(c MetadataChange) (*Network, error) {
	n = n.Clone()
	if c.Title != nil {
		if strings.Contains(*c.Title, "\n") {
			return nil, fail(fs.ErrInvalid, "/network/title: a title is one line; several are for a description")
		}
		n.Title = *c.Title
	}
	if c.Description != nil {
		n.Description = *c.Description
	}
	if c.Element == nil {
		return n, nil
	}
	node, err := c.Element.node()
	if err != nil {
		return nil, err
	}
	if n.Metadata == nil {
		n.Metadata = new(Metadata)
	}
	n.Metadata.set(c.Element.URI, node)
	if schema.IsBare(n.Metadata.Extra) {
		n.Metadata = nil
	}
	return n, nil
}

// node reads the element; nil when it is empty.
func (e *MetadataElement) node() (*schema.Node, error) {
	if e.URI == "" {
		return nil, fail(fs.ErrInvalid, "/network/metadata: an element needs the URI of a namespace")
	}
	if strings.TrimSpace(e.XML) == "" {
		return nil, nil
	}
	if !isPrefix(e.Prefix) {
		return nil, fail(fs.ErrInvalid, "/network/metadata: %s is not a prefix: a letter or _, then letters, digits, - and _, and not xml", schema.Quote(e.Prefix))
	}
	const before = "<metadata>"
	var m Metadata
	_, _, err := schema.Reader{}.Read(strings.NewReader(before+e.XML+"</metadata>"), "metadata", &m)
	if vs, ok := err.(schema.Violations); ok { //nolint:errorlint // a Reader returns nothing else for a text
		for _, v := range vs {
			v.Path = "/network" + v.Path
			if v.Line == 1 {
				v.Column = max(v.Column-len(before), 1)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if len(m.Nodes) != 1 || m.Nodes[0].IsText() {
		return nil, fail(fs.ErrInvalid, "/network/metadata: the XML has to be one element")
	}
	node := m.Nodes[0]
	node.Name.Space = e.URI
	declares := xml.Attr{Name: xml.Name{Space: "xmlns", Local: e.Prefix}, Value: e.URI}
	node.Attrs = slices.DeleteFunc(node.Attrs, func(a xml.Attr) bool { return a.Name == declares.Name })
	node.Attrs = append([]xml.Attr{declares}, node.Attrs...)
	return &node, nil
}

// isPrefix reports whether s can stand for a namespace.
func isPrefix(s string) bool {
	return s != "" && onlyWords(s, "-_") && !strings.ContainsAny(s[:1], "0123456789-") && !strings.HasPrefix(strings.ToLower(s), "xml")
}

// set puts an element in the place of the first of the namespace, and takes the others of it away.
func (m *Metadata) set(space string, node *schema.Node) {
	of := func(n schema.Node) bool { return !n.IsText() && n.Name.Space == space }
	at := slices.IndexFunc(m.Nodes, of)
	m.Nodes = slices.DeleteFunc(m.Nodes, of)
	if node == nil {
		return
	}
	if at < 0 {
		at = len(m.Nodes)
	}
	m.Nodes = slices.Insert(m.Nodes, at, *node)
}
