// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// attachMAC puts a guest with that hardware address on a network.
func (w *world) attachMAC(name, network, mac string) *guest {
	w.t.Helper()
	return w.attach(name, `<interface type='network'><mac address='`+mac+`'/><source network='`+network+`'/></interface>`)
}

// lease takes a lease for a guest.
func (w *world) lease(g *testenv.Namespace, o dhcpclient.Options) *dhcpclient.Grant {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	o.Retransmit = 200 * time.Millisecond
	var got *dhcpclient.Grant
	var err error
	g.Run(w.t, func() { got, err = dhcpclient.Lease(ctx, "eth0", o) })
	require.NoError(w.t, err)
	return got
}

// define defines and starts a network that the test stops itself.
func (w *world) define(document string) string {
	w.t.Helper()
	n, err := network.Parse(strings.NewReader(document))
	require.NoError(w.t, err)
	require.NoError(w.t, w.nets.Define(w.t.Context(), n))
	require.NoError(w.t, w.nets.Start(w.t.Context(), n.Name))
	return n.Name
}

// TestLeases lets guests take leases of a network, live by them, and ask its server for names.
func TestLeases(t *testing.T) {
	t.Parallel()
	onBothServers(t, testLeases)
}

func testLeases(w *world) {
	t := w.t
	upstream := w.nameServer()
	w.start(`<network><name>lan</name><forward mode='nat'/><bridge name='lan0' stp='off'/><mtu size='1400'/>
<domain name='lab.example' localOnly='yes'/>
<dns forwardPlainNames='no'><forwarder addr='203.0.113.2'/>
<txt name='note.lab.example' value='some text'/>
<srv service='ldap' protocol='tcp' domain='lab.example' target='dir.lab.example' port='389' priority='1' weight='5'/>
<host ip='10.88.0.60'><hostname>dir</hostname><hostname>other.example</hostname></host></dns>
<ip address='10.88.0.1' prefix='24'><dhcp><range start='10.88.0.100' end='10.88.0.110'><lease expiry='2' unit='hours'/></range>
<host mac='52:54:00:00:00:02' name='fixed' ip='10.88.0.50'/><host name='named' ip='10.88.0.51'/></dhcp></ip></network>`)
	gateway := netip.MustParseAddr("10.88.0.1")

	web := w.attachMAC("web", "lan", "52:54:00:00:00:01")
	got := w.lease(web.Namespace, dhcpclient.Options{Hostname: "web"})
	want := &dhcpclient.Grant{
		Addr: got.Addr, Server: gateway, Router: []netip.Addr{gateway}, DNS: []netip.Addr{gateway}, MTU: 1400,
		Domain: "lab.example", Hostname: "web", BootServer: gateway, Time: 2 * time.Hour,
	}
	require.Equal(t, want, got)
	require.Equal(t, 24, got.Addr.Bits())
	last := got.Addr.Addr().As4()[3]
	require.True(t, netip.MustParsePrefix("10.88.0.0/24").Contains(got.Addr.Addr()) && last >= 100 && last <= 110, got.Addr)

	fixed := w.lease(w.attachMAC("fixed", "lan", "52:54:00:00:00:02").Namespace, dhcpclient.Options{})
	require.Equal(t, "10.88.0.50/24", fixed.Addr.String())
	require.Equal(t, "fixed", fixed.Hostname)
	require.Equal(t, "10.88.0.51/24", w.lease(w.attachMAC("named", "lan", "52:54:00:00:00:03").Namespace, dhcpclient.Options{Hostname: "named"}).Addr.String())

	// The guest lives by what it was told.
	w.ip(web.Namespace, "addr add "+got.Addr.String()+" dev eth0", "route add default via "+got.Router[0].String())
	require.Contains(t, web.Output(t, "ip", "link", "show", "eth0"), "mtu 1400")
	require.NoError(t, lab.Echo(t.Context(), w.outside.Path()))
	require.NoError(t, lab.Probe(t.Context(), web.Path(), lab.TCP, netip.MustParseAddr("203.0.113.2")))

	for question, want := range map[string][]string{
		"web.lab.example. A":             {got.Addr.Addr().String()},
		"web. A":                         {got.Addr.Addr().String()},
		"fixed.lab.example. A":           {"10.88.0.50"},
		"fixed. A":                       {"10.88.0.50"},
		"named.lab.example. A":           {"10.88.0.51"},
		"dir.lab.example. A":             {"10.88.0.60"},
		"dir. A":                         {"10.88.0.60"},
		"other.example. A":               {"10.88.0.60"},
		"50.0.88.10.in-addr.arpa. PTR":   {"fixed.lab.example."},
		"note.lab.example. TXT":          {"some text"},
		"_ldap._tcp.lab.example. SRV":    {"1 5 389 dir.lab.example."},
		"nobody.lab.example. A":          {"NXDOMAIN"},
		"nobody. A":                      {"NXDOMAIN"},
		"www.somewhere.else.example. A":  {upstreamAnswer},
		"www.somewhere.else2.example. A": {upstreamAnswer},
	} {
		require.Equal(t, want, w.ask(web.Namespace, gateway, question), question)
	}
	require.Equal(t, []string{"www.somewhere.else.example.", "www.somewhere.else2.example."}, upstream.asked(),
		"neither names of the domain nor plain ones leave the host")
}

// TestGuestAddresses looks at a guest with a lease that also has addresses of its own.
func TestGuestAddresses(t *testing.T) {
	t.Parallel()
	onBothServers(t, testGuestAddresses)
}

func testGuestAddresses(w *world) {
	t := w.t
	w.start(`<network><name>lan</name><bridge name='lan0' stp='off'/>
<ip address='10.87.0.1' prefix='24'><dhcp><range start='10.87.0.100' end='10.87.0.110'><lease expiry='2' unit='hours'/></range>
<host mac='52:54:00:00:00:02' name='fixed' ip='10.87.0.50'/></dhcp></ip>
<ip family='ipv6' address='2001:db8:87::1' prefix='64'/></network>`)
	web, fixed := w.attachMAC("web", "lan", "52:54:00:00:00:01"), w.attachMAC("fixed", "lan", "52:54:00:00:00:02")
	require.Equal(t, []string{"host 10.87.0.50"}, sources(t, fixed.port))
	require.Empty(t, sources(t, web.port))
	begin := time.Now()
	got := w.lease(web.Namespace, dhcpclient.Options{Hostname: "web"})
	w.lease(fixed.Namespace, dhcpclient.Options{})
	addr := got.Addr.Addr().String()
	require.Equal(t, []string{"lease 10.87.0.50", "host 10.87.0.50"}, sources(t, fixed.port))
	require.Equal(t, []string{"lease " + addr}, sources(t, web.port))
	for a, err := range web.port.Addresses(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, "web", a.Hostname)
		require.WithinDuration(t, begin.Add(2*time.Hour), a.Expires, time.Minute)
		require.False(t, a.Confirmed, "nobody has heard of it yet")
	}

	w.ip(web.Namespace, "addr add "+got.Addr.String()+" dev eth0", "addr add 2001:db8:87::77/64 dev eth0 nodad")
	require.NoError(t, lab.Probe(t.Context(), web.Path(), lab.ICMP, netip.MustParseAddr("10.87.0.1")))
	require.NoError(t, lab.Probe(t.Context(), web.Path(), lab.ICMP, netip.MustParseAddr("2001:db8:87::1")))
	var list []string
	for a, err := range web.port.Addresses(t.Context()) {
		require.NoError(t, err)
		if a.Addr.IsLinkLocalUnicast() {
			continue // the kernel's own affair
		}
		if a.Source == network.FromNeighbour {
			list = append(list, a.Source.String()+" "+a.Addr.String())
		}
	}
	require.Equal(t, []string{"neighbour " + addr, "neighbour 2001:db8:87::77"}, list)
}

// TestPlainNamesLeave is the other side of forwardPlainNames='no'.
func TestPlainNamesLeave(t *testing.T) {
	t.Parallel()
	onBothServers(t, testPlainNamesLeave)
}

func testPlainNamesLeave(w *world) {
	t := w.t
	upstream := w.nameServer()
	w.start(`<network><name>lan</name><forward mode='nat'/><bridge name='lan0' stp='off'/>
<dns><forwarder addr='203.0.113.2'/></dns><ip address='10.88.0.1' prefix='24'/></network>`)
	require.Equal(t, []string{upstreamAnswer}, w.ask(w.host, netip.MustParseAddr("10.88.0.1"), "nobody. A"))
	require.Equal(t, []string{"nobody."}, upstream.asked())
}

// TestIsolatedIsServed: an isolated network has addresses and names of its own, and no way out, not even for questions.
func TestIsolatedIsServed(t *testing.T) {
	t.Parallel()
	onBothServers(t, testIsolatedIsServed)
}

func testIsolatedIsServed(w *world) {
	t := w.t
	upstream := w.nameServer()
	// The server reads this as another user, who sees nothing of the folders of tests.
	folder, err := os.MkdirTemp("", "resolvers-*")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(folder)) })
	require.NoError(t, os.Chmod(folder, 0o755))
	resolvers := filepath.Join(folder, "resolv.conf")
	require.NoError(t, os.WriteFile(resolvers, []byte("nameserver 203.0.113.2\n"), 0o644))
	const document = `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><name>%NAME</name>%FORWARD<bridge name='%NAME' stp='off'/>
<ip address='10.88.%I.1' prefix='24'><dhcp><range start='10.88.%I.100' end='10.88.%I.110'/></dhcp></ip>
<dnsmasq:options><dnsmasq:option value='resolv-file=%FILE'/></dnsmasq:options></network>`
	for i, c := range []struct{ name, forward, answer string }{
		{"nat", `<forward mode='nat'/>`, upstreamAnswer},
		{"isolated", "", "REFUSED"},
	} {
		gateway := netip.AddrFrom4([4]byte{10, 88, byte(i), 1})
		w.start(strings.NewReplacer("%NAME", c.name, "%FORWARD", c.forward, "%I", strconv.Itoa(i), "%FILE", resolvers).Replace(document))
		g := w.attachMAC(c.name, c.name, "52:54:00:00:00:01")
		got := w.lease(g.Namespace, dhcpclient.Options{Hostname: "web"})
		require.Equal(t, c.forward != "", len(got.Router) > 0, "%s: routers %s", c.name, got.Router)
		require.Equal(t, []netip.Addr{gateway}, got.DNS)
		w.ip(g.Namespace, "addr add "+got.Addr.String()+" dev eth0")
		require.Equal(t, []string{got.Addr.Addr().String()}, w.ask(g.Namespace, gateway, "web. A"))
		require.Equal(t, []string{c.answer}, w.ask(g.Namespace, gateway, c.name+".example. A"), c.name)
	}
	require.Equal(t, []string{"nat.example."}, upstream.asked())
}

// TestRouterAdvertisement lets the kernel of guests configure itself by what the network advertises.
func TestRouterAdvertisement(t *testing.T) {
	t.Parallel()
	onBothServers(t, testRouterAdvertisement)
}

func testRouterAdvertisement(w *world) {
	t := w.t
	for _, c := range []struct{ name, forward, subnet string }{
		{"routed", `<forward mode='route'/>`, "2001:db8:88:1:"},
		{"isolated", "", "2001:db8:88:2:"},
	} {
		w.start(`<network><name>` + c.name + `</name>` + c.forward + `<bridge name='` + c.name + `' stp='off'/>
<ip family='ipv6' address='` + c.subnet + `:1' prefix='64'/></network>`)
		g := w.attachMAC(c.name, c.name, "52:54:00:00:00:01")
		w.ip(g.Namespace, "link set eth0 down")
		g.SetSysctl(t, "net/ipv6/conf/eth0/accept_ra", "1")
		g.SetSysctl(t, "net/ipv6/conf/eth0/accept_dad", "0")
		w.ip(g.Namespace, "link set eth0 up")
		address := "inet6 " + c.subnet + "5054:ff:fe00:1/64"
		testenv.WaitFor(t, 30*time.Second, c.name+": the guest has chosen an address", func() bool {
			return strings.Contains(g.Output(t, "ip", "-6", "-o", "addr", "show", "dev", "eth0", "-tentative"), address)
		})
		route := strings.TrimSpace(g.Output(t, "ip", "-6", "route", "show", "default"))
		if c.forward == "" {
			require.Empty(t, route, "an isolated network is no way out")
			continue
		}
		require.Contains(t, route, "default via fe80::")
		require.NoError(t, lab.Probe(t.Context(), g.Path(), lab.ICMP, netip.MustParseAddr("2001:db8:f::2")))
	}
}

const kept = `<network><name>lan</name><bridge name='lan0' stp='off'/><ip address='10.88.0.1' prefix='24'>
<dhcp><range start='10.88.0.100' end='10.88.0.199'/></dhcp></ip></network>`

// chosen is an address that the server would not choose by itself for the guest of these tests: who gets it without
// asking for it had it before.
var chosen = netip.MustParsePrefix("10.88.0.177/24")

// TestLeasesAreKept over a stop and a start, and forgotten with the network.
func TestLeasesAreKept(t *testing.T) {
	t.Parallel()
	onBothServers(t, testLeasesAreKept)
}

func testLeasesAreKept(w *world) {
	t := w.t
	ctx := t.Context()
	w.define(kept)
	web := w.attachMAC("web", "lan", "52:54:00:00:00:01")
	require.Equal(t, chosen, w.lease(web.Namespace, dhcpclient.Options{Hostname: "web", Address: chosen.Addr()}).Addr)

	require.NoError(t, w.nets.Stop(ctx, "lan"))
	require.NoError(t, w.nets.Start(ctx, "lan"))
	// The guest's device is plugged in again.
	require.Equal(t, chosen, w.lease(web.Namespace, dhcpclient.Options{Hostname: "web"}).Addr)
	w.ip(web.Namespace, "addr add "+chosen.String()+" dev eth0")
	require.Equal(t, []string{chosen.Addr().String()}, w.ask(web.Namespace, netip.MustParseAddr("10.88.0.1"), "web. A"))
	require.NoError(t, w.nets.Stop(ctx, "lan"))
	files, err := w.store.List(ctx, "leases")
	require.NoError(t, err)
	require.Equal(t, []string{"lan"}, files)

	w.detach(web)
	require.NoError(t, w.nets.Undefine(ctx, "lan"))
	files, err = w.store.List(ctx, "leases")
	require.NoError(t, err)
	require.Empty(t, files)
	w.define(kept)
	web = w.attachMAC("web", "lan", "52:54:00:00:00:01")
	require.NotEqual(t, chosen, w.lease(web.Namespace, dhcpclient.Options{Hostname: "web"}).Addr, "another network of the same name")
	require.NoError(t, w.nets.Stop(ctx, "lan"))
}

// TestServerIsKilled behind the library's back: it sees that, and the next program that opens the store serves again.
func TestServerIsKilled(t *testing.T) {
	testenv.NeedProgram(t, "dnsmasq")
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.define(kept)
	web := w.attachMAC("web", "lan", "52:54:00:00:00:01")
	require.Equal(t, chosen, w.lease(web.Namespace, dhcpclient.Options{Hostname: "web", Address: chosen.Addr()}).Addr)
	plan, err := w.nets.Plan(ctx, "lan")
	require.NoError(t, err)
	require.Empty(t, plan)
	before := w.host.Snapshot(t)

	for round := range 2 {
		w.killServer()
		plan, err = w.nets.Plan(ctx, "lan")
		require.NoError(t, err)
		require.Len(t, plan, 1)
		require.IsType(t, host.Serve{}, plan[0].Op)
		require.Equal(t, "/network/ip[1]/dhcp", plan[0].From)

		b, err := linux.Open(linux.Config{Namespace: w.host.Path(), RunDir: w.runDir})
		require.NoError(t, err)
		nets, err := network.Open(ctx, b, w.store)
		require.NoError(t, err)
		plan, err = nets.Plan(ctx, "lan")
		require.NoError(t, err)
		require.Empty(t, plan)
		require.NoError(t, b.Close())
		require.Len(t, w.host.Programs(t), 1, "round %d", round)
		require.Equal(t, chosen, w.lease(web.Namespace, dhcpclient.Options{Hostname: "web"}).Addr)
		require.Equal(t, []string{chosen.Addr().String()}, w.ask(w.host, netip.MustParseAddr("10.88.0.1"), "web. A"))
	}
	w.host.Unchanged(t, before, "with the server back")

	// One that is dead when its network is stopped has not lost its leases either.
	w.killServer()
	require.NoError(t, w.nets.Stop(ctx, "lan"))
	require.NoError(t, w.nets.Start(ctx, "lan"))
	require.Equal(t, chosen, w.lease(web.Namespace, dhcpclient.Options{Hostname: "web"}).Addr)
	require.NoError(t, w.nets.Stop(ctx, "lan"))
	require.Empty(t, w.host.Programs(t))
	entries, err := os.ReadDir(w.runDir)
	if err == nil {
		require.Empty(t, entries)
	}
}

// killServer kills the only program on the host, and returns when it is dead.
func (w *world) killServer() {
	w.t.Helper()
	programs := w.host.Programs(w.t)
	require.Len(w.t, programs, 1)
	number, name, _ := strings.Cut(programs[0], " ")
	require.Equal(w.t, "dnsmasq", name)
	pid, err := strconv.Atoi(number)
	require.NoError(w.t, err)
	require.NoError(w.t, syscall.Kill(pid, syscall.SIGKILL))
	testenv.WaitFor(w.t, 10*time.Second, "the server is dead", func() bool { return len(w.host.Programs(w.t)) == 0 })
}
