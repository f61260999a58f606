// SPDX-License-Identifier: Apache-2.0

package lossless

import (
	"encoding"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A tree is an element as a document has it: without comments and declarations of prefixes. A text is a tree without
// a name.
type tree struct {
	name  xml.Name
	attrs map[xml.Name]string
	nodes []*tree
	text  string
}

// treeOf takes a document apart.
func treeOf(t testing.TB, text string) *tree {
	t.Helper()
	root := new(tree)
	open := []*tree{root}
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, text)
		top := open[len(open)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			at := &tree{name: tok.Name, attrs: map[xml.Name]string{}}
			for _, a := range tok.Attr {
				if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
					at.attrs[a.Name] = a.Value
				}
			}
			top.nodes = append(top.nodes, at)
			open = append(open, at)
		case xml.CharData:
			if last := len(top.nodes) - 1; last >= 0 && top.nodes[last].name.Local == "" {
				top.nodes[last].text += string(tok)
			} else {
				top.nodes = append(top.nodes, &tree{text: string(tok)})
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
	for _, n := range root.nodes {
		if n.name.Local != "" {
			return n
		}
	}
	t.Fatalf("no document: %s", text)
	return nil
}

// dnsmasq and own are the namespaces of the only known elements that have one.
const (
	dnsmasq = "http://libvirt.org/schemas/network/dnsmasq/1.0"
	own     = "https://go-virtnet.github.io/schemas/network/1.0"
)

// addUp are the elements of a network of which several make one.
var addUp = []xml.Name{{Local: "mtu"}, {Space: dnsmasq, Local: "options"}, {Space: own, Local: "forwards"}, {Space: own, Local: "input"}}

// anywhere are the known elements that count in every namespace.
var anywhere = []string{"range", "host", "bootp", "lease", "hostname"}

// elements returns the children of n by name, each name's in order, with what adds up made one.
func (n *tree) elements() map[xml.Name][]*tree {
	all := map[xml.Name][]*tree{}
	for _, c := range n.nodes {
		name := c.name
		switch {
		case name.Local == "":
			continue
		case slices.Contains(anywhere, name.Local) && (n.name.Local == "dhcp" || n.name.Local == "host" || n.name.Local == "range"):
			name.Space = ""
		}
		if n.name.Local == "network" && slices.Contains(addUp, name) && len(all[name]) > 0 {
			sum := all[name][0]
			sum.nodes = append(sum.nodes, c.nodes...)
			for a, value := range c.attrs {
				if sum.attrs[a] == "" {
					sum.attrs[a] = value
				}
			}
			continue
		}
		all[name] = append(all[name], c)
	}
	return all
}

// words are the words of the texts right in n.
func (n *tree) words() []string {
	var words []string
	for _, c := range n.nodes {
		if c.name.Local == "" {
			words = append(words, strings.Fields(c.text)...)
		}
	}
	return words
}

// isLeaf reports whether n has nothing in it but text, if that.
func (n *tree) isLeaf() bool {
	return !slices.ContainsFunc(n.nodes, func(c *tree) bool { return c.name.Local != "" })
}

// whole is the text in n, and in what is in it.
func (n *tree) whole() string {
	s := n.text
	for _, c := range n.nodes {
		s += c.whole()
	}
	return s
}

// lost appends what is in n and not in written: the place, and what is missing or different there.
func (n *tree) lost(written *tree, path string, found *[]string) {
	fail := func(format string, args ...any) { *found = append(*found, path+": "+fmt.Sprintf(format, args...)) }
	for name, value := range n.attrs {
		got, ok := written.attrs[name]
		switch {
		case !ok && value != "":
			fail("the attribute %s=%q is lost", name, value)
		case ok && !same(value, got) && !(n.name.Local == "model" && strings.EqualFold(value, got)):
			fail("the attribute %s=%q has become %q", name, value, got)
		}
	}
	for name, value := range written.attrs {
		if _, ok := n.attrs[name]; !ok && !(n.name.Local == "address" && strings.Trim(value, "0x") == "") {
			fail("the attribute %s=%q has appeared", name, value)
		}
	}
	if n.isLeaf() {
		if a, b := n.whole(), written.whole(); !same(a, b) && !same(strings.TrimSpace(a), strings.TrimSpace(b)) {
			fail("the text %q has become %q", a, b)
		}
	} else if a, b := n.words(), written.words(); !slices.Equal(a, b) {
		fail("the words %q have become %q", a, b)
	}
	before, after := n.elements(), written.elements()
	for name, all := range before {
		got := after[name]
		if len(got) != len(all) {
			all = slices.DeleteFunc(slices.Clone(all), func(c *tree) bool { return len(c.attrs) == 0 && len(c.nodes) == 0 && len(got) < len(before[name]) })
		}
		if len(got) != len(all) {
			fail("of %d elements %s there are %d", len(all), name, len(got))
			continue
		}
		for i := range all {
			all[i].lost(got[i], fmt.Sprintf("%s/%s[%d]", path, name.Local, i+1), found)
		}
	}
	for name, all := range after {
		if len(before[name]) == 0 && !(name.Local == "name" && all[0].whole() == "") {
			fail("%d elements %s have appeared", len(all), name)
		}
	}
	if n.name.Local == "metadata" || n.name.Space != "" && n.name.Space != dnsmasq && n.name.Space != own {
		if a, b := n.order(), written.order(); a != b {
			fail("the order %s has become %s", a, b)
		}
	}
}

// order is the names of the children of n.
func (n *tree) order() string {
	var names []string
	for _, c := range n.nodes {
		if c.name.Local != "" {
			names = append(names, c.name.Local)
		}
	}
	return strings.Join(names, " ")
}

// A scalar is a value with one spelling.
type scalar interface {
	encoding.TextUnmarshaler
	fmt.Stringer
}

// same reports whether written is how the value is written.
func same(value, written string) bool {
	if value == written {
		return true
	}
	for _, s := range []scalar{new(schema.UUID), new(schema.MAC), new(schema.Addr), new(schema.CNumber32), new(schema.CNumber), new(schema.Number32), new(schema.Number),
		new(hostdev.Hex4), new(hostdev.Hex2), new(hostdev.Hex1)} {
		if s.UnmarshalText([]byte(value)) == nil && s.String() == written {
			return true
		}
	}
	return false
}
