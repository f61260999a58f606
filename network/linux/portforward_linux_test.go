// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A town is a host that runs networks, with guests that answer at some ports, somebody outside, and somebody further away
// who is reached through the host.
type town struct {
	t    testing.TB
	host *testenv.Namespace
	nets *network.Manager
	all  map[string]*testenv.Namespace
}

// The addresses of the town: those of the host outside, and a second one there that some forwards are for.
const (
	outer4, outer6   = "198.51.100.1", "2001:db8::1"
	second4, second6 = "198.51.100.9", "2001:db8::9"
)

// answering are the ports at which everybody but the host answers.
var answering = []int{7, 80, 81, 82}

func newTown(t testing.TB) *town {
	b, ns := open(t)
	testenv.NeedProgram(t, "nft")
	nets, err := network.Open(t.Context(), b, network.Memory())
	require.NoError(t, err)
	w := &town{t: t, host: ns, nets: nets, all: map[string]*testenv.Namespace{"host": ns}}
	for _, key := range []string{"net/ipv4/icmp_ratelimit", "net/ipv6/icmp/ratelimit"} {
		ns.SetSysctl(t, key, "0") // each refusal counts
	}
	w.bridgesCall("0")
	w.neighbour("outside", "198.51.100.1/24", "198.51.100.2/24", "2001:db8::1/64", "2001:db8::2/64")
	w.neighbour("far", "192.0.2.1/24", "192.0.2.2/24", "2001:db8:f::1/64", "2001:db8:f::2/64")
	w.address(ns, "to-outside", second4+"/32", second6+"/128")
	return w
}

// bridgesCall says whether the kernel takes what its bridges pass from port to port through the filters for IP as well, where it
// can do that at all.
func (w *town) bridgesCall(filters string) {
	w.host.Run(w.t, func() {
		if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
			return
		}
		for _, key := range []string{"net/bridge/bridge-nf-call-iptables", "net/bridge/bridge-nf-call-ip6tables"} {
			w.host.SetSysctl(w.t, key, filters)
		}
	})
}

// neighbour connects somebody with the host, which is the way to everybody else.
func (w *town) neighbour(name, host4, own4, host6, own6 string) {
	ns := testenv.New(w.t)
	w.all[name] = ns
	testenv.Connect(w.t, w.host, ns, "to-"+name, "eth0")
	w.address(w.host, "to-"+name, host4, host6)
	w.address(ns, "eth0", own4, own6)
	w.route(ns, host4, host6)
	w.serve(name)
}

// guest plugs a guest into the bridge of a network. Without a way it knows nothing but its own network.
func (w *town) guest(name, bridge, own4, own6 string, way ...string) {
	ns := testenv.New(w.t)
	w.all[name] = ns
	testenv.Connect(w.t, w.host, ns, "to-"+name, "eth0")
	ns.SetSysctl(w.t, "net/ipv6/conf/eth0/accept_ra", "0") // it has an address already
	w.host.Output(w.t, "ip", "link", "set", "to-"+name, "master", bridge)
	w.address(ns, "eth0", own4, own6)
	w.route(ns, way...)
	w.serve(name)
}

func (w *town) address(ns *testenv.Namespace, link string, addrs ...string) {
	for _, a := range addrs {
		args := []string{"addr", "add", a, "dev", link}
		if strings.Contains(a, ":") {
			args = append(args, "nodad")
		}
		ns.Output(w.t, "ip", args...)
	}
}

func (w *town) route(ns *testenv.Namespace, by ...string) {
	for _, a := range by {
		ns.Output(w.t, "ip", "route", "add", "default", "via", netip.MustParsePrefix(a).Addr().String())
	}
}

// serve has somebody answer at some ports with its name, the port, and who it thinks has asked.
func (w *town) serve(name string) {
	w.all[name].Run(w.t, func() {
		for _, port := range answering {
			l, err := net.ListenTCP("tcp", &net.TCPAddr{Port: port})
			require.NoError(w.t, err)
			w.t.Cleanup(func() { l.Close() })
			go func() {
				for {
					c, err := l.AcceptTCP()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						buf := make([]byte, 16)
						for {
							if _, err := c.Read(buf); err != nil {
								return
							}
							fmt.Fprint(c, answer(name, port, c.RemoteAddr().(*net.TCPAddr).AddrPort()))
						}
					}()
				}
			}()
			u, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
			require.NoError(w.t, err)
			w.t.Cleanup(func() { u.Close() })
			go func() {
				buf := make([]byte, 16)
				for {
					_, from, err := u.ReadFromUDPAddrPort(buf)
					if err != nil {
						return
					}
					_, _ = u.WriteToUDPAddrPort([]byte(answer(name, port, from)), from)
				}
			}()
		}
	})
}

func answer(name string, port int, from netip.AddrPort) string {
	return fmt.Sprintf("%s:%d to %s", name, port, from.Addr().Unmap())
}

// dial connects somebody with an address and a port.
func (w *town) dial(from, proto, to string) (conn net.Conn, err error) {
	w.all[from].Run(w.t, func() {
		conn, err = (&net.Dialer{Timeout: soon}).Dial(proto, to)
	})
	if err == nil {
		w.t.Cleanup(func() { conn.Close() })
	}
	return conn, err
}

// ask is what somebody is answered at an address and a port.
func (w *town) ask(from, proto, addr string, port int) (string, error) {
	conn, err := w.dial(from, proto, net.JoinHostPort(addr, fmt.Sprint(port)))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return talk(w.t, conn)
}

// talk is what is answered on a connection.
func talk(t testing.TB, conn net.Conn) (string, error) {
	t.Helper()
	if _, err := io.WriteString(conn, "hello"); err != nil {
		return "", err
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(soon)))
	buf := make([]byte, 128)
	n, err := conn.Read(buf)
	return string(buf[:n]), err
}

// answers wants an answer by both protocols.
func (w *town) answers(from, addr string, port int, want string) {
	w.t.Helper()
	for _, proto := range []string{"tcp", "udp"} {
		got, err := w.ask(from, proto, addr, port)
		require.NoError(w.t, err, "%s to %s port %d by %s", from, addr, port, proto)
		require.Equal(w.t, want, got, "%s to %s port %d by %s", from, addr, port, proto)
	}
}

// refuses wants to be told by both protocols that there is nobody.
func (w *town) refuses(from, addr string, port int) {
	w.t.Helper()
	for _, proto := range []string{"tcp", "udp"} {
		got, err := w.ask(from, proto, addr, port)
		require.True(w.t, errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH),
			"%s to %s port %d by %s: %q, %v", from, addr, port, proto, got, err)
	}
}

const townDocument = `<network><name>a</name>%s<bridge name='bra' stp='off'/><dns enable='no'/>
<ip address='10.77.1.1' prefix='24'/><ip family='ipv6' address='fd77:1::1' prefix='64'/>
<v:forwards xmlns:v='https://go-virtnet.github.io/schemas/network/1.0'>%s</v:forwards></network>`

// townForwards are all kinds of forwards to a1, by both protocols and in both families.
func townForwards() string {
	var b strings.Builder
	for _, proto := range []string{"tcp", "udp"} {
		for _, f := range []struct{ to, second string }{{"10.77.1.2", second4}, {"fd77:1::2", second6}} {
			fmt.Fprintf(&b, "<v:forward proto='%s' port='8080' to='%s' toport='80'/>", proto, f.to)
			fmt.Fprintf(&b, "<v:forward proto='%s' port='9001-9002' to='%s' toport='81-82'/>", proto, f.to)
			fmt.Fprintf(&b, "<v:forward proto='%s' address='%s' port='8443' to='%s' toport='81'/>", proto, f.second, f.to)
			// For one address there is another guest than for all.
			fmt.Fprintf(&b, "<v:forward proto='%s' address='%s' port='9001' to='%s' toport='82'/>", proto, f.second, f.to[:len(f.to)-1]+"3")
		}
	}
	return b.String()
}

// settle starts the networks of the town: a, in some mode and with the forwards, and b, behind translated addresses.
func (w *town) settle(forward string) {
	for _, text := range []string{fmt.Sprintf(townDocument, forward, townForwards()), `<network><name>b</name><forward mode='nat'><nat ipv6='yes'/></forward>
<bridge name='brb' stp='off'/><dns enable='no'/><ip address='10.77.2.1' prefix='24'/><ip family='ipv6' address='fd77:2::1' prefix='64'/></network>`} {
		n, err := network.Parse(strings.NewReader(text))
		require.NoError(w.t, err)
		require.NoError(w.t, n.Validate())
		require.NoError(w.t, w.nets.Create(w.t.Context(), n))
	}
	way := []string{"10.77.1.1/24", "fd77:1::1/64"}
	if forward == "" {
		way = nil
	}
	w.guest("a1", "bra", "10.77.1.2/24", "fd77:1::2/64", way...)
	w.guest("a2", "bra", "10.77.1.3/24", "fd77:1::3/64", way...)
	w.guest("b1", "brb", "10.77.2.2/24", "fd77:2::2/64", "10.77.2.1/24", "fd77:2::1/64")
}

// Whoever asks at a port of the host that leads to a guest gets there, in all modes, by both protocols and in both families.
func TestPortForward(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct{ name, forward string }{
		{"isolated", ""},
		{"nat", `<forward mode='nat'/>`},
		{"nat in both families", `<forward mode='nat'><nat ipv6='yes'/></forward>`},
		{"nat by one link", `<forward mode='nat' dev='to-far'/>`},
		{"route", `<forward mode='route'/>`},
		{"open", `<forward mode='open'/>`},
	} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.settle(mode.forward)
			for _, v := range []struct{ outer, second, gateway, gatewayB, outside string }{
				{outer4, second4, "10.77.1.1", "10.77.2.1", "198.51.100.2"},
				{outer6, second6, "fd77:1::1", "fd77:2::1", "2001:db8::2"},
			} {
				// Who is seen: somebody in the same network by its address, others too if the guest knows no way to them.
				hidden := func(source string) string {
					if mode.forward == "" {
						return v.gateway
					}
					return source
				}
				for _, c := range []struct{ from, source, local string }{
					{"outside", hidden(v.outside), v.outer},
					{"host", hidden(v.outer), v.outer},
					{"a1", v.gateway, v.gateway},
					{"a2", v.gateway, v.gateway},
					{"b1", v.gateway, v.gatewayB},
				} {
					inside := c.from == "a1" || c.from == "a2"
					if c.from == "host" {
						w.answers(c.from, c.local, 9001, "a1:81 to "+hidden(c.local))
					} else {
						w.answers(c.from, c.local, 9001, "a1:81 to "+c.source)
					}
					if inside && mode.forward == "" {
						continue // they know no other address of the host
					}
					w.answers(c.from, v.outer, 8080, "a1:80 to "+c.source)
					w.answers(c.from, v.outer, 9002, "a1:82 to "+c.source)
					if c.from == "host" {
						c.source = hidden(v.second)
					}
					w.answers(c.from, v.second, 8443, "a1:81 to "+c.source)
					w.answers(c.from, v.second, 9001, "a2:82 to "+c.source)
					w.refuses(c.from, v.outer, 8443) // it is one of the other address
					w.refuses(c.from, v.outer, 7)    // nobody has it
				}
			}
			w.listed()
		})
	}
}

// Where bridges call the filters for IP, siblings see each other, and nobody gets to itself, which is told.
func TestPortForwardWithBridgesThatCall(t *testing.T) {
	if _, err := os.Stat("/proc/sys/net/bridge"); err != nil {
		testenv.Lack(t, "the kernel's bridges do not call filters")
	}
	t.Parallel()
	w := newTown(t)
	w.bridgesCall("1")
	w.settle(`<forward mode='nat'><nat ipv6='yes'/></forward>`)
	for _, v := range []struct{ outer, gateway, outside, sibling string }{
		{outer4, "10.77.1.1", "198.51.100.2", "10.77.1.3"},
		{outer6, "fd77:1::1", "2001:db8::2", "fd77:1::3"},
	} {
		for from, source := range map[string]string{"outside": v.outside, "host": v.outer, "a2": v.sibling, "b1": v.gateway} {
			w.answers(from, v.outer, 8080, "a1:80 to "+source)
			w.answers(from, v.outer, 9002, "a1:82 to "+source)
			w.refuses(from, v.outer, 7)
		}
		conn, err := w.dial("a1", "udp", net.JoinHostPort(v.outer, "8080"))
		require.NoError(t, err)
		_, err = io.WriteString(conn, "hello")
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Second/2))) // on a slow machine this proves less
		_, err = conn.Read(make([]byte, 128))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "a guest gets to itself")
	}
	status, err := w.nets.Lookup(t.Context(), "a")
	require.NoError(t, err)
	barriers := func() (list []string) {
		f, err := w.nets.Backend().Facts(t.Context(), network.BarrierScope())
		require.NoError(t, err)
		for _, b := range network.Barriers(status.Live, f, &host.Firewall{}) {
			list = append(list, b.String())
		}
		return list
	}
	const told = "a guest to a forwarded port that leads to itself: stopped always by sysctl net.bridge.bridge-nf-call-ip"
	require.Equal(t, []string{"ipv4, from " + told + "tables=1", "ipv6, from " + told + "6tables=1"}, barriers())
	w.bridgesCall("0")
	require.Empty(t, barriers())
	w.answers("a1", outer4, 8080, "a1:80 to 10.77.1.1")
}

// listed wants that nft can read what there is, and load it again.
func (w *town) listed() {
	text := w.host.Output(w.t, "nft", "list", "ruleset")
	require.Contains(w.t, text, "dnat ip to meta l4proto . ip daddr . th dport map @addr4")
	require.NotContains(w.t, text, "unknown")
	again := testenv.New(w.t)
	load(w.t, again, text)
}

func load(t testing.TB, ns *testenv.Namespace, text string) {
	t.Helper()
	file := t.TempDir() + "/ruleset"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
	ns.Output(t, "nft", "-f", file)
}

// Nothing else gets to guests, and nobody who was not meant is led away.
func TestPortForwardOpensNothingElse(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.settle(`<forward mode='nat'><nat ipv6='yes'/></forward>`)
	for _, v := range []struct{ a1, b1, far, source, loopback, third string }{
		{"10.77.1.2", "10.77.2.2", "192.0.2.2", "198.51.100.2", "127.0.0.1", "198.51.100.77"},
		{"fd77:1::2", "fd77:2::2", "2001:db8:f::2", "2001:db8::2", "::1", "2001:db8::77"},
	} {
		// The guest at its own port, not by one of the host; and the guests of the other network.
		for _, port := range []int{80, 8080} {
			w.refuses("outside", v.a1, port)
			w.refuses("outside", v.b1, port)
			w.refuses("b1", v.a1, port)
			w.refuses("a1", v.b1, port)
		}
		// What only passes through the host is not led away: nobody is at these ports there.
		w.refuses("outside", v.far, 8080)
		w.refuses("a1", v.far, 9001)
		w.answers("outside", v.far, 80, "far:80 to "+v.source)
		// The host's own addresses of loopback are its own.
		w.refuses("host", v.loopback, 8080)
		w.refuses("host", v.loopback, 9002)

		// Another program's translation gets through only where a forward leads as well.
		family, bits := "ip", "/32"
		if strings.Contains(v.third, ":") {
			family, bits = "ip6", "/128"
		}
		w.address(w.host, "to-outside", v.third+bits)
		load(t, w.host, fmt.Sprintf("table %s admin {\nchain c { type nat hook prerouting priority -101;\n%[1]s daddr %s meta l4proto { tcp, udp } dnat to %s\n}\n}\n", family, v.third, v.a1))
		w.answers("outside", v.third, 80, "a1:80 to "+v.source)
		w.refuses("outside", v.third, 7)
	}
}

// Forwards come and go without a word to those that stay.
func TestPortForwardUpdated(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.settle(`<forward mode='nat'/>`)
	stays, err := w.dial("outside", "tcp", outer4+":8080")
	require.NoError(t, err)
	hears := func() {
		t.Helper()
		got, err := talk(t, stays)
		require.NoError(t, err)
		require.Equal(t, "a1:80 to 198.51.100.2", got)
	}
	hears()
	update := func(command network.Command, xml string) {
		t.Helper()
		plan, err := w.nets.Update(t.Context(), "a", network.UpdateRequest{Updates: []network.Update{{Section: network.SectionPortForward, Command: command, XML: xml}}})
		require.NoError(t, err)
		require.Len(t, plan.Changes, 1)
		require.Empty(t, plan.Disruptive())
		hears()
	}
	w.refuses("outside", outer4, 5000)
	update(network.CommandAddLast, `<forward proto='tcp' port='5000' to='10.77.1.3' toport='82'/>`)
	update(network.CommandAddLast, `<forward proto='udp' port='5000' to='10.77.1.3' toport='82'/>`)
	w.answers("outside", outer4, 5000, "a2:82 to 198.51.100.2")
	update(network.CommandModify, `<forward proto='tcp' port='5000' to='10.77.1.2' toport='81'/>`)
	got, err := w.ask("outside", "tcp", outer4, 5000)
	require.NoError(t, err)
	require.Equal(t, "a1:81 to 198.51.100.2", got)
	update(network.CommandDelete, `<forward proto='tcp' port='5000'/>`)
	update(network.CommandDelete, `<forward proto='udp' port='5000'/>`)
	w.refuses("outside", outer4, 5000)
	w.answers("outside", outer4, 9002, "a1:82 to 198.51.100.2")

	// What somebody else breaks is seen and repaired.
	w.host.Output(t, "nft", "delete", "element", "inet", "virtnet-forward", "local4", "{ tcp . 9002 }")
	_, err = w.ask("outside", "tcp", outer4, 9002)
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	report, err := w.nets.Check(t.Context())
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(report), "nft filter of bra")
	_, err = w.nets.Repair(t.Context(), network.RepairRequest{Network: "a"})
	require.NoError(t, err)
	w.answers("outside", outer4, 9002, "a1:82 to 198.51.100.2")
	hears()

	require.NoError(t, w.nets.Stop(t.Context(), "a"))
	require.NotContains(t, w.host.Output(t, "nft", "list", "ruleset"), "virtnet-forward")
}
