// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// lan is a network of six addresses to choose from, and two static hosts: alpha by its hardware address, beta by its name.
func lan() *host.Server {
	return &host.Server{
		Name: "lan", Link: "lan0", Domain: "lan.example", DNS: &host.DNS{}, MTU: 1400,
		Subnets: []host.Subnet{{
			Prefix: netip.MustParsePrefix("10.1.1.1/24"),
			Ranges: []host.Range{{Start: netip.MustParseAddr("10.1.1.10"), End: netip.MustParseAddr("10.1.1.15"), Lease: host.LeaseTime(2 * time.Minute)}},
			Hosts: []host.StaticHost{
				{MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, Name: "alpha", Addr: netip.MustParseAddr("10.1.1.101"), Lease: host.Infinite},
				{Name: "beta", Addr: netip.MustParseAddr("10.1.1.12")},
			},
		}},
	}
}

func newLAN() *dhcp4 {
	s := lan()
	return &dhcp4{server: s, book: newBook(s.Subnets, 16, Limits{}.orDefault())}
}

var start = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// A talk is one client who talks to a server.
type talk struct {
	t   *testing.T
	d   *dhcp4
	mac net.HardwareAddr
	now time.Time
	log []host.LeaseChange
}

func client(t *testing.T, d *dhcp4, last byte) *talk {
	return &talk{t: t, d: d, mac: net.HardwareAddr{0x52, 0x54, 0, 0, 0, last}, now: start}
}

// says sends a message and tells the answer: its kind and address, or "".
func (c *talk) says(kind dhcpv4.MessageType, with ...dhcpv4.Modifier) string {
	c.t.Helper()
	out := c.packet(kind, with...)
	if out == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", out.MessageType(), addrText(out.YourIPAddr)))
}

func addrText(ip net.IP) string {
	if a := addrOf(ip); a.IsValid() {
		return a.String()
	}
	return ""
}

func (c *talk) packet(kind dhcpv4.MessageType, with ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	c.t.Helper()
	in, err := dhcpv4.New(append([]dhcpv4.Modifier{dhcpv4.WithHwAddr(c.mac), dhcpv4.WithMessageType(kind)}, with...)...)
	require.NoError(c.t, err)
	if kind == dhcpv4.MessageTypeNone {
		in.DeleteOption(dhcpv4.OptionDHCPMessageType)
	}
	in, err = dhcpv4.FromBytes(in.ToBytes())
	require.NoError(c.t, err)
	out, changes := c.d.answer(in, c.now)
	c.log = append(c.log, changes...)
	if out == nil {
		return nil
	}
	out, err = dhcpv4.FromBytes(out.ToBytes())
	require.NoError(c.t, err)
	return out
}

// lease goes all the way to an address.
func (c *talk) lease(with ...dhcpv4.Modifier) string {
	c.t.Helper()
	offer := c.packet(dhcpv4.MessageTypeDiscover, with...)
	if offer == nil {
		return ""
	}
	return c.says(dhcpv4.MessageTypeRequest, append(with, wants(addrText(offer.YourIPAddr)), of("10.1.1.1"))...)
}

func wants(addr string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.ParseIP(addr)))
}
func of(server string) dhcpv4.Modifier {
	return dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.ParseIP(server)))
}
func has(addr string) dhcpv4.Modifier   { return dhcpv4.WithClientIP(net.ParseIP(addr)) }
func named(name string) dhcpv4.Modifier { return dhcpv4.WithOption(dhcpv4.OptHostName(name)) }

func TestDHCP4(t *testing.T) {
	const ack, nak, offer = "ACK ", "NAK", "OFFER "
	for name, talks := range map[string]func(t *testing.T, d *dhcp4){
		"a static host gets its address, for ever": func(t *testing.T, d *dhcp4) {
			c := client(t, d, 1)
			require.Equal(t, ack+"10.1.1.101", c.lease())
			require.Len(t, c.log, 1)
			require.Equal(t, host.Lease{Addr: netip.MustParseAddr("10.1.1.101"), MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, Hostname: "alpha"}, c.log[0].Lease)
		},
		"a static host is known by its name": func(t *testing.T, d *dhcp4) {
			require.Equal(t, ack+"10.1.1.12", client(t, d, 9).lease(named("beta")))
		},
		"nobody else gets the address of a static host": func(t *testing.T, d *dhcp4) {
			c := client(t, d, 9)
			require.Equal(t, nak, c.says(dhcpv4.MessageTypeRequest, wants("10.1.1.12")))
			require.Equal(t, nak, c.says(dhcpv4.MessageTypeRequest, wants("10.1.1.101")))
			for k := range byte(5) {
				got := client(t, d, 10+k).lease()
				require.NotEmpty(t, got)
				require.NotEqual(t, ack+"10.1.1.12", got)
			}
			require.Empty(t, client(t, d, 20).lease(), "five are free, one is beta's")
		},
		"the same client gets the same address": func(t *testing.T, d *dhcp4) {
			c := client(t, d, 7)
			first := c.lease()
			require.Equal(t, first, c.lease())
			require.Equal(t, first, client(t, newLAN(), 7).lease(), "and of a server that knows nothing of it")
		},
		"what is wanted is given if it is free": func(t *testing.T, d *dhcp4) {
			require.Equal(t, offer+"10.1.1.13", client(t, d, 7).says(dhcpv4.MessageTypeDiscover, wants("10.1.1.13")))
			require.NotEqual(t, offer+"10.1.1.13", client(t, d, 8).says(dhcpv4.MessageTypeDiscover, wants("10.1.1.13")))
			require.NotEqual(t, offer+"10.1.1.200", client(t, d, 9).says(dhcpv4.MessageTypeDiscover, wants("10.1.1.200")))
		},
		"another server's offer is taken": func(t *testing.T, d *dhcp4) {
			c := client(t, d, 7)
			require.Equal(t, offer+"10.1.1.13", c.says(dhcpv4.MessageTypeDiscover, wants("10.1.1.13")))
			require.Empty(t, c.says(dhcpv4.MessageTypeRequest, wants("10.1.1.77"), of("10.1.1.2")))
			require.Equal(t, offer+"10.1.1.13", client(t, d, 8).says(dhcpv4.MessageTypeDiscover, wants("10.1.1.13")), "it is free at once")
		},
		"renewed, and asked for again after a boot": func(t *testing.T, d *dhcp4) {
			c := client(t, d, 7)
			require.NotEmpty(t, c.lease(wants("10.1.1.13")))
			c.now = start.Add(time.Minute)
			require.Equal(t, ack+"10.1.1.13", c.says(dhcpv4.MessageTypeRequest, has("10.1.1.13")))
			require.Equal(t, start.Add(3*time.Minute), c.log[1].Lease.Expires)
			require.Equal(t, ack+"10.1.1.13", c.says(dhcpv4.MessageTypeRequest, wants("10.1.1.13")))
			require.Equal(t, nak, c.says(dhcpv4.MessageTypeRequest, wants("192.168.7.7")))
		},
		"a lease ends, and another may have the address": func(t *testing.T, d *dhcp4) {
			require.NotEmpty(t, client(t, d, 7).lease(wants("10.1.1.13")))
			other := client(t, d, 8)
			require.Equal(t, nak, other.says(dhcpv4.MessageTypeRequest, wants("10.1.1.13")))
			other.now = start.Add(2 * time.Minute)
			require.Equal(t, ack+"10.1.1.13", other.says(dhcpv4.MessageTypeRequest, wants("10.1.1.13")))
			late := client(t, d, 7)
			late.now = other.now
			require.Equal(t, nak, late.says(dhcpv4.MessageTypeRequest, has("10.1.1.13")))
		},
		"an offer is for its client, and for a moment": func(t *testing.T, d *dhcp4) {
			require.NotEmpty(t, client(t, d, 7).says(dhcpv4.MessageTypeDiscover, wants("10.1.1.13")))
			other := client(t, d, 8)
			require.NotEqual(t, offer+"10.1.1.13", other.says(dhcpv4.MessageTypeDiscover, wants("10.1.1.13")))
			other.now = start.Add(offerTime)
			require.Equal(t, ack+"10.1.1.13", other.says(dhcpv4.MessageTypeRequest, wants("10.1.1.13")))
		},
		"declined: it rests, and nobody else is believed": func(t *testing.T, d *dhcp4) {
			c, other := client(t, d, 7), client(t, d, 8)
			require.NotEmpty(t, c.lease(wants("10.1.1.13")))
			other.says(dhcpv4.MessageTypeDecline, wants("10.1.1.13"), of("10.1.1.1"))
			require.Equal(t, ack+"10.1.1.13", c.says(dhcpv4.MessageTypeRequest, has("10.1.1.13")))
			c.says(dhcpv4.MessageTypeDecline, wants("10.1.1.13"), of("10.1.1.1"))
			require.True(t, c.log[len(c.log)-1].Gone)
			require.NotEqual(t, ack+"10.1.1.13", c.lease(wants("10.1.1.13")))
			other.now = start.Add(declineTime)
			require.Equal(t, ack+"10.1.1.13", other.lease(wants("10.1.1.13")))
		},
		"released by its client only": func(t *testing.T, d *dhcp4) {
			c, other := client(t, d, 7), client(t, d, 8)
			require.NotEmpty(t, c.lease(wants("10.1.1.13")))
			other.says(dhcpv4.MessageTypeRelease, has("10.1.1.13"), of("10.1.1.1"))
			require.Equal(t, nak, other.says(dhcpv4.MessageTypeRequest, wants("10.1.1.13")))
			c.says(dhcpv4.MessageTypeRelease, has("10.1.1.13"), of("10.1.1.1"))
			require.Equal(t, ack+"10.1.1.13", other.says(dhcpv4.MessageTypeRequest, wants("10.1.1.13")))
		},
		"inform: the rest, and no address": func(t *testing.T, d *dhcp4) {
			out := client(t, d, 7).packet(dhcpv4.MessageTypeInform, has("10.1.1.77"))
			require.Equal(t, dhcpv4.MessageTypeAck, out.MessageType())
			require.Empty(t, addrText(out.YourIPAddr))
			require.Zero(t, out.IPAddressLeaseTime(0))
			require.Equal(t, "10.1.1.1", addrText(out.Router()[0]))
		},
		"BOOTP: a static host only": func(t *testing.T, d *dhcp4) {
			out := client(t, d, 1).packet(dhcpv4.MessageTypeNone)
			require.Equal(t, "10.1.1.101", addrText(out.YourIPAddr))
			require.Equal(t, dhcpv4.MessageTypeNone, out.MessageType())
			require.Nil(t, client(t, d, 7).packet(dhcpv4.MessageTypeNone))
		},
		"relayed: the subnet of the relay, or none": func(t *testing.T, d *dhcp4) {
			via := func(addr string) dhcpv4.Modifier {
				return func(p *dhcpv4.DHCPv4) { p.GatewayIPAddr = net.ParseIP(addr).To4() }
			}
			info := dhcpv4.WithGeneric(dhcpv4.OptionRelayAgentInformation, []byte{1, 2, 'v', '7'})
			out := client(t, d, 7).packet(dhcpv4.MessageTypeDiscover, via("10.1.1.9"), info)
			require.Equal(t, "10.1.1.9", addrText(out.GatewayIPAddr))
			require.Equal(t, []byte{1, 2, 'v', '7'}, out.GetOneOption(dhcpv4.OptionRelayAgentInformation))
			require.Nil(t, client(t, d, 8).packet(dhcpv4.MessageTypeDiscover, via("10.9.9.9")))
		},
		"a client is known by the identifier it gives": func(t *testing.T, d *dhcp4) {
			id := dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, []byte{0xff, 7})
			first := client(t, d, 7).lease(id)
			require.Equal(t, first, client(t, d, 8).lease(id), "another card of the same client")
		},
		"what boots a guest one after the other is one guest": func(t *testing.T, d *dhcp4) {
			id := dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, []byte{0xff, 7})
			other := dhcpv4.WithGeneric(dhcpv4.OptionClientIdentifier, []byte{0xff, 8})
			c := client(t, d, 1)
			require.Equal(t, ack+"10.1.1.101", c.lease())
			require.Equal(t, ack+"10.1.1.101", c.lease(id))
			require.Equal(t, ack+"10.1.1.101", c.lease(other), "a static host is known by its card")
			c = client(t, d, 7)
			first := c.lease()
			require.Equal(t, first, c.lease(id))
			require.Equal(t, first, c.lease())
		},
	} {
		t.Run(name, func(t *testing.T) { talks(t, newLAN()) })
	}
}

func TestDHCP4Tells(t *testing.T) {
	d := newLAN()
	out := client(t, d, 1).packet(dhcpv4.MessageTypeDiscover)
	require.Equal(t, "255.255.255.0", net.IP(out.SubnetMask()).String())
	require.Equal(t, "10.1.1.255", out.BroadcastAddress().String())
	require.Equal(t, "10.1.1.1", out.Router()[0].String())
	require.Equal(t, "10.1.1.1", out.DNS()[0].String())
	require.Equal(t, "lan.example", out.DomainName())
	require.Equal(t, "alpha", out.HostName())
	require.Equal(t, []byte{5, 120}, out.GetOneOption(dhcpv4.OptionInterfaceMTU))
	require.Equal(t, "10.1.1.1", out.ServerIdentifier().String())
	require.Equal(t, time.Duration(1<<32-1)*time.Second, out.IPAddressLeaseTime(0))

	d.server.NoRouter, d.server.DNS = true, nil
	d.server.Subnets[0].BootFile = "pxe.0"
	out = client(t, d, 7).packet(dhcpv4.MessageTypeDiscover, dhcpv4.WithRequestedOptions(dhcpv4.OptionBootfileName, dhcpv4.OptionTFTPServerName))
	require.Empty(t, out.Router())
	require.Empty(t, out.DNS())
	require.Equal(t, "pxe.0", out.BootFileName)
	require.Empty(t, out.BootFileNameOption(), "programs look for it in the packet")
	require.Equal(t, "10.1.1.1", out.ServerIPAddr.String())
	require.Equal(t, 2*time.Minute, out.IPAddressLeaseTime(0))
	require.Equal(t, time.Minute, out.IPAddressRenewalTime(0))
	require.Equal(t, 105*time.Second, out.IPAddressRebindingTime(0))
}

// FuzzDHCP4 lets a handful of clients say anything in any order, and keeps a book of its own: no address is held twice, no
// static host loses its own, nothing is given that is not there to be given, and what is written down is what is held.
func FuzzDHCP4(f *testing.F) {
	f.Add([]byte{1, 0, 3, 0, 1, 1, 3, 1, 7, 0, 4, 1, 0x83, 0x11})
	f.Add([]byte("any words will do, they are as good as any others"))
	f.Fuzz(func(t *testing.T, script []byte) {
		d, now := newLAN(), start
		held := map[netip.Addr]host.LeaseChange{}
		for k := 0; k+2 < len(script) && k < 600; k += 3 {
			who, kind, what := script[k]%8, script[k+1], script[k+2]
			now = now.Add(time.Duration(kind>>4) * 10 * time.Second)
			addr := netip.AddrFrom4([4]byte{10, 1, 1, 8 + what%10}).String()
			in, err := dhcpv4.New(dhcpv4.WithHwAddr(net.HardwareAddr{0x52, 0x54, 0, 0, 0, who}), dhcpv4.WithMessageType(dhcpv4.MessageType(kind%9)))
			require.NoError(t, err)
			if what&0x10 != 0 {
				wants(addr)(in)
			}
			if what&0x20 != 0 {
				of("10.1.1.1")(in)
			}
			if what&0x40 != 0 {
				has(addr)(in)
			}
			if what&0x80 != 0 {
				named("beta")(in)
			}
			out, changes := d.answer(in, now)
			for _, c := range changes {
				if c.Gone {
					delete(held, c.Lease.Addr)
				} else {
					held[c.Lease.Addr] = c
				}
			}
			if out == nil || out.MessageType() != dhcpv4.MessageTypeAck || addrText(out.YourIPAddr) == "" {
				continue
			}
			got := addrOf(out.YourIPAddr)
			if holder := held[got].Lease; holder.MAC != (host.MAC{0x52, 0x54, 0, 0, 0, who}) {
				t.Fatalf("%s is given to client %d and written down for %s", got, who, holder.MAC)
			}
			if who != 1 && got == lan().Subnets[0].Hosts[0].Addr {
				t.Fatalf("client %d has the address of alpha", who)
			}
			if got != lan().Subnets[0].Hosts[0].Addr && (got.Less(netip.MustParseAddr("10.1.1.10")) || netip.MustParseAddr("10.1.1.15").Less(got)) {
				t.Fatalf("%s is nobody's to give", got)
			}
		}
		inBook := 0
		for addr, h := range d.book.at {
			if h.state != leased {
				continue
			}
			inBook++
			if held[addr].Lease != h.lease {
				t.Fatalf("%s: written down is %v, held %v", addr, held[addr].Lease, h.lease)
			}
		}
		for addr, c := range held {
			if d.book.at[addr] == nil && (c.Lease.Expires.IsZero() || c.Lease.Expires.After(now)) {
				t.Fatalf("%s is written down and held by nobody", addr)
			}
		}
	})
}

func TestSpan(t *testing.T) {
	r := func(a, b string) host.Range {
		return host.Range{Start: netip.MustParseAddr(a), End: netip.MustParseAddr(b)}
	}
	require.Equal(t, uint64(1), span(r("10.0.0.1", "10.0.0.1")))
	require.Equal(t, uint64(2), span(r("10.0.0.255", "10.0.1.0")))
	require.Equal(t, uint64(1<<32), span(r("fd00::", "fd00::ffff:ffff:ffff:ffff")))
	require.Equal(t, "10.0.1.1", add(netip.MustParseAddr("10.0.0.254"), 3).String())
	require.Equal(t, "fd00::1:0", add(netip.MustParseAddr("fd00::ffff"), 1).String())
}
