// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// zpciNumbers are the numbers of a <zpci> element in the address of a PCI device: where it is on s390.
//
//	<address type='pci'>
//	  <zpci uid='0x0001' fid='0x00000000'/>
//	</address>
var zpciNumbers = []busNumber{{"uid", 0, 32, "0x%04x", zero, 0}, {"fid", 0, 32, "0x%08x", zero, 0}}

// zpci returns the first <zpci>, nil when there is none.
func (a *Address) zpci() *schema.Node {
	at := slices.IndexFunc(a.Nodes, func(n schema.Node) bool { return n.Name == xml.Name{Local: "zpci"} })
	if at < 0 {
		return nil
	}
	return &a.Nodes[at]
}

// checkZPCI checks the numbers of the <zpci>; c stands in the address.
func (a *Address) checkZPCI(c *schema.Check) {
	z := a.zpci()
	if z == nil {
		return
	}
	for _, n := range zpciNumbers {
		if text, ok := attrOf(z.Attrs, n.name); ok {
			_, ok = n.read(text)
			c.Rule(ok, "address-zpci", "zpci/@"+n.name, "%s is not a number of 32 bits", schema.Quote(text))
		}
	}
}

// normalizeZPCI writes both numbers if there is one, and takes a <zpci> without any away.
func (a *Address) normalizeZPCI() {
	z := a.zpci()
	if z == nil {
		return
	}
	var attrs []xml.Attr
	given := false
	for _, n := range zpciNumbers {
		text, ok := attrOf(z.Attrs, n.name)
		given = given || ok
		value, readable := n.read(text)
		if ok && !readable {
			return
		}
		attrs = append(attrs, xml.Attr{Name: xml.Name{Local: n.name}, Value: n.write(value)})
	}
	others := slices.DeleteFunc(slices.Clone(z.Attrs), func(x xml.Attr) bool {
		return slices.ContainsFunc(attrs, func(ours xml.Attr) bool { return ours.Name == x.Name })
	})
	switch {
	case given:
		z.Attrs = append(attrs, others...)
	case len(others)+len(z.Nodes) == 0:
		a.Nodes = slices.DeleteFunc(a.Nodes, func(n schema.Node) bool { return n.Name == xml.Name{Local: "zpci"} && len(n.Attrs)+len(n.Nodes) == 0 })
	}
}

// attrOf returns the attribute of the name in no namespace.
func attrOf(attrs []xml.Attr, name string) (value string, given bool) {
	for _, a := range attrs {
		if a.Name == (xml.Name{Local: name}) {
			return a.Value, true
		}
	}
	return "", false
}
