// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A tree is an element of a document as a value to compare: names resolved, attributes in the order of their names,
// children in the order of the document. Declarations of prefixes, comments and white space between elements are not
// part of it.
type tree struct {
	name  xml.Name
	attrs []xml.Attr
	text  string
	kids  []*tree
}

// parseTree reads the first element of a text.
func parseTree(text string) (*tree, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var root *tree
	var open []*tree
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) && root != nil {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			t := newTree(tok)
			if len(open) > 0 {
				top := open[len(open)-1]
				top.kids = append(top.kids, t)
			} else if root == nil {
				root = t
			}
			open = append(open, t)
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text += string(tok)
			}
		case xml.EndElement:
			top := open[len(open)-1]
			if len(top.kids) > 0 && strings.TrimSpace(top.text) == "" {
				top.text = ""
			}
			top.text = lineEnds(top.text)
			open = open[:len(open)-1]
		}
	}
}

func newTree(start xml.StartElement) *tree {
	t := &tree{name: start.Name}
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || a.Name == (xml.Name{Local: "xmlns"}) {
			continue
		}
		a.Value = lineEnds(a.Value)
		t.attrs = append(t.attrs, a)
	}
	slices.SortFunc(t.attrs, func(a, b xml.Attr) int {
		return strings.Compare(a.Name.Space+" "+a.Name.Local, b.Name.Space+" "+b.Name.Local)
	})
	return t
}

// lineEnds makes line ends what they are after writing and reading: libvirt writes them as they are.
func lineEnds(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

// child returns the first child of the name in no namespace, nil when there is none or t is nil.
func (t *tree) child(name string) *tree {
	if t == nil {
		return nil
	}
	for _, k := range t.kids {
		if k.name == (xml.Name{Local: name}) {
			return k
		}
	}
	return nil
}

// attr returns the value of an attribute, "" when it is absent or t is nil.
func (t *tree) attr(name string) string {
	if t == nil {
		return ""
	}
	for _, a := range t.attrs {
		if a.Name == (xml.Name{Local: name}) {
			return a.Value
		}
	}
	return ""
}

// drop removes the first child of the name in no namespace.
func (t *tree) drop(name string) {
	if k := t.child(name); k != nil {
		t.kids = slices.DeleteFunc(t.kids, func(other *tree) bool { return other == k })
	}
}

// dropAttr removes an attribute.
func (t *tree) dropAttr(name string) {
	if t != nil {
		t.attrs = slices.DeleteFunc(t.attrs, func(a xml.Attr) bool { return a.Name == (xml.Name{Local: name}) })
	}
}

// String returns t in one layout, so that equal trees are equal texts.
func (t *tree) String() string {
	var b strings.Builder
	t.write(&b, "")
	return b.String()
}

func (t *tree) write(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%s<%s", indent, full(t.name))
	for _, a := range t.attrs {
		fmt.Fprintf(b, " %s=%q", full(a.Name), a.Value)
	}
	b.WriteString(">")
	if t.text != "" {
		fmt.Fprintf(b, " %q", t.text)
	}
	b.WriteString("\n")
	for _, k := range t.kids {
		k.write(b, indent+"  ")
	}
}

func full(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return "{" + n.Space + "}" + n.Local
}

// set changes an attribute if t has it.
func (t *tree) set(name, value string) {
	if t == nil {
		return
	}
	for i := range t.attrs {
		if t.attrs[i].Name == (xml.Name{Local: name}) {
			t.attrs[i].Value = value
		}
	}
}

// profile returns the first <parameters> of a <virtualport>, in whatever namespace, as libvirt looks it up.
func (t *tree) profile() *tree {
	if t == nil {
		return nil
	}
	for _, k := range t.kids {
		if k.name.Local == "parameters" {
			return k
		}
	}
	return nil
}

// xml returns t as a document.
func (t *tree) xml() string {
	var b strings.Builder
	t.writeXML(xml.NewEncoder(&b))
	return b.String()
}

func (t *tree) writeXML(e *xml.Encoder) {
	start := xml.StartElement{Name: t.name, Attr: t.attrs}
	// A strings.Builder takes everything.
	_ = e.EncodeToken(start)
	_ = e.EncodeToken(xml.CharData(t.text))
	for _, k := range t.kids {
		k.writeXML(e)
	}
	_ = e.EncodeToken(start.End())
	_ = e.Flush()
}

// adopt moves a child that libvirt writes behind its parent into it: the <driver> of a <forward> that has nothing else.
func (t *tree) adopt(name, parent string) {
	if k, to := t.child(name), t.child(parent); k != nil && to != nil {
		t.drop(name)
		to.kids = append([]*tree{k}, to.kids...)
	}
}

// has reports whether a path of a violation leads somewhere in t.
func (t *tree) has(path string) bool {
	at := t
	for i, step := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if name, ok := strings.CutPrefix(step, "@"); ok {
			return slices.ContainsFunc(at.attrs, func(a xml.Attr) bool { return a.Name.Local == name })
		}
		if i == 0 {
			continue
		}
		if at = at.step(step); at == nil {
			return false
		}
	}
	return true
}

// step returns the child that one step of a path names: ip, ip[2], dnsmasq:options.
func (t *tree) step(step string) *tree {
	name, index, _ := strings.Cut(step, "[")
	if _, local, ok := strings.Cut(name, ":"); ok {
		name = local
	}
	n := 1
	if index != "" {
		if _, err := fmt.Sscanf(index, "%d]", &n); err != nil {
			return nil
		}
	}
	for _, k := range t.kids {
		if k.name.Local == name {
			if n--; n == 0 {
				return k
			}
		}
	}
	return nil
}
