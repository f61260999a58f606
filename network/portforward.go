// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/xml"
	"net/netip"
	"strconv"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// PortForwards is a <virtnet:forwards> element: ports of the host that lead to guests. It is an extension of this library, in
// a namespace of its own; libvirt 11.3 drops it.
//
//	<virtnet:forwards xmlns:virtnet='https://go-virtnet.github.io/schemas/network/1.0'>
//	  <virtnet:forward proto='tcp' port='8080' to='192.168.122.10' toport='80'/>
//	</virtnet:forwards>
type PortForwards struct {
	Forwards []PortForward `xml:"https://go-virtnet.github.io/schemas/network/1.0 forward" doc:"prefix=virtnet"`
	schema.Extra
}

// A PortForward is a <virtnet:forward> element. Whoever connects to the port of the host gets to the guest, from outside, from
// the host itself, and from guests, also those of the same network. All else that the network keeps from its guests stays so.
//
// Of a network in mode nat, route or open the guest sees who connects, unless that is a guest of the same network; of an
// isolated one, whose guests know no way to others, it sees the network's own address.
//
// Two things are left out. The addresses of loopback: for them the kernel would have to take packets to 127.0.0.1 from guests too
// (net.ipv4.conf.*.route_localnet), and they would reach what listens only there. And where the host has its bridges call the
// filters for IP (net.bridge.bridge-nf-call-iptables), a guest does not get to itself by the host, because a bridge sends nothing
// back to where it came from ([Barriers] says so); a sibling then sees the guest's own address.
//
// A forward that is taken away refuses new connections; those that are known may go on until they end.
//
//	<virtnet:forward proto='udp' address='203.0.113.5' port='5000-5010' to='192.168.122.10' toport='6000-6010'/>
type PortForward struct {
	Proto PortProto `xml:"proto,attr,omitempty"`
	// Address is the address of the host that has the port, or one whose packets are routed to it. Absent is every address of the
	// host but 127.0.0.0/8, ::1 and fe80::/10. A port of one address wins over the same of every address.
	Address schema.Addr `xml:"address,attr"`
	// Ports are one or several.
	Ports Ports `xml:"port,attr,omitempty"`
	// To is the address of the guest.
	To schema.Addr `xml:"to,attr"`
	// ToPorts are as many as Ports, and the same if they are absent.
	ToPorts Ports `xml:"toport,attr,omitempty"`
	schema.Extra
}

// host is the forward as the host has it.
func (p *PortForward) host() host.PortForward {
	to := p.ToPorts
	if !to.Given() {
		to = p.Ports
	}
	return host.PortForward{
		Proto: p.Proto.number(), Addr: p.Address.Addr, Ports: host.PortRange{From: p.Ports.First, To: p.Ports.Last},
		To: p.To.Addr, ToPort: to.First,
	}
}

// portForwards are those of a network, as the host has them.
func (n *Network) portForwards() []host.PortForward {
	if n.PortForwards == nil {
		return nil
	}
	var list []host.PortForward
	for i := range n.PortForwards.Forwards {
		list = append(list, n.PortForwards.Forwards[i].host())
	}
	return host.JoinForwards(list)
}

// portForwardsTo reports whether there is one to a guest with an address of the family.
func (n *Network) portForwardsTo(family Family) bool {
	for _, p := range n.portForwards() {
		if family.has(schema.Addr{Addr: p.To}) {
			return true
		}
	}
	return false
}

// A PortProto is a protocol with ports. The zero PortProto is absent.
type PortProto uint8

// The protocols.
const (
	PortTCP PortProto = iota + 1
	PortUDP
	PortSCTP
)

var portProtoWords = []string{"", "tcp", "udp", "sctp"}

// String returns the word of the document, "" when absent.
func (p PortProto) String() string { return schema.Word(portProtoWords, p) }

// MarshalText returns the same text as String.
func (p PortProto) MarshalText() ([]byte, error) { return schema.MarshalWord(portProtoWords, p) }

// UnmarshalText accepts the words of the document.
func (p *PortProto) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(portProtoWords, text, p)
}

func (p PortProto) number() host.Proto {
	switch p {
	case PortTCP:
		return host.TCP
	case PortUDP:
		return host.UDP
	case PortSCTP:
		return host.SCTP
	}
	return host.AnyProto
}

// Ports is a port, or a range of ports with both ends: 80, 8000-8010. The zero Ports is absent.
type Ports struct{ First, Last uint16 }

// Given reports whether the document has the ports at all.
func (p Ports) Given() bool { return p != Ports{} }

// count is how many they are.
func (p Ports) count() int { return int(p.Last) - int(p.First) + 1 }

// String returns one number or two with a dash, "" when absent.
func (p Ports) String() string {
	if !p.Given() {
		return ""
	}
	return host.PortRange{From: p.First, To: p.Last}.String()
}

// MarshalText returns the same text as String.
func (p Ports) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalXMLAttr leaves absent ports out.
func (p Ports) MarshalXMLAttr(name xml.Name) (xml.Attr, error) {
	if !p.Given() {
		return xml.Attr{}, nil
	}
	return xml.Attr{Name: name, Value: p.String()}, nil
}

// UnmarshalText accepts a number from 1 to 65535, or two of which the second is not smaller.
func (p *Ports) UnmarshalText(text []byte) error {
	first, last, several := strings.Cut(string(text), "-")
	if !several {
		last = first
	}
	from, err1 := strconv.ParseUint(first, 10, 16)
	to, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || from == 0 || to < from {
		return &schema.SyntaxError{Kind: "ports", Text: string(text), Want: "a port from 1 to 65535, or a range such as 8000-8010"}
	}
	*p = Ports{uint16(from), uint16(to)}
	return nil
}

// subnetOf is the subnet of the network that an address lies in, with the address of the network itself.
func (n *Network) subnetOf(a netip.Addr) (netip.Prefix, bool) {
	for i := range n.IPs {
		if p, ok := n.IPs[i].Prefix(); ok && p.Contains(a) {
			return p, true
		}
	}
	return netip.Prefix{}, false
}
