// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An IP is an <ip> element: an address of the device inside the guest or, in <source>, on the host.
//
//	<ip address='192.0.2.5' family='ipv4' prefix='24' peer='192.0.2.1'/>
type IP struct {
	Address schema.Addr `xml:"address,attr"`
	// Family is that of the Address when absent.
	Family network.Family `xml:"family,attr,omitempty" doc:"blank,lax"`
	// PrefixLen is how large the subnet is. Absent and 0 are the natural length.
	PrefixLen schema.Number `xml:"prefix,attr,omitempty"`
	// Peer is the other end of a point-to-point device.
	Peer schema.Addr `xml:"peer,attr"`
	schema.Extra
}

func (p *IP) check(c *schema.Check) {
	if !c.Rule(p.Address.Given(), "ip-address", "@address", "an <ip> needs an address") {
		return
	}
	is6 := p.Address.Is6()
	c.Rule(p.Family == 0 || (p.Family == network.IPv6) == is6, "ip-family", "@address", "%s is not of the family %s", p.Address, p.Family)
	c.Rule(p.PrefixLen.Uint() <= uint64(p.Address.BitLen()), "ip-prefix", "@prefix", "%s is more than %d", p.PrefixLen, p.Address.BitLen())
	c.Rule(!p.Peer.Given() || p.Peer.Is6() == is6, "ip-peer", "@peer", "%s is not of the family of %s", p.Peer, p.Address)
}

// unmap makes IPv4 addresses of those in ::ffff:0:0/96 where the family is IPv4.
func (p *IP) unmap() {
	if p.Family == network.IPv4 {
		p.Address = p.Address.Unmap()
	}
	if p.Address.Is4() {
		p.Peer = p.Peer.Unmap()
	}
}

// familyOf returns the family of an address.
func familyOf(a schema.Addr) network.Family {
	if a.Is6() {
		return network.IPv6
	}
	return network.IPv4
}
