// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Family limits a rule to one IP version. The zero Family is both.
type Family uint8

// The families.
const (
	AnyFamily Family = iota
	IPv4
	IPv6
)

// FamilyOf is the family of an address, and AnyFamily of an invalid one.
func FamilyOf(addr netip.Addr) Family {
	switch {
	case !addr.IsValid():
		return AnyFamily
	case addr.Is4():
		return IPv4
	}
	return IPv6
}

// String is nft's word for the family.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ipv4"
	case IPv6:
		return "ipv6"
	}
	return "any"
}

// A Proto limits a rule to one transport protocol, by its IANA number. The zero Proto is any.
type Proto uint8

// The protocols rules speak of.
const (
	AnyProto Proto = 0
	TCP      Proto = 6
	UDP      Proto = 17
	SCTP     Proto = 132
)

// String is nft's word for the protocol.
func (p Proto) String() string {
	switch p {
	case AnyProto:
		return "any"
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return fmt.Sprint(uint8(p))
}

func (p Proto) hasPorts() bool { return p == TCP || p == UDP || p == SCTP }

// A Verdict is what a rule does with a packet that matches.
type Verdict string

// The verdicts. The zero Verdict is not valid.
const (
	// Return ends the chain and leaves the packet to what comes after it.
	Return Verdict = "return"
	// Reject ends the packet and tells its sender (ICMP port unreachable).
	Reject Verdict = "reject"
	// Drop ends the packet silently.
	Drop Verdict = "drop"
	// Masquerade gives the packet the address of the link it leaves by.
	Masquerade Verdict = "masquerade"
	// SNAT gives the packet an address of Rule.Addrs.
	SNAT Verdict = "snat"
)

// A PortRange is a range of transport ports, both ends included. The zero range is none.
type PortRange struct{ From, To uint16 }

// String is nft's word for the range: 80 or 8000-8010.
func (r PortRange) String() string {
	if r.From == r.To {
		return fmt.Sprint(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// An AddrRange is a range of addresses, both ends included. The zero range is none.
type AddrRange struct{ From, To netip.Addr }

// A Rule matches packets and decides about them. What is zero matches everything. Every rule counts its packets.
type Rule struct {
	// Family is both if it is zero; prefixes limit a rule to their own family anyway.
	Family Family `json:",omitzero"`
	// In and Out are names of links: where the packet came from and where it goes to.
	In  string `json:",omitempty"`
	Out string `json:",omitempty"`
	// Src and Dst match addresses; NotDst matches all addresses but these.
	Src    netip.Prefix `json:",omitzero"`
	Dst    netip.Prefix `json:",omitzero"`
	NotDst netip.Prefix `json:",omitzero"`
	Proto  Proto        `json:",omitzero"`
	// DstPorts matches ports of the destination, of TCP, UDP or SCTP.
	DstPorts PortRange `json:",omitzero"`
	// Established matches packets of connections that are known, or related to one.
	Established bool `json:",omitempty"`
	// Forwarded matches packets of connections whose destination was translated, in both directions: see [PortForward].
	Forwarded bool `json:",omitempty"`
	Do        Verdict
	// Addrs is for SNAT, Ports for SNAT and Masquerade of TCP and UDP.
	Addrs AddrRange `json:",omitzero"`
	Ports PortRange `json:",omitzero"`
}

// String is the rule in nft's words.
func (r Rule) String() string {
	var words []string
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if r.Family != AnyFamily && !r.Src.IsValid() && !r.Dst.IsValid() && !r.NotDst.IsValid() {
		add("meta nfproto %s", r.Family)
	}
	if r.In != "" {
		add("iifname %q", r.In)
	}
	if r.Out != "" {
		add("oifname %q", r.Out)
	}
	for _, m := range []struct {
		field  string
		prefix netip.Prefix
	}{{"saddr", r.Src}, {"daddr", r.Dst}, {"daddr !=", r.NotDst}} {
		if m.prefix.IsValid() {
			add("%s %s %s", ipWord(m.prefix.Addr()), m.field, m.prefix)
		}
	}
	if r.Proto != AnyProto {
		add("meta l4proto %s", r.Proto)
	}
	if r.DstPorts != (PortRange{}) {
		add("th dport %s", r.DstPorts)
	}
	if r.Established {
		add("ct state established,related")
	}
	if r.Forwarded {
		add("ct status dnat")
	}
	words = append(words, "counter", r.verdict())
	return strings.Join(words, " ")
}

func (r Rule) verdict() string {
	s := string(r.Do)
	if r.Do == Reject {
		return "reject with icmpx port-unreachable"
	}
	if r.Addrs.From.IsValid() {
		s += " " + ipWord(r.Addrs.From) + " to " + r.addrWord(r.Addrs.From)
		if r.Addrs.To != r.Addrs.From {
			s += "-" + r.addrWord(r.Addrs.To)
		}
	}
	if r.Ports != (PortRange{}) {
		if !r.Addrs.From.IsValid() {
			s += " to "
		}
		s += fmt.Sprintf(":%d-%d", r.Ports.From, r.Ports.To)
	}
	return s
}

// addrWord is an address as nft wants it: in brackets if it is one of IPv6 with ports behind.
func (r Rule) addrWord(addr netip.Addr) string {
	if addr.Is6() && r.Ports != (PortRange{}) {
		return "[" + addr.String() + "]"
	}
	return addr.String()
}

func ipWord(addr netip.Addr) string {
	if addr.Is4() {
		return "ip"
	}
	return "ip6"
}

// check refuses rules that no packet filter can hold.
func (r Rule) check(nat bool) error {
	family := r.Family
	if family > IPv6 {
		return invalid("rule %s: family %d", r, family)
	}
	for _, p := range []netip.Prefix{r.Src, r.Dst, r.NotDst, addrPrefix(r.Addrs.From), addrPrefix(r.Addrs.To)} {
		if !p.IsValid() {
			continue
		}
		if p != p.Masked() || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			return invalid("rule %s: %s is not a network", r, p)
		}
		if family != AnyFamily && family != FamilyOf(p.Addr()) {
			return invalid("rule %s: two families", r)
		}
		family = FamilyOf(p.Addr())
	}
	for _, name := range []string{r.In, r.Out} {
		if name != "" {
			if err := CheckName(name); err != nil {
				return err
			}
		}
	}
	if r.DstPorts != (PortRange{}) && (!r.Proto.hasPorts() || r.DstPorts.From == 0 || r.DstPorts.To < r.DstPorts.From) {
		return invalid("rule %s: ports of the destination", r)
	}
	return r.checkVerdict(nat)
}

func (r Rule) checkVerdict(nat bool) error {
	switch r.Do {
	case Return:
	case Reject, Drop:
		if nat {
			return invalid("rule %s: not a verdict of address translation", r)
		}
	case Masquerade, SNAT:
		if !nat {
			return invalid("rule %s: only address translation can do that", r)
		}
	default:
		return invalid("rule %s: no verdict", r)
	}
	hasAddrs := r.Addrs != AddrRange{}
	if hasAddrs != (r.Do == SNAT) || hasAddrs && (!r.Addrs.From.IsValid() || r.Addrs.To.Less(r.Addrs.From)) {
		return invalid("rule %s: addresses", r)
	}
	if r.Ports != (PortRange{}) && (!nat || r.Do == Return || r.Proto != TCP && r.Proto != UDP || r.Ports.From == 0 || r.Ports.To < r.Ports.From) {
		return invalid("rule %s: ports", r)
	}
	return nil
}

func addrPrefix(addr netip.Addr) netip.Prefix {
	if !addr.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}
