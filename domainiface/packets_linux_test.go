// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/serve"
)

// A world is a host with networks, guests on them, and a machine outside, each in a namespace of its own.
type world struct {
	// engine answers guests; nil is dnsmasq.
	engine        host.Engine
	t             *testing.T
	host, outside *testenv.Namespace
	backend       *linux.Backend
	nets          *network.Manager
	store         network.Store
	runDir        string
	guests        map[string]*guest
}

// A guest is a namespace with an interface on a network.
type guest struct {
	*testenv.Namespace
	port  *domainiface.Port
	addrs []netip.Addr
}

// newWorld makes a host that is 203.0.113.1 and 2001:db8:f::1 on its uplink eth0, and an outside that is .2 there.
func newWorld(t *testing.T) *world { return newWorldOn(t, &testenv.Bus{}, nil) }

// onBothServers runs a test in a world where dnsmasq answers guests, and in one where this process does.
func onBothServers(t *testing.T, test func(w *world)) {
	for name, engine := range map[string]host.Engine{"dnsmasq": nil, "in process": &serve.Engine{}} {
		t.Run(name, func(t *testing.T) {
			if engine == nil {
				testenv.NeedProgram(t, "dnsmasq")
			}
			test(newWorldOn(t, &testenv.Bus{}, engine))
		})
	}
}

// newWorldOn is newWorld with a message bus on the host, and with an engine that answers guests.
func newWorldOn(t *testing.T, bus *testenv.Bus, engine host.Engine) *world {
	testenv.NeedRoot(t)
	w := &world{t: t, engine: engine, host: testenv.New(t), outside: testenv.New(t), guests: map[string]*guest{}}
	testenv.Connect(t, w.host, w.outside, "eth0", "eth0")
	w.ip(w.host, "addr add 203.0.113.1/24 dev eth0", "addr add 2001:db8:f::1/64 dev eth0 nodad")
	w.ip(w.outside, "addr add 203.0.113.2/24 dev eth0", "addr add 2001:db8:f::2/64 dev eth0 nodad",
		"route add default via 203.0.113.1", "route add default via 2001:db8:f::1")
	// Every rejected packet is answered, however many there are.
	w.host.SetSysctl(t, "net/ipv4/icmp_ratelimit", "0")
	w.host.SetSysctl(t, "net/ipv6/icmp/ratelimit", "0")
	w.runDir = filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(w.runDir)), 0o711)) // so that servers can read their files
	var err error
	w.backend, err = linux.Open(linux.Config{Namespace: w.host.Path(), RunDir: w.runDir, SystemBus: bus.Address, Engine: engine})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.backend.Close()) })
	w.store = network.Dir(filepath.Join(t.TempDir(), "state"))
	w.nets, err = network.Open(t.Context(), w.backend, w.store)
	require.NoError(t, err)
	return w
}

// ip runs commands of ip in a namespace.
func (w *world) ip(n *testenv.Namespace, commands ...string) {
	w.t.Helper()
	for _, command := range commands {
		n.Output(w.t, "ip", strings.Fields(command)...)
	}
}

// start starts a network, which is stopped with the test.
func (w *world) start(document string) *network.Network {
	w.t.Helper()
	n, err := network.Parse(strings.NewReader(document))
	require.NoError(w.t, err)
	require.NoError(w.t, w.nets.Create(w.t.Context(), n))
	w.t.Cleanup(func() { require.NoError(w.t, w.nets.Stop(context.Background(), n.Name)) })
	s, err := w.nets.Lookup(w.t.Context(), n.Name)
	require.NoError(w.t, err)
	return s.Live
}

// detach takes a guest off its network, before the end of the test or with it.
func (w *world) detach(g *guest) {
	w.t.Helper()
	if g.port == nil {
		return
	}
	require.NoError(w.t, g.port.Detach(context.Background()))
	g.port = nil
}

// attach puts a guest on a network, by one end of a pair in its namespace.
func (w *world) attach(name, document string) *guest {
	w.t.Helper()
	g := &guest{Namespace: testenv.New(w.t)}
	nic, err := domainiface.Parse(strings.NewReader(document))
	require.NoError(w.t, err)
	g.port, err = domainiface.Attach(w.t.Context(), w.nets, domainiface.Guest{Name: name, Namespace: g.Path()}, nic)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { w.detach(g) })
	g.SetSysctl(w.t, "net/ipv6/conf/eth0/accept_ra", "0")
	w.ip(g.Namespace, "link set eth0 up")
	w.guests[name] = g
	return g
}

// configure gives a guest the addresses number 100 of its network's subnets, and default routes by its gateways.
func (w *world) configure(g *guest, n *network.Network) {
	w.t.Helper()
	for i := range n.IPs {
		gateway, ok := n.IPs[i].Prefix()
		require.True(w.t, ok)
		addr := numbered(gateway, 100)
		nodad := ""
		if addr.Is6() {
			nodad = " nodad"
		}
		w.ip(g.Namespace, fmt.Sprintf("addr add %s/%d dev eth0%s", addr, gateway.Bits(), nodad), "route add default via "+gateway.Addr().String())
		g.addrs = append(g.addrs, addr)
	}
}

// numbered is the address with that last octet in the subnet of a gateway.
func numbered(gateway netip.Prefix, number byte) netip.Addr {
	octets := gateway.Addr().AsSlice()
	octets[len(octets)-1] = number
	addr, _ := netip.AddrFromSlice(octets)
	return addr
}

// TestReachability sends real packets from every network to every other and to the outside, and back, by TCP, UDP and
// ICMP, over IPv4 and IPv6.
func TestReachability(t *testing.T) {
	w := newWorld(t)
	const document = `<network><name>%[1]s</name>%[2]s<bridge name='br-%[1]s' stp='off'/>
<ip address='10.88.%[3]d.1' prefix='24'/><ip family='ipv6' address='2001:db8:88:%[3]d::1' prefix='64'/></network>`
	for i, n := range []struct{ name, forward string }{
		{"nat", `<forward mode='nat'><nat ipv6='yes'/></forward>`},
		{"nat2", `<forward mode='nat'><nat ipv6='yes'/></forward>`},
		{"routed", `<forward mode='route'/>`},
		{"routed2", `<forward mode='route'/>`},
		{"isolated", ``},
		{"open", `<forward mode='open'/>`},
	} {
		live := w.start(fmt.Sprintf(document, n.name, n.forward, i))
		g := w.attach(n.name, fmt.Sprintf(`<interface type='network'><source network='%s'/></interface>`, n.name))
		w.configure(g, live)
	}
	// A second guest on the isolated network, which the first one reaches.
	s, err := w.nets.Lookup(t.Context(), "isolated")
	require.NoError(t, err)
	neighbour := w.attach("neighbour", `<interface type='network'><source network='isolated'/></interface>`)
	for i, addr := range []string{"10.88.4.101/24", "2001:db8:88:4::101/64 nodad"} {
		w.ip(neighbour.Namespace, strings.Replace("addr add "+addr, "/64", "/64 dev eth0", 1)+map[int]string{0: " dev eth0"}[i])
	}
	neighbour.addrs = []netip.Addr{netip.MustParseAddr("10.88.4.101"), netip.MustParseAddr("2001:db8:88:4::101")}
	require.NotNil(t, s.Live)
	w.guests["outside"] = &guest{Namespace: w.outside, addrs: []netip.Addr{netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("2001:db8:f::2")}}

	for _, g := range w.guests {
		require.NoError(t, lab.Echo(t.Context(), g.Path()))
	}
	// Who reaches whom. What is not listed must be rejected, and at once.
	reaches := map[string][]string{
		"nat":      {"routed", "routed2", "open", "outside"},
		"nat2":     {"routed", "routed2", "open", "outside"},
		"routed":   {"routed2", "open", "outside"},
		"routed2":  {"routed", "open", "outside"},
		"isolated": {"neighbour"},
		"open":     {"routed", "routed2", "outside"},
		"outside":  {"routed", "routed2", "open"},
	}
	for from, list := range reaches {
		for to, target := range w.guests {
			if from == to || from == "neighbour" || to == "neighbour" && from != "isolated" {
				continue
			}
			for _, addr := range target.addrs {
				for _, how := range []lab.Protocol{lab.TCP, lab.UDP, lab.ICMP} {
					err := lab.Probe(t.Context(), w.guests[from].Path(), how, addr)
					if contains(list, to) && err != nil {
						t.Errorf("%s does not reach %s (%s) by %s: %v", from, to, addr, how, err)
					}
					if !contains(list, to) && !errors.Is(err, lab.ErrRejected) {
						t.Errorf("%s to %s (%s) by %s is not rejected: %v", from, to, addr, how, err)
					}
				}
			}
		}
	}
}

func contains(list []string, s string) bool {
	for _, one := range list {
		if one == s {
			return true
		}
	}
	return false
}

// TestGuestOnTap attaches a guest by a tap with virtio-net headers, as a virtual machine monitor uses it.
func TestGuestOnTap(t *testing.T) {
	w := newWorld(t)
	w.start(`<network><name>lan</name><bridge name='lan0' stp='off'/><mtu size='1400'/><ip address='10.88.0.1' prefix='24'/></network>`)
	nic, err := domainiface.Parse(strings.NewReader(`<interface type='network'><mac address='52:54:00:00:00:07'/>
<source network='lan'/><target dev='web0'/><model type='virtio'/><driver queues='4'/></interface>`))
	require.NoError(t, err)
	before := w.host.Snapshot(t)
	port, err := domainiface.Attach(t.Context(), w.nets, domainiface.Guest{Name: "web"}, nic)
	require.NoError(t, err)
	require.Equal(t, "web0", port.Link)

	files, err := port.Open(t.Context(), 4)
	require.NoError(t, err)
	require.Len(t, files, 4)
	details := w.host.Output(t, "ip", "-d", "link", "show", "web0")
	for _, want := range []string{"master lan0", "mtu 1400", "fe:54:00:00:00:07", "multi_queue", "vnet_hdr on", "numqueues 4"} {
		require.Contains(t, details, want)
	}
	require.Equal(t, "1", strings.TrimSpace(w.host.Output(t, "cat", "/proc/sys/net/ipv6/conf/web0/disable_ipv6")))
	for _, f := range files {
		require.NoError(t, f.Close())
	}

	// Found again by another program, as far as this test can be one.
	again, err := domainiface.Lookup(t.Context(), w.nets, "lan", port.ID)
	require.NoError(t, err)
	require.Equal(t, port.MAC, again.MAC)
	require.NoError(t, again.Detach(t.Context()))
	require.ErrorIs(t, port.Detach(t.Context()), os.ErrNotExist)
	w.host.Unchanged(t, before, "after attach and detach")
}

// TestGuestBehindMonitor lets a guest behind a tap talk to the host and to a guest of the other kind.
func TestGuestBehindMonitor(t *testing.T) {
	w := newWorld(t)
	live := w.start(`<network><name>lan</name><bridge name='lan0' stp='off'/><ip address='10.88.0.1' prefix='24'/></network>`)
	container := w.attach("container", `<interface type='network'><source network='lan'/></interface>`)
	w.configure(container, live)
	require.NoError(t, lab.Echo(t.Context(), container.Path()))
	require.NoError(t, lab.Echo(t.Context(), w.host.Path()))

	nic, err := domainiface.Parse(strings.NewReader(`<interface type='network'><source network='lan'/></interface>`))
	require.NoError(t, err)
	port, err := domainiface.Attach(t.Context(), w.nets, domainiface.Guest{Name: "web"}, nic)
	require.NoError(t, err)
	files, err := port.Open(t.Context(), 1)
	require.NoError(t, err)
	machine := testenv.New(t)
	monitor, err := lab.Boot(machine.Path(), "eth0", port.MAC[:], files[0])
	require.NoError(t, err)
	w.ip(machine, "addr add 10.88.0.50/24 dev eth0")
	for _, how := range []lab.Protocol{lab.TCP, lab.UDP, lab.ICMP} {
		for _, to := range []string{"10.88.0.1", "10.88.0.100"} {
			require.NoError(t, lab.Probe(t.Context(), machine.Path(), how, netip.MustParseAddr(to)), "%s to %s", how, to)
		}
	}
	require.NoError(t, monitor.Close())
	require.NoError(t, files[0].Close())
	require.NoError(t, port.Detach(t.Context()))
}

// TestIsolatedPorts: two isolated ports of a network do not reach each other, but do reach the host.
func TestIsolatedPorts(t *testing.T) {
	w := newWorld(t)
	live := w.start(`<network><name>lan</name><bridge name='lan0' stp='off'/><ip address='10.88.0.1' prefix='24'/></network>`)
	a := w.attach("a", `<interface type='network'><source network='lan'/><port isolated='yes'/></interface>`)
	w.configure(a, live)
	b := w.attach("b", `<interface type='network'><source network='lan'/><port isolated='yes'/></interface>`)
	w.ip(b.Namespace, "addr add 10.88.0.101/24 dev eth0")
	for _, n := range []*testenv.Namespace{w.host, b.Namespace} {
		require.NoError(t, lab.Echo(t.Context(), n.Path()))
	}
	require.NoError(t, lab.Probe(t.Context(), a.Path(), lab.UDP, netip.MustParseAddr("10.88.0.1")))
	require.ErrorIs(t, lab.Probe(t.Context(), a.Path(), lab.TCP, netip.MustParseAddr("10.88.0.101")), lab.ErrRejected, "no route to host: nobody answers")
}
