// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"encoding/binary"
	"net"
	"strings"
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

func advertised(s *host.Subnet) bool { return s.Prefix.Addr().Is6() && (s.HasDHCP() || !s.Silent) }

// advertisement is what a router says of a network, without the sum, which is the kernel's: RFC 4861, section 4.2.
func advertisement(s *host.Server, hardware net.HardwareAddr, mtu int) []byte {
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
	if s.DNS == nil {
		return m
	}
	m = append(m, serversOption(s)...)
	if s.Domain != "" {
		m = append(m, domainsOption(s.Domain)...)
	}
	return m
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
	o := []byte{optionPrefix, 4, byte(s.Prefix.Bits()), flags}
	o = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(o, life), life)
	return append(append(o, 0, 0, 0, 0), s.Prefix.Masked().Addr().AsSlice()...)
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

// domainsOption tells the domain in which names are looked for.
func domainsOption(domain string) []byte {
	o := binary.BigEndian.AppendUint32([]byte{optionDomains, 0, 0, 0}, forever)
	for label := range strings.SplitSeq(strings.TrimSuffix(domain, "."), ".") {
		o = append(append(o, byte(len(label))), label...)
	}
	o = append(o, 0)
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
