// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

// The kinds of messages and options of RFC 4861, 8106.
const (
	typeSolicitation  = 133
	typeAdvertisement = 134

	optionHardware = 1
	optionPrefix   = 3
	optionMTU      = 5
	optionServers  = 25
	optionDomains  = 31

	flagManaged    = 1 << 7
	flagOther      = 1 << 6
	flagOnLink     = 1 << 7
	flagAutonomous = 1 << 6

	routerHops = 64
	etherLen   = 6
	// ownBits is how long the prefix is in which guests choose addresses: RFC 4862, with that of RFC 2464.
	ownBits = 64
	// routerTime is for how long an advertisement makes the host a router, in seconds: three times as long as the longest
	// silence between two of them.
	routerTime = 1800
	forever    = 1<<32 - 1
)

// advertises reports whether the routers of a network have something to say: it has a prefix of IPv6 that is no secret.
func advertises(s *host.Server) bool {
	for i := range s.Subnets {
		if advertised(&s.Subnets[i]) {
			return true
		}
	}
	return false
}

func advertised(s *host.Subnet) bool {
	return s.Prefix.Addr().Is6() && (s.HasDHCP() || !s.Silent && s.Prefix.Bits() <= ownBits)
}

// advertisement is what a router says of a network, without the sum, which is the kernel's: RFC 4861, section 4.2.
func advertisement(s *host.Server, d *dhcpDirectives, hardware net.HardwareAddr, mtu int) []byte {
	life := uint16(routerTime)
	if s.NoRouter {
		life = 0
	}
	flags := byte(0)
	var options []byte
	for i := range s.Subnets {
		sub := &s.Subnets[i]
		if !advertised(sub) {
			continue
		}
		if sub.HasDHCP() {
			flags = flagManaged | flagOther
		}
		options = append(options, prefixOption(sub)...)
	}
	m := []byte{typeAdvertisement, 0, 0, 0, routerHops, flags}
	m = append(binary.BigEndian.AppendUint16(m, life), make([]byte, 8)...)
	m = append(m, options...)
	if mtu > 0 {
		m = binary.BigEndian.AppendUint32(append(m, optionMTU, 1, 0, 0), uint32(mtu))
	}
	if len(hardware) == etherLen {
		m = append(append(m, optionHardware, 1), hardware...)
	}
	const servers, search = 23, 24
	said := d.chosen(tags{s.Link}, true)
	switch {
	case said[servers] != nil:
		m = append(m, saidServers(s, said[servers])...)
	case s.DNS != nil:
		m = append(m, serversOption(s)...)
	}
	wire, ok := wireName(s.Domain)
	switch {
	case said[search] != nil:
		m = append(m, domainsOption(said[search].value.data)...)
	case ok && s.DNS != nil:
		m = append(m, domainsOption(wire)...)
	}
	return m
}

// saidServers tells the servers of names that options name for DHCPv6.
func saidServers(s *host.Server, line *optionLine) []byte {
	var own netip.Addr
	for i := range s.Subnets {
		if sub := &s.Subnets[i]; advertised(sub) && !own.IsValid() {
			own = sub.Prefix.Addr()
		}
	}
	list := line.value.bytes(own)
	if len(list) == 0 {
		return nil
	}
	o := binary.BigEndian.AppendUint32([]byte{optionServers, byte(1 + len(list)/8), 0, 0}, forever)
	return append(o, list...)
}

// prefixOption tells a prefix. Guests choose addresses in it by themselves unless they are handed out.
func prefixOption(s *host.Subnet) []byte {
	flags, life := byte(flagOnLink|flagAutonomous), uint32(forever)
	if s.HasDHCP() {
		flags = flagOnLink
	}
	for _, r := range s.Ranges {
		if r.Lease > 0 {
			life = min(life, uint32(min(time.Duration(r.Lease)/time.Second, forever)))
		}
	}
	prefix := s.Prefix
	if !s.HasDHCP() && prefix.Bits() < ownBits {
		prefix = netip.PrefixFrom(prefix.Addr(), ownBits)
	}
	o := []byte{optionPrefix, 4, byte(prefix.Bits()), flags}
	o = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(o, life), life)
	return append(append(o, 0, 0, 0, 0), prefix.Masked().Addr().AsSlice()...)
}

// serversOption tells the servers of names: the host, in each network.
func serversOption(s *host.Server) []byte {
	o := binary.BigEndian.AppendUint32([]byte{optionServers, 1, 0, 0}, forever)
	for i := range s.Subnets {
		if sub := &s.Subnets[i]; advertised(sub) {
			o = append(o, sub.Prefix.Addr().AsSlice()...)
			o[1] += 2
		}
	}
	return o
}

// domainsOption tells the domains in which names are looked for.
func domainsOption(wire []byte) []byte {
	o := append(binary.BigEndian.AppendUint32([]byte{optionDomains, 0, 0, 0}, forever), wire...)
	for len(o)%8 != 0 {
		o = append(o, 0)
	}
	o[1] = byte(len(o) / 8)
	return o
}

// isSolicitation reports whether a message asks routers to speak. hops is how far it can have come: one from another link
// would have fewer than were sent.
func isSolicitation(m []byte, hops int) bool {
	return len(m) >= 8 && m[0] == typeSolicitation && m[1] == 0 && hops == 255
}
