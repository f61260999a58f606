// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
)

// What a network lets pass, and the test that sends the packets:
//
//	guests of one network reach each other                TestReachability, TestBridgedThroughFilter
//	isolated: nothing in, nothing out                     TestReachability
//	route: in and out, with the guests' own addresses     TestReachability, TestTranslation
//	route and nat: only from the subnet's addresses       TestForgedSource
//	nat: out, and in only what answers                    TestReachability, TestTranslation
//	nat of IPv6 only with ipv6='yes', else routed         TestReachability, TestTranslation
//	nat: addresses, ports, TCP, UDP and the rest          TestTranslation
//	nat: no translation on the link: multicast, broadcast TestBridgedThroughFilter
//	several subnets of both families                      TestTranslation
//	forward dev, several uplinks                          TestUplinks
//	ipv6='yes' without an address of IPv6                 TestBridgedThroughFilter
//	open: no rules                                        TestReachability
//	refused packets are answered                          TestReachability: each probe wants to be told
//	from network to network                               TestReachability
//	guests and the host itself, at any of its addresses   TestHostAndGuests
//	static routes with metrics                            TestStaticRoutes
//	isolated ports                                        TestIsolatedPorts
//	stp and delay                                         TestForwardDelay
//	zones of firewalld                                    TestZonePackets, TestZoneDefault

// witness answers datagrams and streams on port 77 of a namespace with the address and port that they came from.
func witness(t *testing.T, n *testenv.Namespace) {
	t.Helper()
	var packets net.PacketConn
	var streams net.Listener
	n.Run(t, func() {
		var err error
		packets, err = net.ListenPacket("udp", ":77")
		require.NoError(t, err)
		streams, err = net.Listen("tcp", ":77")
		require.NoError(t, err)
	})
	t.Cleanup(func() { packets.Close(); streams.Close() })
	go func() {
		for b := make([]byte, 1500); ; {
			_, from, err := packets.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo([]byte(from.String()), from)
		}
	}()
	go func() {
		for {
			conn, err := streams.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(conn.RemoteAddr().String()))
			_ = conn.Close()
		}
	}()
}

// seenAs is the address and port that a witness sees something from, which was sent from a port of a guest.
func seenAs(t *testing.T, from *testenv.Namespace, network string, source netip.AddrPort, to string) netip.AddrPort {
	t.Helper()
	d := net.Dialer{Timeout: 10 * time.Second}
	if network == "udp" {
		d.LocalAddr = net.UDPAddrFromAddrPort(source)
	} else {
		d.LocalAddr = net.TCPAddrFromAddrPort(source)
	}
	var conn net.Conn
	var err error
	from.Run(t, func() { conn, err = d.Dial(network, netip.AddrPortFrom(netip.MustParseAddr(to), 77).String()) })
	require.NoError(t, err)
	defer conn.Close()
	n, b := 0, make([]byte, 100)
	testenv.WaitFor(t, 20*time.Second, network+" from "+source.String()+": an answer", func() bool {
		// Of packets one may be lost, while neighbours are found.
		wait := map[string]time.Duration{"udp": time.Second, "tcp": 10 * time.Second}[network]
		require.NoError(t, conn.SetDeadline(time.Now().Add(wait)))
		if network == "udp" {
			_, err = conn.Write([]byte("who am I?"))
			require.NoError(t, err)
		}
		n, err = conn.Read(b)
		return err == nil
	})
	seen := netip.MustParseAddrPort(string(b[:n]))
	return netip.AddrPortFrom(seen.Addr().Unmap(), seen.Port())
}

// seenPing is the address that the outside sees a ping of a guest from.
func (w *world) seenPing(from *guest, to netip.Addr) netip.Addr {
	t := w.t
	t.Helper()
	network, request := "ip4:icmp", byte(8)
	if to.Is6() {
		network, request = "ip6:ipv6-icmp", 128
	}
	var ear net.PacketConn
	w.outside.Run(t, func() {
		var err error
		ear, err = net.ListenPacket(network, "")
		require.NoError(t, err)
	})
	defer ear.Close()
	require.NoError(t, lab.Probe(t.Context(), from.Path(), lab.ICMP, to))
	require.NoError(t, ear.SetReadDeadline(time.Now().Add(10*time.Second)))
	for b := make([]byte, 1500); ; {
		n, source, err := ear.ReadFrom(b)
		require.NoError(t, err)
		if n > 0 && b[0] == request {
			addr, ok := netip.AddrFromSlice(source.(*net.IPAddr).IP)
			require.True(t, ok)
			return addr.Unmap()
		}
	}
}

func TestTranslation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	witness(t, w.outside)
	for _, addr := range []string{"203.0.113.20", "203.0.113.21", "203.0.113.22", "203.0.113.23"} {
		w.ip(w.host, "addr add "+addr+"/32 dev lo")
	}
	const subnets = `<bridge name='br-%[1]s' stp='off'/><ip address='10.88.%[2]d.1' prefix='24'/><ip address='10.89.%[2]d.1' prefix='24'/>
<ip family='ipv6' address='2001:db8:88:%[2]d::1' prefix='64'/><ip family='ipv6' address='2001:db8:89:%[2]d::1' prefix='64'/></network>`
	one := func(a string) [2]netip.Addr { return [2]netip.Addr{netip.MustParseAddr(a), netip.MustParseAddr(a)} }
	own := [2]netip.Addr{} // the guest's
	pool := [2]netip.Addr{netip.MustParseAddr("203.0.113.20"), netip.MustParseAddr("203.0.113.23")}
	cases := []struct {
		name, forward string
		v4, v6        [2]netip.Addr
		// ports are those that port 90 of the guest becomes.
		ports4, ports6 [2]uint16
	}{
		{"nat", `<forward/>`, one("203.0.113.1"), own, [2]uint16{1024, 65535}, [2]uint16{90, 90}},
		{"nat6", `<forward><nat ipv6='yes'/></forward>`, one("203.0.113.1"), one("2001:db8:f::1"), [2]uint16{1024, 65535}, [2]uint16{1024, 65535}},
		{"ports", `<forward><nat ipv6='yes'><port start='40000' end='40010'/></nat></forward>`, one("203.0.113.1"), one("2001:db8:f::1"), [2]uint16{40000, 40010}, [2]uint16{40000, 40010}},
		{"pool", `<forward><nat ipv6='yes'><address start='203.0.113.20' end='203.0.113.23'/><port start='40000' end='40010'/></nat></forward>`, pool, one("2001:db8:f::1"), [2]uint16{40000, 40010}, [2]uint16{40000, 40010}},
		{"single", `<forward><nat><address start='203.0.113.22' end='203.0.113.22'/></nat></forward>`, one("203.0.113.22"), own, [2]uint16{1024, 65535}, [2]uint16{90, 90}},
		{"route", `<forward mode='route'/>`, own, own, [2]uint16{90, 90}, [2]uint16{90, 90}},
		{"open", `<forward mode='open'/>`, own, own, [2]uint16{90, 90}, [2]uint16{90, 90}},
	}
	for i, c := range cases {
		live := w.start(fmt.Sprintf(`<network><name>%[1]s</name>`+c.forward+subnets, c.name, i))
		g := w.attach(c.name, `<interface type='network'><source network='`+c.name+`'/></interface>`)
		// The first address of each family has the default route; the second is sent from on purpose.
		for j := range live.IPs {
			gateway, _ := live.IPs[j].Prefix()
			addr := numbered(gateway, 100)
			w.ip(g.Namespace, fmt.Sprintf("addr add %s/%d dev eth0%s", addr, gateway.Bits(), map[bool]string{true: " nodad"}[addr.Is6()]))
			g.addrs = append(g.addrs, addr)
			if j%2 == 0 {
				w.ip(g.Namespace, "route add default via "+gateway.Addr().String()+" src "+addr.String())
			}
		}
		require.NoError(t, lab.Echo(t.Context(), g.Path()))
		for _, addr := range g.addrs {
			to, want, ports := "203.0.113.2", c.v4, c.ports4
			if addr.Is6() {
				to, want, ports = "2001:db8:f::2", c.v6, c.ports6
			}
			if want == own {
				want = [2]netip.Addr{addr, addr}
			}
			for _, network := range []string{"udp", "tcp"} {
				seen := seenAs(t, g.Namespace, network, netip.AddrPortFrom(addr, 90), to)
				require.True(t, !seen.Addr().Less(want[0]) && !want[1].Less(seen.Addr()), "%s %s from %s: %s", c.name, network, addr, seen)
				require.True(t, ports[0] <= seen.Port() && seen.Port() <= ports[1], "%s %s from %s: %s", c.name, network, addr, seen)
			}
			if addr == g.addrs[0] || addr == g.addrs[2] {
				ping := w.seenPing(g, netip.MustParseAddr(to))
				require.True(t, !ping.Less(want[0]) && !want[1].Less(ping), "%s: ping from %s", c.name, ping)
			}
			// What is translated cannot be called from outside.
			err := lab.Probe(t.Context(), w.outside.Path(), lab.TCP, addr)
			if want[0] == addr {
				require.NoError(t, err, "%s %s", c.name, addr)
			} else {
				require.ErrorIs(t, err, lab.ErrRejected, "%s %s", c.name, addr)
			}
		}
	}
}

func TestForgedSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, forward := range []string{`<forward/>`, `<forward><nat ipv6='yes'/></forward>`, `<forward mode='route'/>`} {
		name := fmt.Sprint("lan", i)
		live := w.start(fmt.Sprintf(`<network><name>%s</name>%s<bridge name='%[1]s' stp='off'/><ip address='10.88.%[3]d.1' prefix='24'/>
<ip family='ipv6' address='2001:db8:88:%[3]d::1' prefix='64'/></network>`, name, forward, i))
		g := w.attach(name, `<interface type='network'><source network='`+name+`'/></interface>`)
		w.configure(g, live)
		forged := []string{fmt.Sprintf("10.99.%d.5", i), fmt.Sprintf("2001:db8:99:%d::5", i)}
		// The host knows where they are, so that it can tell that it refuses.
		w.ip(g.Namespace, "addr add "+forged[0]+"/32 dev eth0", "addr add "+forged[1]+"/128 dev eth0 nodad")
		w.ip(w.host, "route add "+forged[0]+"/32 dev "+name, "route add "+forged[1]+"/128 dev "+name)
		for j, to := range []string{"203.0.113.2", "2001:db8:f::2"} {
			for _, source := range []string{g.addrs[j].String(), forged[j]} {
				family := map[bool]string{true: "-6", false: "-4"}[j == 1]
				w.ip(g.Namespace, family+" route replace default via "+live.IPs[j].Address.String()+" src "+source)
				err := lab.Probe(t.Context(), g.Path(), lab.ICMP, netip.MustParseAddr(to))
				if source == forged[j] {
					require.ErrorIs(t, err, lab.ErrRejected, "%s from %s", forward, source)
				} else {
					require.NoError(t, err, "%s from %s", forward, source)
				}
			}
		}
	}
}

// TestUplinks limits networks to some of three uplinks.
func TestUplinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	outsides := []*testenv.Namespace{w.outside, testenv.New(t), testenv.New(t)}
	targets := [][]string{{"203.0.113.2", "2001:db8:f::2"}, {"198.51.100.2", "2001:db8:e::2"}, {"192.0.2.2", "2001:db8:d::2"}}
	for i, link := range []string{"eth0", "eth1", "eth2"} {
		if i > 0 {
			testenv.Connect(t, w.host, outsides[i], link, "eth0")
			for j, target := range targets[i] {
				length, extra := "/24", ""
				if j == 1 {
					length, extra = "/64", " nodad"
				}
				gateway := strings.TrimSuffix(target, "2") + "1"
				w.ip(w.host, "addr add "+gateway+length+" dev "+link+extra)
				w.ip(outsides[i], "addr add "+target+length+" dev eth0"+extra, "route add default via "+gateway)
			}
		}
		require.NoError(t, lab.Echo(t.Context(), outsides[i].Path()))
	}
	cases := []struct {
		name, forward string
		reaches       [3]bool
		// called is whether the outside may call guests, by IPv4 and IPv6.
		called [2]bool
	}{
		{"nat", `<forward mode='nat' dev='eth1'/>`, [3]bool{false, true, false}, [2]bool{false, true}},
		{"nat6", `<forward mode='nat' dev='eth1'><nat ipv6='yes'/></forward>`, [3]bool{false, true, false}, [2]bool{false, false}},
		{"several", `<forward mode='nat'><interface dev='eth0'/><interface dev='eth2'/></forward>`, [3]bool{true, false, true}, [2]bool{false, true}},
		{"route", `<forward mode='route' dev='eth2'/>`, [3]bool{false, false, true}, [2]bool{true, true}},
		{"routes", `<forward mode='route'><interface dev='eth0'/><interface dev='eth1'/></forward>`, [3]bool{true, true, false}, [2]bool{true, true}},
		{"any", `<forward mode='route'/>`, [3]bool{true, true, true}, [2]bool{true, true}},
	}
	for i, c := range cases {
		live := w.start(fmt.Sprintf(`<network><name>%[1]s</name>%[2]s<bridge name='br-%[1]s' stp='off'/><ip address='10.88.%[3]d.1' prefix='24'/>
<ip family='ipv6' address='2001:db8:88:%[3]d::1' prefix='64'/></network>`, c.name, c.forward, i))
		g := w.attach(c.name, `<interface type='network'><source network='`+c.name+`'/></interface>`)
		w.configure(g, live)
		require.NoError(t, lab.Echo(t.Context(), g.Path()))
		for uplink, reaches := range c.reaches {
			for family, target := range targets[uplink] {
				agree(t, reaches, lab.Probe(t.Context(), g.Path(), lab.UDP, netip.MustParseAddr(target)), "%s to %s", c.name, target)
				agree(t, reaches && c.called[family], lab.Probe(t.Context(), outsides[uplink].Path(), lab.TCP, g.addrs[family]), "%s from %s", c.name, target)
			}
		}
	}
}

// agree wants no error where something passes, and that it was rejected where it does not.
func agree(t *testing.T, passes bool, err error, format string, args ...any) {
	t.Helper()
	if passes {
		require.NoError(t, err, fmt.Sprintf(format, args...))
	} else {
		require.ErrorIs(t, err, lab.ErrRejected, fmt.Sprintf(format, args...))
	}
}

// TestHostAndGuests: the host reaches all guests, and guests of every kind of network reach all addresses of the host.
func TestHostAndGuests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.NoError(t, lab.Echo(t.Context(), w.host.Path()))
	for i, forward := range []string{``, `<forward/>`, `<forward><nat ipv6='yes'/></forward>`, `<forward mode='route'/>`, `<forward mode='open'/>`} {
		name := fmt.Sprint("lan", i)
		live := w.start(fmt.Sprintf(`<network><name>%s</name>%s<bridge name='%[1]s' stp='off'/><ip address='10.88.%[3]d.1' prefix='24'/>
<ip family='ipv6' address='2001:db8:88:%[3]d::1' prefix='64'/></network>`, name, forward, i))
		g := w.attach(name, `<interface type='network'><source network='`+name+`'/></interface>`)
		w.configure(g, live)
		require.NoError(t, lab.Echo(t.Context(), g.Path()))
		for _, how := range []lab.Protocol{lab.TCP, lab.UDP, lab.ICMP} {
			for j, gateway := range live.IPs {
				require.NoError(t, lab.Probe(t.Context(), w.host.Path(), how, g.addrs[j]), "%s", forward)
				require.NoError(t, lab.Probe(t.Context(), g.Path(), how, gateway.Address.Addr), "%s", forward)
			}
			// What answers datagrams does not answer from the address that was asked.
			for _, other := range []string{"203.0.113.1", "2001:db8:f::1"} {
				if how == lab.UDP {
					continue
				}
				require.NoError(t, lab.Probe(t.Context(), g.Path(), how, netip.MustParseAddr(other)), "%s", forward)
			}
		}
	}
}

// TestBridgedThroughFilter has the kernel send also what stays on a bridge through the packet filter, as br_netfilter
// does where something like Kubernetes is on the host: it passes, and nobody's address is translated.
func TestBridgedThroughFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, key := range []string{"iptables", "ip6tables"} {
		w.host.SetSysctl(t, "net/bridge/bridge-nf-call-"+key, "1")
	}
	for i, document := range []string{
		`<network%s><name>lan%d</name><bridge name='lan%[2]d' stp='off'/></network>`,
		`<network%s><name>lan%d</name><bridge name='lan%[2]d' stp='off'/><ip address='10.88.%[2]d.1' prefix='24'/></network>`,
		`<network%s><name>lan%d</name><forward/><bridge name='lan%[2]d' stp='off'/><ip address='10.88.%[2]d.1' prefix='24'/></network>`,
		`<network%s><name>lan%d</name><forward mode='route'/><bridge name='lan%[2]d' stp='off'/><ip address='10.88.%[2]d.1' prefix='24'/></network>`,
	} {
		w.start(fmt.Sprintf(document, ` ipv6='yes'`, i))
		var guests [2]*guest
		for j := range guests {
			g := w.attach(fmt.Sprint("guest", i, j), fmt.Sprintf(`<interface type='network'><source network='lan%d'/></interface>`, i))
			w.ip(g.Namespace, fmt.Sprintf("addr add 10.88.%d.10%d/24 dev eth0 brd +", i, j), fmt.Sprintf("addr add fd00:88:%d::10%d/64 dev eth0 nodad", i, j),
				fmt.Sprintf("route add default via 10.88.%d.1", i), "route add 224.0.0.0/4 dev eth0")
			g.SetSysctl(t, "net/ipv4/icmp_echo_ignore_broadcasts", "0")
			guests[j] = g
		}
		require.NoError(t, lab.Echo(t.Context(), guests[1].Path()))
		for _, to := range []string{fmt.Sprintf("10.88.%d.101", i), fmt.Sprintf("fd00:88:%d::101", i)} {
			for _, how := range []lab.Protocol{lab.TCP, lab.UDP, lab.ICMP} {
				require.NoError(t, lab.Probe(t.Context(), guests[0].Path(), how, netip.MustParseAddr(to)), "network %d to %s by %s", i, to, how)
			}
		}
		for _, to := range []string{"224.0.0.251", "239.1.2.3", "255.255.255.255", fmt.Sprintf("10.88.%d.255", i), fmt.Sprintf("10.88.%d.101", i)} {
			require.Equal(t, fmt.Sprintf("10.88.%d.100:300", i), w.heard(guests, to).String(), "network %d to %s", i, to)
		}
	}
}

// heard has one guest send a datagram from port 300 to an address that may be for many, and returns who the other heard
// it from.
func (w *world) heard(guests [2]*guest, to string) netip.AddrPort {
	t := w.t
	t.Helper()
	addr := netip.MustParseAddr(to)
	var ear *net.UDPConn
	guests[1].Run(t, func() {
		var err error
		if addr.IsMulticast() {
			link, failed := net.InterfaceByName("eth0")
			require.NoError(t, failed)
			ear, err = net.ListenMulticastUDP("udp4", link, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 78)))
		} else {
			// Programs that other tests start at this moment have the descriptors of the one before until they run.
			testenv.WaitFor(t, 10*time.Second, "the port of the one before", func() bool {
				ear, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 78})
				return !errors.Is(err, unix.EADDRINUSE)
			})
		}
		require.NoError(t, err)
	})
	defer ear.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var mouth net.Conn
	guests[0].Run(t, func() {
		var err error
		mouth, err = (&net.Dialer{LocalAddr: &net.UDPAddr{Port: 300}}).DialContext(ctx, "udp4", netip.AddrPortFrom(addr, 78).String())
		require.NoError(t, err)
	})
	defer mouth.Close()
	_, err := mouth.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, ear.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, from, err := ear.ReadFromUDPAddrPort(make([]byte, 10))
	require.NoError(t, err, "to %s", to)
	return from
}
