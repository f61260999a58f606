// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// An internet is a router that runs a backend, with two networks behind it and a host outside that knows the way to
// both.
type internet struct {
	t      testing.TB
	b      *linux.Backend
	router *testenv.Namespace
	hosts  map[string]*peer
	was    map[string]host.Filter
}

// A peer hears what is sent to its port 7, and sends from there or from any other.
type peer struct {
	ns   *testenv.Namespace
	ear4 *net.UDPConn
	ear6 *net.UDPConn
}

var (
	lan1, lan1Other = netip.MustParsePrefix("192.168.7.0/24"), netip.MustParsePrefix("192.168.9.0/24")
	lan2            = netip.MustParsePrefix("192.168.8.0/24")
	lan1v6          = netip.MustParsePrefix("fd00:7::/64")
)

func newInternet(t testing.TB) *internet {
	b, router := open(t)
	testenv.NeedProgram(t, "nft")
	n := &internet{t: t, b: b, router: router, hosts: map[string]*peer{}, was: map[string]host.Filter{}}
	for _, key := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		router.SetSysctl(t, key, "1")
	}
	// Each refusal counts.
	router.SetSysctl(t, "net/ipv4/icmp_ratelimit", "0")
	router.SetSysctl(t, "net/ipv6/icmp/ratelimit", "0")
	for _, bridge := range []string{"br1", "br2"} {
		router.Output(t, "ip", "link", "add", bridge, "type", "bridge")
		router.Output(t, "ip", "link", "set", bridge, "up")
	}
	n.join("guest", "br1", "192.168.7.1/24", "192.168.7.2/24", "fd00:7::1/64", "fd00:7::2/64")
	n.join("friend", "br1", "192.168.9.1/24", "192.168.9.2/24", "fd00:9::1/64", "fd00:9::2/64")
	n.join("other", "br2", "192.168.8.1/24", "192.168.8.2/24", "fd00:8::1/64", "fd00:8::2/64")
	n.join("outside", "", "198.51.100.1/24", "198.51.100.2/24", "2001:db8::1/64", "2001:db8::2/64")
	return n
}

// join connects a host, by a bridge or directly, with the router as its way to everywhere.
func (n *internet) join(name, bridge, router4, own4, router6, own6 string) {
	t, p := n.t, &peer{ns: testenv.New(n.t)}
	link := "to-" + name
	testenv.Connect(t, n.router, p.ns, link, "eth0")
	if bridge != "" {
		n.router.Output(t, "ip", "link", "set", link, "master", bridge)
		link = bridge
	}
	for _, a := range []struct{ router, own string }{{router4, own4}, {router6, own6}} {
		gateway := netip.MustParsePrefix(a.router).Addr()
		extra := []string{}
		if gateway.Is6() {
			extra = []string{"nodad"}
		}
		n.router.Output(t, "ip", append([]string{"addr", "add", a.router, "dev", link}, extra...)...)
		p.ns.Output(t, "ip", append([]string{"addr", "add", a.own, "dev", "eth0"}, extra...)...)
		p.ns.Output(t, "ip", "route", "add", "default", "via", gateway.String())
	}
	p.ns.Run(t, func() {
		var err error
		p.ear4, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 7})
		require.NoError(t, err)
		p.ear6, err = net.ListenUDP("udp6", &net.UDPAddr{Port: 7})
		require.NoError(t, err)
	})
	t.Cleanup(func() { p.ear4.Close(); p.ear6.Close() })
	n.hosts[name] = p
}

// filter gives a network its filter, in place of the last one.
func (n *internet) filter(f host.Filter) {
	n.t.Helper()
	do(n.t, n.b, host.SetFilter{Network: f.Network, Filter: f, Was: n.was[f.Network]})
	n.was[f.Network] = f
}

// dial opens a socket of a host for packets to an address.
func (n *internet) dial(from string, port int, to string) *net.UDPConn {
	n.t.Helper()
	var conn *net.UDPConn
	n.hosts[from].ns.Run(n.t, func() {
		var err error
		conn, err = net.DialUDP("udp", &net.UDPAddr{Port: port}, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
		require.NoError(n.t, err)
	})
	n.t.Cleanup(func() { conn.Close() })
	return conn
}

const soon = 10 * time.Second

// arrives sends a packet to a host and returns the source it is seen with there. What else comes in is an error.
func (n *internet) arrives(conn *net.UDPConn, at string) netip.AddrPort {
	n.t.Helper()
	_, err := conn.Write([]byte("hello"))
	require.NoError(n.t, err)
	ear := n.ear(conn, at)
	require.NoError(n.t, ear.SetReadDeadline(time.Now().Add(soon)))
	var b [16]byte
	size, source, err := ear.ReadFromUDPAddrPort(b[:])
	require.NoError(n.t, err)
	require.Equal(n.t, "hello", string(b[:size]))
	return source
}

func (n *internet) ear(conn *net.UDPConn, at string) *net.UDPConn {
	if conn.RemoteAddr().(*net.UDPAddr).AddrPort().Addr().Is6() {
		return n.hosts[at].ear6
	}
	return n.hosts[at].ear4
}

// answered sends an answer from port 7 of a host.
func (n *internet) answered(at string, to netip.AddrPort, conn *net.UDPConn) {
	n.t.Helper()
	_, err := n.ear(conn, at).WriteToUDPAddrPort([]byte("answer"), to)
	require.NoError(n.t, err)
	require.NoError(n.t, conn.SetReadDeadline(time.Now().Add(soon)))
	var b [16]byte
	size, err := conn.Read(b[:])
	require.NoError(n.t, err)
	require.Equal(n.t, "answer", string(b[:size]))
}

// refused sends a packet that somebody on the way sends back.
func (n *internet) refused(conn *net.UDPConn, at string) {
	n.t.Helper()
	_, err := conn.Write([]byte("lost"))
	require.NoError(n.t, err)
	require.NoError(n.t, conn.SetReadDeadline(time.Now().Add(soon)))
	_, err = conn.Read(make([]byte, 16))
	require.ErrorIs(n.t, err, unix.ECONNREFUSED)
	n.silent(conn, at)
}

// silent wants that nothing came in.
func (n *internet) silent(conn *net.UDPConn, at string) {
	n.t.Helper()
	ear := n.ear(conn, at)
	require.NoError(n.t, ear.SetReadDeadline(time.Now()))
	_, _, err := ear.ReadFromUDPAddrPort(make([]byte, 16))
	require.ErrorIs(n.t, err, os.ErrDeadlineExceeded)
}

// dropped sends a packet that a rule of a chain drops without a word.
func (n *internet) dropped(conn *net.UDPConn, at, chain string) {
	n.t.Helper()
	drops := regexp.MustCompile(`counter packets ([1-9]\d*) bytes \d+ drop`)
	before := drops.FindString(n.router.Output(n.t, "nft", "list", "chain", "inet", "virtnet", chain))
	_, err := conn.Write([]byte("lost"))
	require.NoError(n.t, err)
	testenv.WaitFor(n.t, soon, "a rule of "+chain+" dropped", func() bool {
		return drops.FindString(n.router.Output(n.t, "nft", "list", "chain", "inet", "virtnet", chain)) != before
	})
	n.silent(conn, at)
	require.NoError(n.t, conn.SetReadDeadline(time.Now()))
	_, err = conn.Read(make([]byte, 16))
	require.ErrorIs(n.t, err, os.ErrDeadlineExceeded)
}

// isolated, routed and translated are the filters of networks as they are planned.
func isolated(network, link string) host.Filter {
	return host.Filter{
		Network: network, Link: link,
		From: []host.Rule{{Out: link, Do: host.Return}, {Do: host.Reject}},
		To:   []host.Rule{{In: link, Do: host.Return}, {Do: host.Reject}},
	}
}

func routed(network, link string, subnet netip.Prefix) host.Filter {
	f := isolated(network, link)
	f.From = []host.Rule{f.From[0], {Src: subnet, Do: host.Return}, f.From[1]}
	f.To = []host.Rule{f.To[0], {Dst: subnet, Do: host.Return}, f.To[1]}
	return f
}

func translated(network, link string, subnet netip.Prefix, how host.Rule) host.Filter {
	f := routed(network, link, subnet)
	f.To[1].Established = true
	how.Src, how.NotDst = subnet, subnet
	f.NAT = []host.Rule{how}
	return f
}

// A packet needs the consent of the network it comes from and of that it goes to.
func TestFilterBothNetworksDecide(t *testing.T) {
	t.Parallel()
	n := newInternet(t)
	there, back := n.dial("guest", 0, "192.168.8.2:7"), n.dial("other", 0, "192.168.7.2:7")
	require.Equal(t, "192.168.7.2", n.arrives(there, "other").Addr().String(), "without filters")

	n.filter(routed("n2", "br2", lan2))
	n.arrives(there, "other")
	n.filter(isolated("n1", "br1"))
	n.refused(there, "other")
	n.refused(back, "guest")
	n.refused(n.dial("guest", 0, "198.51.100.2:7"), "outside")
	n.refused(n.dial("guest", 0, "[2001:db8::2]:7"), "outside")
	n.refused(n.dial("outside", 0, "192.168.7.2:7"), "guest")
	n.arrives(n.dial("guest", 0, "192.168.9.2:7"), "friend") // on the same link

	n.filter(routed("n1", "br1", lan1))
	n.arrives(there, "other")
	n.arrives(back, "guest")
	n.arrives(n.dial("outside", 0, "192.168.7.2:7"), "guest")
	n.refused(n.dial("friend", 0, "198.51.100.2:7"), "outside") // another subnet than the network's
	n.filter(isolated("n2", "br2"))
	n.refused(there, "other")

	n.filter(host.Filter{Network: "n1", Link: "br1", From: []host.Rule{{Proto: host.UDP, Dst: lan2, Do: host.Drop}}})
	n.dropped(there, "other", "from-n1")
	n.arrives(n.dial("guest", 0, "198.51.100.2:7"), "outside")
	n.filter(host.Filter{Network: "n1", Link: "br1"})
	n.refused(there, "other")
	n.arrives(n.dial("guest", 0, "198.51.100.2:7"), "outside")
}

func TestFilterTranslates(t *testing.T) {
	t.Parallel()
	n := newInternet(t)
	high := host.PortRange{From: 40000, To: 40010}
	addrs := host.AddrRange{From: netip.MustParseAddr("198.51.100.20"), To: netip.MustParseAddr("198.51.100.23")}
	cases := []struct {
		name string
		how  host.Rule
		// want is what the source may be outside; ports lower than 512 if there are none.
		want  host.AddrRange
		ports host.PortRange
	}{
		{"masquerade", host.Rule{Do: host.Masquerade}, host.AddrRange{}, host.PortRange{}},
		{"masquerade with ports", host.Rule{Do: host.Masquerade, Proto: host.UDP, Ports: high}, host.AddrRange{}, high},
		{"masquerade with one port", host.Rule{Do: host.Masquerade, Proto: host.UDP, Ports: host.PortRange{From: 4711, To: 4711}}, host.AddrRange{}, host.PortRange{From: 4711, To: 4711}},
		{"snat", host.Rule{Do: host.SNAT, Addrs: addrs}, addrs, host.PortRange{}},
		{"snat to one", host.Rule{Do: host.SNAT, Addrs: host.AddrRange{From: addrs.To, To: addrs.To}}, host.AddrRange{From: addrs.To, To: addrs.To}, host.PortRange{}},
		{"snat with ports", host.Rule{Do: host.SNAT, Proto: host.UDP, Addrs: addrs, Ports: high}, addrs, high},
	}
	// The router takes answers to these addresses.
	for a := addrs.From; a.Compare(addrs.To) <= 0; a = a.Next() {
		n.router.Output(t, "ip", "addr", "add", a.String()+"/32", "dev", "lo")
	}
	for i, c := range cases {
		if c.want == (host.AddrRange{}) {
			c.want = host.AddrRange{From: netip.MustParseAddr("198.51.100.1"), To: netip.MustParseAddr("198.51.100.1")}
		}
		if c.ports == (host.PortRange{}) {
			c.ports = host.PortRange{From: 1, To: 511}
		}
		n.filter(translated("n1", "br1", lan1, c.how))
		conn := n.dial("guest", 300+i, "198.51.100.2:7")
		source := n.arrives(conn, "outside")
		require.True(t, c.want.From.Compare(source.Addr()) <= 0 && source.Addr().Compare(c.want.To) <= 0, "%s: %s", c.name, source)
		require.True(t, c.ports.From <= source.Port() && source.Port() <= c.ports.To, "%s: %s", c.name, source)
		n.answered("outside", source, conn)
		// Known connections may go on, new ones may not come in.
		n.refused(n.dial("outside", 0, "192.168.7.2:7"), "guest")
		// What stays on the link keeps its address, though it goes to another subnet.
		source = n.arrives(n.dial("guest", 400+i, "192.168.9.2:7"), "friend")
		require.Equal(t, fmt.Sprintf("192.168.7.2:%d", 400+i), source.String(), c.name)
		// The next case begins a connection of its own.
		require.NoError(t, conn.Close())
	}
}

func TestFilterTranslatesIPv6(t *testing.T) {
	t.Parallel()
	n := newInternet(t)
	n.filter(translated("n1", "br1", lan1v6, host.Rule{Do: host.Masquerade, Proto: host.UDP, Ports: host.PortRange{From: 1024, To: 65535}}))
	conn := n.dial("guest", 300, "[2001:db8::2]:7")
	source := n.arrives(conn, "outside")
	require.Equal(t, "2001:db8::1", source.Addr().String())
	require.GreaterOrEqual(t, source.Port(), uint16(1024))
	n.answered("outside", source, conn)
	n.refused(n.dial("outside", 0, "[fd00:7::2]:7"), "guest")
	n.refused(n.dial("guest", 0, "198.51.100.2:7"), "outside")

	addr := netip.MustParseAddr("2001:db8::77")
	n.router.Output(t, "ip", "addr", "add", addr.String()+"/128", "dev", "lo")
	n.router.Output(t, "ip", "neigh", "add", "proxy", addr.String(), "dev", "to-outside")
	n.filter(translated("n1", "br1", lan1v6, host.Rule{Do: host.SNAT, Addrs: host.AddrRange{From: addr, To: addr}}))
	require.Equal(t, "[2001:db8::77]:301", n.arrives(n.dial("guest", 301, "[2001:db8::2]:7"), "outside").String())
}

// While a filter is replaced again and again every packet meets either the old or the new one.
func TestFilterReplacedUnderTraffic(t *testing.T) {
	t.Parallel()
	n := newInternet(t)
	// They drop the same packets in different lists.
	drop := host.Rule{Dst: lan1Other, Do: host.Drop}
	variants := []host.Filter{
		{Network: "n1", Link: "br1", From: []host.Rule{drop}, NAT: []host.Rule{{Do: host.Masquerade}}},
		{Network: "n1", Link: "br1", To: []host.Rule{{Established: true, Do: host.Return}, drop}, NAT: []host.Rule{{Dst: lan2, Do: host.Return}, {Src: lan1, Do: host.Masquerade}}},
	}
	n.filter(variants[0])
	forbidden := n.dial("guest", 0, "192.168.9.2:7")
	done, replaced := make(chan error, 1), 0
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			o := host.SetFilter{Network: "n1", Filter: variants[(replaced+1)%2], Was: variants[replaced%2]}
			if err := n.b.Do(n.t.Context(), o); err != nil {
				done <- err
				return
			}
			replaced++
		}
	}()
	for range 2000 {
		_, err := forbidden.Write([]byte("lost"))
		require.NoError(t, err)
		allowed := n.dial("guest", 0, "198.51.100.2:7")
		require.Equal(t, "198.51.100.1", n.arrives(allowed, "outside").Addr().String())
		require.NoError(t, allowed.Close())
	}
	close(stop)
	require.NoError(t, <-done)
	t.Logf("replaced %d times", replaced)
	require.Greater(t, replaced, 10)
	n.silent(forbidden, "friend")
}
