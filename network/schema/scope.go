// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/xml"
	"strconv"
)

// A scope is one declaration of a prefix and, by way of up, all those around it.
type scope struct {
	prefix, uri string
	up          *scope
}

// xmlSpace is the namespace of xml:lang and its like; its prefix needs no declaration.
const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// space returns the namespace that prefix stands for.
func (s *scope) space(prefix string) (space string, ok bool) {
	for ; s != nil; s = s.up {
		if s.prefix == prefix {
			return s.uri, true
		}
	}
	return "", prefix == ""
}

// prefixOf returns a prefix that stands for space and is not hidden by a nearer declaration: for an element
// none if it can, which an attribute cannot.
func (s *scope) prefixOf(space string, attr bool) (prefix string, ok bool) {
	if got, ok := s.lookup(""); ok && !attr && got.uri == space {
		return "", true
	}
	for at := s; at != nil; at = at.up {
		if at.uri != space || attr && at.prefix == "" {
			continue
		}
		if got, _ := s.lookup(at.prefix); got == at {
			return at.prefix, true
		}
	}
	return "", false
}

func (s *scope) lookup(prefix string) (*scope, bool) {
	for ; s != nil; s = s.up {
		if s.prefix == prefix {
			return s, true
		}
	}
	return nil, false
}

// declaration returns what a declares, if it is the declaration of a prefix.
func declaration(a xml.Attr) (prefix string, ok bool) {
	switch {
	case a.Name.Space == "xmlns":
		return a.Name.Local, true
	case a.Name.Space == "" && a.Name.Local == "xmlns":
		return "", true
	}
	return "", false
}

// start returns the start tag of n with its names spelled out, declarations first, and the scope of its content.
func (n *Node) start(sc *scope) (xml.StartElement, *scope) {
	var declared, attrs []xml.Attr
	declareNew := func(prefix, space string) {
		sc = &scope{prefix, space, sc}
		declared = append(declared, declare(prefix, space))
	}
	for _, a := range n.Attrs {
		if prefix, ok := declaration(a); ok {
			declareNew(prefix, a.Value)
		}
	}
	name := n.Name.Local
	if n.Name.Space == "" {
		if space, _ := sc.space(""); space != "" {
			declareNew("", "")
		}
	} else if prefix, ok := sc.prefixOf(n.Name.Space, false); ok {
		name = qualify(prefix, name)
	} else if _, taken := declaredIn(n.Attrs, ""); taken {
		prefix := sc.free()
		declareNew(prefix, n.Name.Space)
		name = qualify(prefix, name)
	} else {
		declareNew("", n.Name.Space)
	}
	for _, a := range n.Attrs {
		if _, ok := declaration(a); ok {
			continue
		}
		local := a.Name.Local
		switch a.Name.Space {
		case "":
		case "xml", xmlSpace:
			local = "xml:" + local
		default:
			prefix, ok := sc.prefixOf(a.Name.Space, true)
			if !ok {
				prefix = sc.free()
				declareNew(prefix, a.Name.Space)
			}
			local = qualify(prefix, local)
		}
		attrs = append(attrs, xml.Attr{Name: xml.Name{Local: local}, Value: a.Value})
	}
	return xml.StartElement{Name: xml.Name{Local: name}, Attr: append(declared, attrs...)}, sc
}

// free returns a prefix that nothing in scope uses.
func (s *scope) free() string {
	for i := 1; ; i++ {
		prefix := "ns" + strconv.Itoa(i)
		if _, taken := s.lookup(prefix); !taken {
			return prefix
		}
	}
}

func declaredIn(attrs []xml.Attr, prefix string) (space string, ok bool) {
	for _, a := range attrs {
		if p, is := declaration(a); is && p == prefix {
			return a.Value, true
		}
	}
	return "", false
}

func declare(prefix, space string) xml.Attr {
	name := "xmlns"
	if prefix != "" {
		name += ":" + prefix
	}
	return xml.Attr{Name: xml.Name{Local: name}, Value: space}
}

func qualify(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}

// Inherit adds to n those of the declarations around it, outermost first, that n needs to be written with
// the prefixes it was read with.
func (n *Node) Inherit(declared []xml.Attr) {
	if len(declared) == 0 {
		return
	}
	used := map[string]bool{}
	n.spaces(used)
	for i := len(declared) - 1; i >= 0; i-- {
		if !used[declared[i].Value] {
			continue
		}
		prefix, _ := declaration(declared[i])
		if _, hidden := declaredIn(n.Attrs, prefix); !hidden && n.needs(declared[i].Value, prefix != "", nil) {
			n.Attrs = append(n.Attrs, declared[i])
		}
	}
}

// spaces adds the namespaces of all names in n.
func (n *Node) spaces(used map[string]bool) {
	if n.IsText() {
		return
	}
	used[n.Name.Space] = true
	for _, a := range n.Attrs {
		if a.Name.Space != "" {
			used[a.Name.Space] = true
		}
	}
	for i := range n.Nodes {
		n.Nodes[i].spaces(used)
	}
}

// needs reports whether a name in n is in the namespace uri and nothing in n declares a prefix for it.
func (n *Node) needs(uri string, attrsToo bool, sc *scope) bool {
	if n.IsText() {
		return false
	}
	for _, a := range n.Attrs {
		if prefix, ok := declaration(a); ok {
			sc = &scope{prefix, a.Value, sc}
		}
	}
	if _, ok := sc.prefixOf(uri, false); n.Name.Space == uri && !ok {
		return true
	}
	for _, a := range n.Attrs {
		if _, ok := sc.prefixOf(uri, true); attrsToo && a.Name.Space == uri && !ok {
			return true
		}
	}
	for i := range n.Nodes {
		if n.Nodes[i].needs(uri, attrsToo, sc) {
			return true
		}
	}
	return false
}
