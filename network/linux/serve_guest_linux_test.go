// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// guest plugs a guest with that hardware address into the bridge of a place.
func (p *place) guest(t testing.TB, port, mac string) *testenv.Namespace {
	t.Helper()
	g := testenv.New(t)
	testenv.Connect(t, p.ns, g, port, "eth0")
	g.Output(t, "ip", "link", "set", "eth0", "address", mac)
	g.Output(t, "ip", "addr", "add", "fe80::1234/64", "dev", "eth0", "nodad")
	p.ns.Output(t, "ip", "link", "set", port, "master", "br0")
	return g
}

// lease takes a lease for a guest.
func lease(t testing.TB, g *testenv.Namespace, o dhcpclient.Options) *dhcpclient.Grant {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o.Retransmit = 200 * time.Millisecond
	var got *dhcpclient.Grant
	g.Run(t, func() {
		var err error
		got, err = dhcpclient.Lease(ctx, "eth0", o)
		require.NoError(t, err)
	})
	return got
}

// ask asks a DNS server a question, until it answers.
func ask(t testing.TB, ns *testenv.Namespace, server, name string, kind dnsmessage.Type) []dnsmessage.ResourceBody {
	t.Helper()
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	packet, err := q.Pack()
	require.NoError(t, err)
	var conn net.Conn
	ns.Run(t, func() {
		conn, err = net.Dial("udp", server+":53")
		require.NoError(t, err)
	})
	defer conn.Close()
	buffer := make([]byte, 4096)
	for try := 0; ; try++ {
		_, err = conn.Write(packet)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Second)))
		n, err := conn.Read(buffer)
		if err != nil {
			require.Less(t, try, 10, "no answer: %v", err)
			continue
		}
		var m dnsmessage.Message
		require.NoError(t, m.Unpack(buffer[:n]))
		var bodies []dnsmessage.ResourceBody
		for _, r := range m.Answers {
			bodies = append(bodies, r.Body)
		}
		return bodies
	}
}

func askAddr(t testing.TB, ns *testenv.Namespace, name string) (list []string) {
	t.Helper()
	return askAddr4(t, ns, "10.9.0.1", name)
}

// askAddr4 asks the server of that address.
func askAddr4(t testing.TB, ns *testenv.Namespace, server, name string) (list []string) {
	t.Helper()
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		for _, body := range ask(t, ns, server, name, kind) {
			switch body := body.(type) {
			case *dnsmessage.AResource:
				list = append(list, netip.AddrFrom4(body.A).String())
			case *dnsmessage.AAAAResource:
				list = append(list, netip.AddrFrom16(body.AAAA).String())
			}
		}
	}
	return list
}

func TestGuests(t *testing.T) { onBoth(t, testGuests) }

func testGuests(t *testing.T, p *place) {
	op := serve4()
	s := &op.Server
	s.Domain, s.LocalDomain, s.MTU = "lab.example", true, 1400
	s.Subnets[0].Hosts = []host.StaticHost{
		{MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}, Name: "fixed", Addr: netip.MustParseAddr("10.9.0.50")},
		{MAC: host.MAC{0x52, 0x54, 0, 0, 0, 9}, Name: "absent", Addr: netip.MustParseAddr("10.9.0.51")},
	}
	s.Subnets[0].Ranges[0].Lease = host.LeaseTime(2 * time.Hour)
	s.Subnets = append(s.Subnets, host.Subnet{
		Prefix: netip.MustParsePrefix("2001:db8:9::1/64"),
		Ranges: []host.Range{{Start: netip.MustParseAddr("2001:db8:9::100"), End: netip.MustParseAddr("2001:db8:9::100")}},
	})
	s.DNS.Hosts = []host.NameRecord{{Addr: netip.MustParseAddr("10.9.0.60"), Names: []string{"alias", "other.example"}}}
	s.DNS.TXT = []host.TXTRecord{{Name: "info.lab.example", Value: `a, "b" \n # c`}}
	s.DNS.SRV = []host.SRVRecord{{Service: "ldap", Protocol: "tcp", Domain: "lab.example", Target: "alias.lab.example", Port: 389, Priority: 1, Weight: 5}}
	do(t, p.Backend, op)

	first, second := p.guest(t, "port1", "52:54:00:00:00:01"), p.guest(t, "port2", "52:54:00:00:00:02")
	got := lease(t, first, dhcpclient.Options{Hostname: "web"})
	gateway := netip.MustParseAddr("10.9.0.1")
	require.True(t, got.Addr.Addr().Compare(netip.MustParseAddr("10.9.0.10")) >= 0 && got.Addr.Addr().Compare(netip.MustParseAddr("10.9.0.20")) <= 0, got.Addr)
	require.Equal(t, &dhcpclient.Grant{
		Addr: got.Addr, Server: gateway, Router: []netip.Addr{gateway}, DNS: []netip.Addr{gateway}, MTU: 1400, Domain: "lab.example",
		Hostname: "web", BootServer: gateway, Time: 2 * time.Hour,
	}, got)
	require.Equal(t, 24, got.Addr.Bits())
	fixed := lease(t, second, dhcpclient.Options{})
	require.Equal(t, "10.9.0.50/24", fixed.Addr.String())
	require.Equal(t, "fixed", fixed.Hostname)
	six := lease6(t, first)
	require.Equal(t, "2001:db8:9::100", six.String())

	leases, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Len(t, leases, 3)
	require.Equal(t, got.Addr.Addr(), leases[0].Addr)
	require.Equal(t, host.MAC{0x52, 0x54, 0, 0, 0, 1}, leases[0].MAC)
	require.Equal(t, "web", leases[0].Hostname)
	require.WithinDuration(t, time.Now().Add(2*time.Hour), leases[0].Expires, time.Minute)
	require.Equal(t, "fixed", leases[1].Hostname)
	require.Equal(t, host.Lease{Addr: six, ClientID: "00:03:00:01:52:54:00:00:00:01", IAID: 77, Expires: leases[2].Expires}, leases[2])

	for name, want := range map[string][]string{
		"web.lab.example.":    {got.Addr.Addr().String()},
		"web.":                {got.Addr.Addr().String()},
		"fixed.lab.example.":  {"10.9.0.50"},
		"fixed.":              {"10.9.0.50"},
		"absent.lab.example.": {"10.9.0.51"},
		"alias.":              {"10.9.0.60"},
		"alias.lab.example.":  {"10.9.0.60"},
		"other.example.":      {"10.9.0.60"},
		"nobody.lab.example.": nil,
	} {
		require.Equal(t, want, askAddr(t, p.ns, name), name)
	}
	require.Equal(t, []dnsmessage.ResourceBody{&dnsmessage.PTRResource{PTR: dnsmessage.MustNewName("alias.lab.example.")}},
		ask(t, p.ns, "10.9.0.1", "60.0.9.10.in-addr.arpa.", dnsmessage.TypePTR)[:1])
	require.Equal(t, []dnsmessage.ResourceBody{&dnsmessage.TXTResource{TXT: []string{`a, "b" \n # c`}}},
		ask(t, p.ns, "10.9.0.1", "info.lab.example.", dnsmessage.TypeTXT))
	require.Equal(t, []dnsmessage.ResourceBody{&dnsmessage.SRVResource{Priority: 1, Weight: 5, Port: 389, Target: dnsmessage.MustNewName("alias.lab.example.")}},
		ask(t, p.ns, "10.9.0.1", "_ldap._tcp.lab.example.", dnsmessage.TypeSRV))

	do(t, p.Backend, op.Inverse())
	// What was given out is known to the next server of the network.
	op.Leases = leases
	do(t, p.Backend, op)
	again, err := p.Leases(t.Context(), serverName)
	require.NoError(t, err)
	require.Equal(t, leases, again)
	require.Equal(t, got.Addr, lease(t, first, dhcpclient.Options{Hostname: "web"}).Addr)
	require.Equal(t, six, lease6(t, first), "the only address of the range")
	do(t, p.Backend, op.Inverse())
	p.empty(t)
}

// TestTextComesBack asks a running server for every text that could be mistaken for something else.
func TestTextComesBack(t *testing.T) { onBoth(t, testTextComesBack) }

func testTextComesBack(t *testing.T, p *place) {
	texts := []string{
		"plain", ",", "a,b", " a ", `"`, `a"b"c`, `\`, `a\`, `\n\t\\`, `\"`, `\,`, "# a", "a # b", "%d%s%n", "-a", "--user=root", "..", "=", "a=b",
		"größe", "0123456789abcdefABCDEF:,.", strings.Repeat("x", 255), "$HOME `id` $(id)", "'", ";", "/etc/passwd", "*",
	}
	op := serve4()
	for i, text := range texts {
		op.Server.DNS.TXT = append(op.Server.DNS.TXT, host.TXTRecord{Name: "t" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + ".example", Value: text})
	}
	do(t, p.Backend, op)
	for i, r := range op.Server.DNS.TXT {
		require.Equal(t, []dnsmessage.ResourceBody{&dnsmessage.TXTResource{TXT: []string{texts[i]}}}, ask(t, p.ns, "10.9.0.1", r.Name+".", dnsmessage.TypeTXT))
	}
	long := strings.Repeat("0123456789", 40)
	do(t, p.Backend, op.Inverse())
	op.Server.DNS.TXT = []host.TXTRecord{{Name: "long.example", Value: long}}
	op.Server.Subnets[0].BootFile = `tag:x,"a\b" # c`
	do(t, p.Backend, op)
	bodies := ask(t, p.ns, "10.9.0.1", "long.example.", dnsmessage.TypeTXT)
	require.Len(t, bodies, 1)
	require.Equal(t, long, strings.Join(bodies[0].(*dnsmessage.TXTResource).TXT, ""))
	got := lease(t, p.guest(t, "port1", "52:54:00:00:00:01"), dhcpclient.Options{})
	require.Equal(t, `tag:x,"a\b" # c`, got.BootFile)
	do(t, p.Backend, op.Inverse())
}

// TestIsolatedGuest gets no way out.
func TestIsolatedGuest(t *testing.T) { onBoth(t, testIsolatedGuest) }

func testIsolatedGuest(t *testing.T, p *place) {
	op := serve4()
	op.Server.NoRouter = true
	op.Server.DNS = nil
	do(t, p.Backend, op)
	got := lease(t, p.guest(t, "port1", "52:54:00:00:00:01"), dhcpclient.Options{})
	require.Empty(t, got.Router)
	require.Empty(t, got.DNS)
	do(t, p.Backend, op.Inverse())
}

// TestRouterAdvertisement is sent also where no address is handed out.
func TestRouterAdvertisement(t *testing.T) { onBoth(t, testRouterAdvertisement) }

func testRouterAdvertisement(t *testing.T, p *place) {
	op := host.Serve{Server: host.Server{Name: serverName, Link: "br0", Subnets: []host.Subnet{{Prefix: netip.MustParsePrefix("2001:db8:9::1/64")}}}}
	do(t, p.Backend, op)
	g := p.guest(t, "port1", "52:54:00:00:00:01")
	testenv.WaitFor(t, 30*time.Second, "the guest has chosen an address", func() bool {
		return strings.Contains(g.Output(t, "ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "global"), "inet6 2001:db8:9:")
	})
	require.Contains(t, g.Output(t, "ip", "-6", "route", "show", "default"), "default via fe80::")
	do(t, p.Backend, op.Inverse())
}

// lease6 takes an address by DHCPv6, as a client without a name: SOLICIT, ADVERTISE, REQUEST, REPLY.
func lease6(t testing.TB, g *testenv.Namespace) netip.Addr {
	t.Helper()
	var conn *net.UDPConn
	var zone string
	g.Run(t, func() {
		link, err := net.InterfaceByName("eth0")
		require.NoError(t, err)
		// By its number: names of devices are remembered across namespaces.
		zone = strconv.Itoa(link.Index)
		conn, err = net.ListenUDP("udp6", &net.UDPAddr{IP: net.ParseIP("fe80::1234"), Port: 546, Zone: zone})
		require.NoError(t, err)
	})
	defer conn.Close()
	to := &net.UDPAddr{IP: net.ParseIP("ff02::1:2"), Port: 547, Zone: zone}
	duid := []byte{0, 3, 0, 1, 0x52, 0x54, 0, 0, 0, 1}
	identity := option6(3, binary.BigEndian.AppendUint32(nil, 77), make([]byte, 8))
	advertised := exchange6(t, conn, to, 1, 2, option6(1, duid), identity)
	reply := exchange6(t, conn, to, 3, 7, option6(1, duid), option6(2, find6(advertised, 2)), option6(3, find6(advertised, 3)))
	association := find6(reply, 3)
	require.Greater(t, len(association), 12, "no address was given: %x", reply)
	addr, ok := netip.AddrFromSlice(find6(association[12:], 5)[:16])
	require.True(t, ok)
	return addr
}

// exchange6 sends a message until one of the wanted kind comes back, and returns its options.
func exchange6(t testing.TB, conn *net.UDPConn, to net.Addr, kind, wanted byte, options ...[]byte) []byte {
	t.Helper()
	message := []byte{kind, 0, 0, 0}
	rand.Read(message[1:])
	question := append(bytes.Clone(message), bytes.Join(options, nil)...)
	buffer := make([]byte, 4096)
	for try := 0; ; try++ {
		require.Less(t, try, 40, "no answer by DHCPv6")
		// The device may not be ready yet.
		_, _ = conn.WriteTo(question, to)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(500*time.Millisecond)))
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				break
			}
			if n >= 4 && buffer[0] == wanted && bytes.Equal(buffer[1:4], message[1:]) {
				return bytes.Clone(buffer[4:n])
			}
		}
	}
}

func option6(code uint16, parts ...[]byte) []byte {
	value := bytes.Join(parts, nil)
	return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, code), uint16(len(value))), value...)
}

func find6(options []byte, code uint16) []byte {
	for len(options) >= 4 {
		size := int(binary.BigEndian.Uint16(options[2:]))
		if len(options) < 4+size {
			break
		}
		if binary.BigEndian.Uint16(options) == code {
			return options[4 : 4+size]
		}
		options = options[4+size:]
	}
	return nil
}
