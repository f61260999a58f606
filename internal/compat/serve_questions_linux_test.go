// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"github.com/go-virtnet/virtnet/internal/servetest"
	"github.com/go-virtnet/virtnet/network/host"
)

// A question is one to both servers. Those of a kind show the same differences.
type question struct {
	kind, words string
	ask         func(st *stage) servetest.Answer
}

// questions are those to a server about what it serves.
func questions(s *host.Server) []question {
	l := &asking{server: s}
	l.ready()
	for i := range s.Subnets {
		if sub := &s.Subnets[i]; sub.HasDHCP() && sub.Prefix.Addr().Is4() {
			l.dhcp4(sub)
		} else if sub.HasDHCP() {
			l.dhcp6(sub)
		}
	}
	l.routers()
	if s.DNS != nil {
		l.names()
	}
	return l.list
}

// asking is a list of questions that is being made.
type asking struct {
	server *host.Server
	list   []question
}

func (l *asking) add(kind, words string, ask func(st *stage) servetest.Answer) {
	l.list = append(l.list, question{kind, words, ask})
}

// ready waits until both kinds of DHCP are answered.
func (l *asking) ready() {
	for i := range l.server.Subnets {
		sub := &l.server.Subnets[i]
		if !sub.HasDHCP() {
			continue
		}
		l.add("ready", sub.Prefix.String(), func(st *stage) servetest.Answer {
			if sub.Prefix.Addr().Is4() {
				(&servetest.Client4{Station: st.Station, Barrier: barrierOf(sub)}).Ready()
			} else {
				client6(st, guest6{id: 0x20}).Ready()
			}
			return servetest.Answer{}
		})
	}
}

// wanted are the options that programs and firmware ask for.
var wanted = []dhcpv4.OptionCode{
	dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionHostName, dhcpv4.OptionDomainName,
	dhcpv4.OptionInterfaceMTU, dhcpv4.OptionBroadcastAddress, dhcpv4.OptionNTPServers, dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName,
	dhcpv4.OptionDNSDomainSearchList, dhcpv4.OptionClasslessStaticRoute,
}

// most is how many hosts of a network are asked about.
const most = 3

// dhcp4 asks as guests that are known by their hardware, their identifier or their name, and as one who is not.
func (l *asking) dhcp4(sub *host.Subnet) {
	last := byte(0)
	for _, h := range sub.Hosts[:min(most, len(sub.Hosts))] {
		last++
		known := guest4{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xee, 0, last}, sub: sub}
		switch {
		case !h.MAC.IsZero():
			known.MAC = net.HardwareAddr(h.MAC[:])
		case h.DUID != "":
			known.with = append(known.with, dhcpv4.WithOption(dhcpv4.OptClientIdentifier(bytesOf(h.DUID))))
		default:
			known.with = append(known.with, dhcpv4.WithOption(dhcpv4.OptHostName(h.Name)))
		}
		l.life4("static host", known)
		if !h.MAC.IsZero() {
			named := known
			named.with = []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptHostName("chosen")), dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte{1, 2, 3, last}))}
			l.life4("static host with a name and an identifier", named)
			l.bootp(known)
		}
	}
	unknown := guest4{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xdd, 0, 1}, sub: sub}
	l.life4("guest", unknown)
	named := guest4{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xdd, 0, 2}, sub: sub, with: []dhcpv4.Modifier{dhcpv4.WithOption(dhcpv4.OptHostName("named"))}}
	l.life4("guest with a name", named)
	fqdn := guest4{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xdd, 0, 3}, sub: sub, with: []dhcpv4.Modifier{
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionFQDN, append([]byte{4, 0, 0}, "\x04full\x07example\x00"...))),
	}}
	l.life4("guest with a full name", fqdn)
	pxe := guest4{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xdd, 0, 4}, sub: sub, with: []dhcpv4.Modifier{
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00000:UNDI:002001")),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionClientSystemArchitectureType, []byte{0, 0})),
		dhcpv4.WithBroadcast(true),
	}}
	l.life4("firmware that boots", pxe)
	l.bootp(guest4{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xdd, 0, 5}, sub: sub})
}

// bytesOf reads an identifier: bytes with colons between them.
func bytesOf(id string) (data []byte) {
	for part := range strings.SplitSeq(id, ":") {
		b, _ := strconv.ParseUint(part, 16, 8)
		data = append(data, byte(b))
	}
	return data
}

// A guest4 is a guest and what it says of itself.
type guest4 struct {
	MAC  net.HardwareAddr
	sub  *host.Subnet
	with []dhcpv4.Modifier
}

// life4 lets a guest ask for an address, take it, renew it, ask for one that it cannot have, inform itself, and give it back.
func (l *asking) life4(kind string, g guest4) {
	var given netip.Addr
	step := func(words string, kind4 dhcpv4.MessageType, with func() []dhcpv4.Modifier) {
		l.add("DHCPv4 "+words, kind, func(st *stage) servetest.Answer {
			c := &servetest.Client4{Station: st.Station, MAC: g.MAC, Barrier: barrierOf(g.sub)}
			all := append(append([]dhcpv4.Modifier{}, g.with...), with()...)
			r := c.Ask(c.Packet(kind4, all...))
			if r != nil && kind4 == dhcpv4.MessageTypeDiscover {
				given, _ = netip.AddrFromSlice(r.YourIPAddr.To4())
			}
			return r.Answer(nameIn(g.sub, given))
		})
	}
	ask := func() []dhcpv4.Modifier { return []dhcpv4.Modifier{dhcpv4.WithRequestedOptions(wanted...)} }
	own := func() netip.Addr {
		if !given.IsValid() {
			return barrierOf(g.sub).Next() // it has none, and tries
		}
		return given
	}
	of := dhcpv4.WithOption(dhcpv4.OptServerIdentifier(g.sub.Prefix.Addr().AsSlice()))
	mine := func() dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(slice(own()))) }
	has := func() dhcpv4.Modifier { return dhcpv4.WithClientIP(slice(own())) }
	step("DISCOVER", dhcpv4.MessageTypeDiscover, ask)
	step("DISCOVER without a list", dhcpv4.MessageTypeDiscover, func() []dhcpv4.Modifier { return nil })
	step("REQUEST", dhcpv4.MessageTypeRequest, func() []dhcpv4.Modifier { return append(ask(), of, mine()) })
	step("REQUEST after a restart", dhcpv4.MessageTypeRequest, func() []dhcpv4.Modifier { return append(ask(), mine()) })
	step("REQUEST of another network", dhcpv4.MessageTypeRequest, func() []dhcpv4.Modifier {
		return append(ask(), dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(198, 51, 100, 7))))
	})
	step("REQUEST to renew", dhcpv4.MessageTypeRequest, func() []dhcpv4.Modifier { return append(ask(), has()) })
	step("INFORM", dhcpv4.MessageTypeInform, func() []dhcpv4.Modifier { return append(ask(), has()) })
	step("INFORM without a list", dhcpv4.MessageTypeInform, func() []dhcpv4.Modifier { return []dhcpv4.Modifier{has()} })
	step("RELEASE", dhcpv4.MessageTypeRelease, func() []dhcpv4.Modifier { return []dhcpv4.Modifier{has(), of} })
}

func (l *asking) bootp(g guest4) {
	l.add("BOOTP", "a client of BOOTP", func(st *stage) servetest.Answer {
		c := &servetest.Client4{Station: st.Station, MAC: g.MAC, Barrier: barrierOf(g.sub)}
		return c.Ask(c.Packet(dhcpv4.MessageTypeNone)).Answer(nameIn(g.sub, netip.Addr{}))
	})
}

func slice(addr netip.Addr) net.IP { return addr.AsSlice() }

// barrierOf is an address of a network that nobody has.
func barrierOf(sub *host.Subnet) netip.Addr {
	for addr := sub.Prefix.Masked().Addr().Next(); ; addr = addr.Next() {
		taken := addr == sub.Prefix.Addr()
		for _, h := range sub.Hosts {
			taken = taken || h.Addr == addr
		}
		if !taken {
			return addr
		}
	}
}

// nameIn names the addresses of a network: one that a server has chosen is as good as any other.
func nameIn(sub *host.Subnet, given netip.Addr) func(netip.Addr) string {
	return func(addr netip.Addr) string {
		for _, h := range sub.Hosts {
			if h.Addr == addr {
				return ""
			}
		}
		if addr == given && addr.IsValid() {
			return "the address"
		}
		for _, r := range sub.Ranges {
			if !addr.Less(r.Start) && !r.End.Less(addr) {
				return "an address"
			}
		}
		return ""
	}
}

// dhcp6 asks as guests that are known by their identifier or name, and as one who is not.
func (l *asking) dhcp6(sub *host.Subnet) {
	last := byte(0)
	for _, h := range sub.Hosts[:min(most, len(sub.Hosts))] {
		last++
		g := guest6{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xee, 6, last}, sub: sub, id: last}
		if h.DUID != "" {
			g.duid = bytesOf(h.DUID)
		} else {
			g.duid = append([]byte{0, 3, 0, 1}, g.MAC...)
			g.with = [][]byte{servetest.Option6(39, []byte{0}, label(h.Name))}
		}
		l.life6("static host", g)
	}
	card := net.HardwareAddr{0x52, 0x54, 0, 0xdd, 6, 1}
	l.life6("guest", guest6{MAC: card, sub: sub, id: 0x11, duid: append([]byte{0, 3, 0, 1}, card...)})
	card = net.HardwareAddr{0x52, 0x54, 0, 0xdd, 6, 2}
	l.life6("guest with a name", guest6{MAC: card, sub: sub, id: 0x12, duid: append([]byte{0, 3, 0, 1}, card...), with: [][]byte{servetest.Option6(39, []byte{0}, label("six"))}})
	l.add("DHCPv6 INFORMATION-REQUEST", "a guest", func(st *stage) servetest.Answer {
		c := client6(st, guest6{MAC: card, id: 0x13, duid: []byte{0, 3, 0, 1, 1, 2, 3, 4, 5, 6}})
		return c.Ask(dhcpv6.MessageTypeInformationRequest, wanted6).Answer(nameIn(sub, netip.Addr{}))
	})
	l.add("DHCPv6 rapid SOLICIT", "a guest in a hurry", func(st *stage) servetest.Answer {
		c := client6(st, guest6{MAC: card, id: 0x14, duid: []byte{0, 3, 0, 1, 1, 2, 3, 4, 5, 7}})
		return c.Ask(dhcpv6.MessageTypeSolicit, wanted6, servetest.Option6(14), identity(nil)).Answer(nameIn(sub, netip.Addr{}))
	})
}

// A guest6 is a guest and what it says of itself.
type guest6 struct {
	MAC  net.HardwareAddr
	sub  *host.Subnet
	id   byte
	duid []byte
	with [][]byte
}

// wanted6 are the options that are asked for: servers of names, and domains to search.
var wanted6 = servetest.Option6(6, []byte{0, 23, 0, 24, 0, 39})

func client6(st *stage, g guest6) *servetest.Client6 {
	addr := netip.MustParseAddr("fe80::ee:0").As16()
	addr[15] = g.id
	return &servetest.Client6{Station: st.Station, MAC: g.MAC, Addr: netip.AddrFrom16(addr), DUID: g.duid}
}

// label is a name of one label, as DHCPv6 has it.
func label(name string) []byte { return append([]byte{byte(len(name))}, name...) }

// identity is an identity association that asks for an address, any one if it is not valid.
func identity(addr []byte) []byte {
	if addr == nil {
		return servetest.Option6(3, []byte{0, 0, 0, 77}, make([]byte, 8))
	}
	return servetest.Option6(3, []byte{0, 0, 0, 77}, make([]byte, 8), servetest.Option6(5, addr, make([]byte, 8)))
}

// life6 lets a guest ask for an address, take it, renew and confirm it, and give it back.
func (l *asking) life6(kind string, g guest6) {
	var given netip.Addr
	var server []byte
	step := func(words string, message dhcpv6.MessageType, options func() [][]byte) {
		l.add("DHCPv6 "+words, kind, func(st *stage) servetest.Answer {
			c := client6(st, g)
			if message != dhcpv6.MessageTypeSolicit && !given.IsValid() {
				return servetest.Answer{} // it has nothing to speak of
			}
			r := c.Ask(message, append(append([][]byte{wanted6}, g.with...), options()...)...)
			if r != nil && message == dhcpv6.MessageTypeSolicit {
				given, server = servetest.Given(r.Options), servetest.Find6(r.Options, 2)
			}
			return r.Answer(nameIn(g.sub, given))
		})
	}
	mine := func() []byte {
		if !given.IsValid() {
			return identity(nil)
		}
		return identity(given.AsSlice())
	}
	to := func() []byte { return servetest.Option6(2, server) }
	step("SOLICIT", dhcpv6.MessageTypeSolicit, func() [][]byte { return [][]byte{identity(nil)} })
	step("REQUEST", dhcpv6.MessageTypeRequest, func() [][]byte { return [][]byte{to(), mine()} })
	step("RENEW", dhcpv6.MessageTypeRenew, func() [][]byte { return [][]byte{to(), mine()} })
	step("REBIND", dhcpv6.MessageTypeRebind, func() [][]byte { return [][]byte{mine()} })
	step("CONFIRM", dhcpv6.MessageTypeConfirm, func() [][]byte { return [][]byte{mine()} })
	step("CONFIRM of another network", dhcpv6.MessageTypeConfirm, func() [][]byte { return [][]byte{identity(netip.MustParseAddr("2001:db8:ffff::1").AsSlice())} })
	step("RELEASE", dhcpv6.MessageTypeRelease, func() [][]byte { return [][]byte{to(), mine()} })
	step("RELEASE of nothing", dhcpv6.MessageTypeRelease, func() [][]byte { return [][]byte{to(), mine()} })
}

// routers asks for an advertisement, where there is one.
func (l *asking) routers() {
	for i := range l.server.Subnets {
		s := &l.server.Subnets[i]
		if s.Prefix.Addr().Is6() && (s.HasDHCP() || !s.Silent && s.Prefix.Bits() <= 64) {
			l.add("router advertisement", "a guest", func(st *stage) servetest.Answer {
				return client6(st, guest6{MAC: net.HardwareAddr{0x52, 0x54, 0, 0xdd, 7, 1}, id: 0x21}).Solicit()
			})
			return
		}
	}
}
