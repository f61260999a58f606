// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An Address is an <address> element: where a device is on a bus, of the guest or, in <source>, of the
// host. The numbers are those of PCI, in any base of C; what other buses have is kept in Extra.
//
//	<address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x2'/>
//	<address type='usb' bus='1' device='4'/>
type Address struct {
	Type     schema.Text `xml:"type,attr,omitempty"`
	Domain   schema.Text `xml:"domain,attr,omitempty"`
	Bus      schema.Text `xml:"bus,attr,omitempty"`
	Slot     schema.Text `xml:"slot,attr,omitempty"`
	Function schema.Text `xml:"function,attr,omitempty"`
	schema.Extra
}

// NewAddress returns the element that names the PCI device k of the host.
func NewAddress(k hostdev.Key) *Address {
	return &Address{
		Type:     pciBus,
		Domain:   schema.Text(hostdev.Hex4(k.Domain).String()),
		Bus:      schema.Text(hostdev.Hex2(k.Bus).String()),
		Slot:     schema.Text(hostdev.Hex2(k.Slot).String()),
		Function: schema.Text(hostdev.Hex1(k.Function).String()),
	}
}

// pciBus is the type of the addresses on a PCI bus.
const pciBus = "pci"

// PCI returns the PCI device that a names. It is false when a is nil, on another bus, or has numbers that
// cannot be read. Absent numbers are 0.
func (a *Address) PCI() (hostdev.Key, bool) {
	if a == nil || a.Type != pciBus {
		return hostdev.Key{}, false
	}
	var k hostdev.Key
	for _, part := range []struct {
		text schema.Text
		to   *uint32
	}{{a.Domain, &k.Domain}, {a.Bus, &k.Bus}, {a.Slot, &k.Slot}, {a.Function, &k.Function}} {
		if !part.text.Given() {
			continue
		}
		var n schema.CNumber
		if n.UnmarshalText([]byte(part.text.String())) != nil || n.Uint() > 1<<32-1 {
			return hostdev.Key{}, false
		}
		*part.to = uint32(n.Uint())
	}
	return k, true
}
