// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/servetest"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// station is a place for guests that speak packet by packet, on the bridge of a place.
func (p *place) station(t *testing.T) *servetest.Station {
	t.Helper()
	guest := testenv.New(t)
	testenv.Connect(t, p.ns, guest, "guest", "eth0")
	p.ns.Output(t, "ip", "link", "set", "guest", "master", "br0")
	return servetest.NewStation(t, guest, "eth0")
}

// talker is a guest of IPv4 with that last byte of its hardware address.
func talker(s *servetest.Station, last byte) *servetest.Client4 {
	return &servetest.Client4{Station: s, MAC: net.HardwareAddr{0x52, 0x54, 0, 0, 0, last}, Barrier: netip.MustParseAddr("10.9.0.200")}
}

func talker6(s *servetest.Station, last byte) *servetest.Client6 {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0, 6, last}
	return &servetest.Client6{
		Station: s, MAC: mac, Addr: netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80, 15: last}), DUID: append([]byte{0, 3, 0, 1}, mac...),
	}
}

var server4 = dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 9, 0, 1)))

// takes lets a guest take an address, and returns the answer that gives it.
func takes(t *testing.T, c *servetest.Client4, with ...dhcpv4.Modifier) *servetest.Reply4 {
	t.Helper()
	offer := c.Ask(c.Packet(dhcpv4.MessageTypeDiscover, with...))
	require.NotNil(t, offer)
	require.Equal(t, dhcpv4.MessageTypeOffer, offer.MessageType())
	ack := c.Ask(c.Packet(dhcpv4.MessageTypeRequest, append(with, server4, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)))...))
	require.NotNil(t, ack)
	require.Equal(t, dhcpv4.MessageTypeAck, ack.MessageType())
	return ack
}

// quick is serve4 with a server that does not try whether anybody has an address, and gives addresses of IPv6 too.
func quick(lines ...string) host.Serve {
	op := serve4()
	op.Server.Options = append([]string{"no-ping"}, lines...)
	op.Server.Subnets = append(op.Server.Subnets, host.Subnet{
		Prefix: netip.MustParsePrefix("2001:db8:9::1/64"),
		Ranges: []host.Range{{Start: netip.MustParseAddr("2001:db8:9::100"), End: netip.MustParseAddr("2001:db8:9::1ff")}},
	})
	return op
}

// leased are the addresses that a server has given out.
func (p *place) leased(t *testing.T) (list []string) {
	t.Helper()
	leases, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	for _, l := range leases {
		list = append(list, l.Addr.String())
	}
	return list
}

// TestLifeOfALease: taken, renewed by its server, renewed by any, told of, given back.
func TestLifeOfALease(t *testing.T) { onBoth(t, testLifeOfALease) }

func testLifeOfALease(t *testing.T, p *place) {
	op := quick()
	do(t, p.Backend, op)
	c := talker(p.station(t), 1)
	c.Ready()
	got := takes(t, c)
	addr := got.YourIPAddr.String()
	require.Equal(t, []string{addr}, p.leased(t))
	has := dhcpv4.WithClientIP(got.YourIPAddr)
	renewed := c.Ask(c.Packet(dhcpv4.MessageTypeRequest, has))
	require.Equal(t, dhcpv4.MessageTypeAck, renewed.MessageType())
	require.Equal(t, addr, renewed.YourIPAddr.String())
	require.Equal(t, addr, renewed.Datagram.To.Addr().String(), "to the address that it has")
	require.Equal(t, time.Hour, renewed.IPAddressLeaseTime(0))
	rebound := c.Ask(c.Packet(dhcpv4.MessageTypeRequest, has, dhcpv4.WithBroadcast(true)))
	require.Equal(t, addr, rebound.YourIPAddr.String())
	informed := c.Ask(c.Packet(dhcpv4.MessageTypeInform, has))
	require.Equal(t, dhcpv4.MessageTypeAck, informed.MessageType())
	require.True(t, informed.YourIPAddr.IsUnspecified())
	if p.here { // dnsmasq tells a time, which RFC 2131, section 4.3.5, forbids
		require.Zero(t, informed.IPAddressLeaseTime(0))
	}
	require.Nil(t, c.Ask(c.Packet(dhcpv4.MessageTypeRelease, has, server4)))
	require.Empty(t, p.leased(t))
	require.Equal(t, dhcpv4.MessageTypeNak, talker(c.Station, 2).Ask(c.Packet(dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(10, 9, 0, 99))))).MessageType())
	do(t, p.Backend, op.Inverse())
}

// TestDeclined: an address of which a guest says that another has it rests, and the guest gets another one.
func TestDeclined(t *testing.T) { onBoth(t, testDeclined) }

func testDeclined(t *testing.T, p *place) {
	op := quick()
	do(t, p.Backend, op)
	s := p.station(t)
	c := talker(s, 1)
	c.Ready()
	first := takes(t, c)
	require.Nil(t, c.Ask(c.Packet(dhcpv4.MessageTypeDecline, server4, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(first.YourIPAddr)))))
	require.Empty(t, p.leased(t))
	second := takes(t, c)
	require.NotEqual(t, first.YourIPAddr.String(), second.YourIPAddr.String())

	six := talker6(s, 1)
	six.Ready()
	identity := func(addr []byte) []byte {
		if addr == nil {
			return servetest.Option6(3, []byte{0, 0, 0, 1}, make([]byte, 8))
		}
		return servetest.Option6(3, []byte{0, 0, 0, 1}, make([]byte, 8), servetest.Option6(5, addr, make([]byte, 8)))
	}
	take := func() (netip.Addr, []byte) {
		offer := six.Ask(dhcpv6.MessageTypeSolicit, identity(nil))
		require.NotNil(t, offer)
		addr, server := servetest.Given(offer.Options), servetest.Option6(2, servetest.Find6(offer.Options, 2))
		reply := six.Ask(dhcpv6.MessageTypeRequest, server, identity(addr.AsSlice()))
		require.Equal(t, addr, servetest.Given(reply.Options))
		return addr, server
	}
	addr, server := take()
	require.Contains(t, p.leased(t), addr.String())
	require.NotNil(t, six.Ask(dhcpv6.MessageTypeConfirm, identity(addr.AsSlice())))
	require.NotNil(t, six.Ask(dhcpv6.MessageTypeDecline, server, identity(addr.AsSlice())))
	require.NotContains(t, p.leased(t), addr.String())
	other, _ := take()
	require.NotEqual(t, addr, other)
	require.NotNil(t, six.Ask(dhcpv6.MessageTypeRelease, server, identity(other.AsSlice())))
	require.NotContains(t, p.leased(t), other.String())
	at := six.Ask(dhcpv6.MessageTypeSolicit, servetest.Option6(14), identity(nil))
	require.Equal(t, byte(dhcpv6.MessageTypeReply), at.Kind, "at once")
	require.Contains(t, p.leased(t), servetest.Given(at.Options).String())
	do(t, p.Backend, op.Inverse())
}

// TestForEver: a lease that never ends, and one of BOOTP, which has no time at all.
func TestForEver(t *testing.T) { onBoth(t, testForEver) }

func testForEver(t *testing.T, p *place) {
	op := quick()
	op.Server.Subnets[0].Ranges[0].Lease = host.Infinite
	op.Server.Subnets[0].Hosts = []host.StaticHost{{MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}, Name: "old", Addr: netip.MustParseAddr("10.9.0.50")}}
	op.Server.Subnets[0].BootFile, op.Server.Subnets[0].BootServer = "old.img", netip.MustParseAddr("10.9.0.9")
	do(t, p.Backend, op)
	s := p.station(t)
	c := talker(s, 1)
	c.Ready()
	got := takes(t, c)
	require.Equal(t, []byte{0xff, 0xff, 0xff, 0xff}, got.GetOneOption(dhcpv4.OptionIPAddressLeaseTime))
	require.False(t, got.Options.Has(dhcpv4.OptionRenewTimeValue))
	old := talker(s, 2)
	reply := old.Ask(old.Packet(dhcpv4.MessageTypeNone))
	require.NotNil(t, reply)
	require.Equal(t, "10.9.0.50 old.img 10.9.0.9", reply.YourIPAddr.String()+" "+reply.BootFileName+" "+reply.ServerIPAddr.String())
	require.False(t, reply.Options.Has(dhcpv4.OptionIPAddressLeaseTime))
	require.Equal(t, "10.9.0.1", reply.Datagram.From.Addr().String())
	unknown := talker(s, 3)
	require.Nil(t, unknown.Ask(unknown.Packet(dhcpv4.MessageTypeNone)))
	leases, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Len(t, leases, 2)
	for _, l := range leases {
		require.Zero(t, l.Expires)
	}
	do(t, p.Backend, op.Inverse())
}

// TestRelayed: who asks by way of a relay is answered by way of it, with what the relay has said of it.
func TestRelayed(t *testing.T) { onBoth(t, testRelayed) }

func testRelayed(t *testing.T, p *place) {
	op := quick()
	do(t, p.Backend, op)
	c := talker(p.station(t), 1)
	c.Ready()
	circuit := []byte{1, 2, 'e', '1'}
	via := []dhcpv4.Modifier{dhcpv4.WithGatewayIP(net.IPv4(10, 9, 0, 7)), dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionRelayAgentInformation, circuit))}
	got := takes(t, c, via...)
	require.Equal(t, "10.9.0.7:67", got.Datagram.To.String())
	require.Equal(t, "10.9.0.7", got.GatewayIPAddr.String())
	require.Equal(t, circuit, got.GetOneOption(dhcpv4.OptionRelayAgentInformation))
	require.True(t, netip.MustParsePrefix("10.9.0.0/24").Contains(netip.MustParseAddr(got.YourIPAddr.String())))
	require.Nil(t, c.Ask(c.Packet(dhcpv4.MessageTypeDiscover, dhcpv4.WithGatewayIP(net.IPv4(10, 77, 0, 7)))), "of a network that is not served")
	do(t, p.Backend, op.Inverse())
}

// TestSums: what is sent to clients has all its sums, where nothing behind the server fills them in.
func TestSums(t *testing.T) { onBoth(t, testSums) }

func testSums(t *testing.T, p *place) {
	op := quick()
	do(t, p.Backend, op)
	s := p.station(t)
	c := talker(s, 1)
	c.Ready()
	if p.here {
		// Whole frames leave a packet socket: no device has to help.
		for _, with := range [][]dhcpv4.Modifier{nil, {dhcpv4.WithBroadcast(true)}} {
			require.True(t, takes(t, c, with...).Datagram.Sums)
		}
		has := dhcpv4.WithClientIP(takes(t, c).YourIPAddr)
		require.True(t, c.Ask(c.Packet(dhcpv4.MessageTypeRequest, has)).Datagram.Sums, "to renew")
		nak := c.Ask(c.Packet(dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(net.IPv4(10, 9, 0, 99)))))
		require.Equal(t, dhcpv4.MessageTypeNak, nak.MessageType())
		require.True(t, nak.Datagram.Sums)
	}
	p.ns.Run(t, func() { sumsByKernel(t, "br0") })
	require.True(t, takes(t, c).Datagram.Sums)
	six := talker6(s, 1)
	six.Ready()
	reply := six.Ask(dhcpv6.MessageTypeSolicit, servetest.Option6(3, []byte{0, 0, 0, 1}, make([]byte, 8)))
	require.True(t, reply.Datagram.Sums, "IPv6")
	do(t, p.Backend, op.Inverse())
}

// sumsByKernel lets the kernel make the sums of what a device sends: ethtool -K DEVICE tx off.
func sumsByKernel(t *testing.T, device string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	value := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_STXCSUM}
	request := struct {
		name  [unix.IFNAMSIZ]byte
		value unsafe.Pointer
		_     [16]byte
	}{value: unsafe.Pointer(&value)}
	copy(request.name[:], device)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	require.Zero(t, errno)
}

// TestOtherSubnet: guests of a link with two subnets have addresses of the one that hands them out, and those who are known in the
// other have theirs.
func TestOtherSubnet(t *testing.T) { onBoth(t, testOtherSubnet) }

func testOtherSubnet(t *testing.T, p *place) {
	p.ns.Output(t, "ip", "addr", "add", "10.8.0.1/24", "dev", "br0")
	op := quick()
	op.Server.Subnets = slices.Insert(op.Server.Subnets, 0, host.Subnet{
		Prefix: netip.MustParsePrefix("10.8.0.1/24"),
		Hosts:  []host.StaticHost{{MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}, Addr: netip.MustParseAddr("10.8.0.50")}},
	})
	do(t, p.Backend, op)
	s := p.station(t)
	c := talker(s, 1)
	c.Ready()
	got := c.Ask(c.Packet(dhcpv4.MessageTypeDiscover))
	require.True(t, netip.MustParsePrefix("10.9.0.0/24").Contains(netip.MustParseAddr(got.YourIPAddr.String())), got.YourIPAddr)
	require.Equal(t, "10.9.0.1", got.Router()[0].String())
	known := talker(s, 2)
	got = known.Ask(known.Packet(dhcpv4.MessageTypeDiscover))
	require.Equal(t, "10.8.0.50", got.YourIPAddr.String())
	require.Equal(t, "10.8.0.1", got.Router()[0].String())
	do(t, p.Backend, op.Inverse())
}
