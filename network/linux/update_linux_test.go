// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/linux"
)

// An updated is a machine with a NAT network, a guest in it that has a lease, and an outside.
type updated struct {
	t       *testing.T
	ns      *testenv.Namespace
	guest   *testenv.Namespace
	outside *testenv.Namespace
	backend *linux.Backend
	nets    *network.Manager
	grant   *dhcpclient.Grant
}

// onBothUpdated runs a test on a machine where dnsmasq answers the guest, and on one where this process does.
func onBothUpdated(t *testing.T, test func(u *updated)) {
	t.Parallel()
	t.Run("dnsmasq", func(t *testing.T) { t.Parallel(); test(newUpdated(t)) })
	t.Run("in process", func(t *testing.T) { t.Parallel(); test(newUpdated(t, inProcess)) })
}

func newUpdated(t *testing.T, change ...func(*linux.Config)) *updated {
	testenv.NeedRoot(t)
	testenv.NeedProgram(t, "dnsmasq")
	u := &updated{t: t, ns: testenv.New(t), guest: testenv.New(t), outside: testenv.New(t)}
	testenv.Connect(t, u.ns, u.outside, "eth0", "eth0")
	u.ns.Output(t, "ip", "addr", "add", "192.0.2.1/24", "dev", "eth0")
	u.outside.Output(t, "ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
	dir := t.TempDir()
	config := linux.Config{Namespace: u.ns.Path(), RunDir: filepath.Join(dir, "run")}
	for _, f := range change {
		f(&config)
	}
	b, err := linux.Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	u.backend = b
	u.nets, err = network.Open(t.Context(), b, network.Dir(filepath.Join(dir, "state")))
	require.NoError(t, err)
	n, err := network.Parse(strings.NewReader(`<network><name>net0</name><forward mode='nat'/><bridge name='br0' stp='off'/>
<domain name='lab.example' localOnly='yes'/><ip address='10.9.0.1' prefix='24'><dhcp><range start='10.9.0.100' end='10.9.0.199'/></dhcp></ip></network>`))
	require.NoError(t, err)
	require.NoError(t, u.nets.Define(t.Context(), n))
	require.NoError(t, u.nets.Start(t.Context(), "net0"))
	nic, err := domainiface.Parse(strings.NewReader(`<interface type='network'><mac address='52:54:00:00:00:01'/><source network='net0'/><guest dev='eth0'/></interface>`))
	require.NoError(t, err)
	_, err = domainiface.Attach(t.Context(), u.nets, domainiface.Guest{Name: "web", Namespace: u.guest.Path()}, nic)
	require.NoError(t, err)
	u.guest.Output(t, "ip", "addr", "add", "fe80::1234/64", "dev", "eth0", "nodad")
	u.guest.Output(t, "ip", "link", "set", "eth0", "up")
	u.grant = lease(t, u.guest, dhcpclient.Options{Hostname: "web"})
	u.guest.Output(t, "ip", "addr", "add", u.grant.Addr.String(), "dev", "eth0")
	u.guest.Output(t, "ip", "route", "add", "default", "via", "10.9.0.1")
	return u
}

func (u *updated) update(req network.UpdateRequest) {
	u.t.Helper()
	req.Live, req.Config = true, true
	_, err := u.nets.Update(u.t.Context(), "net0", req)
	require.NoError(u.t, err)
	drift, err := u.nets.Plan(u.t.Context(), "net0")
	require.NoError(u.t, err)
	require.Empty(u.t, drift)
}

func (u *updated) one(s network.Section, xml string) {
	u.t.Helper()
	u.update(network.UpdateRequest{Updates: []network.Update{{Section: s, Command: network.CommandAddLast, XML: xml}}})
}

// uuid is that of the network.
func (u *updated) uuid() string {
	s, err := u.nets.Lookup(u.t.Context(), "net0")
	require.NoError(u.t, err)
	return s.UUID.String()
}

// talk sends packets from the guest to the outside and back, one after the other, until stop is called, which returns how
// many were sent and how many came back: at least a hundred.
func (u *updated) talk() (stop func() (sent, back int)) {
	var server net.PacketConn
	var client net.Conn
	u.outside.Run(u.t, func() {
		var err error
		server, err = net.ListenPacket("udp4", "192.0.2.2:7")
		require.NoError(u.t, err)
	})
	u.guest.Run(u.t, func() {
		var err error
		client, err = net.Dial("udp4", "192.0.2.2:7")
		require.NoError(u.t, err)
	})
	go func() {
		b := make([]byte, 100)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(b[:n], from)
		}
	}()
	done := make(chan struct{})
	var end sync.WaitGroup
	var sent, back atomic.Int64
	end.Add(1)
	go func() {
		defer end.Done()
		b := make([]byte, 100)
		for {
			select {
			case <-done:
				return
			default:
			}
			number := fmt.Sprint(sent.Add(1))
			_, _ = fmt.Fprint(client, number)
			_ = client.SetReadDeadline(time.Now().Add(time.Second))
			if n, err := client.Read(b); err == nil && string(b[:n]) == number {
				back.Add(1)
			}
		}
	}()
	return func() (int, int) {
		testenv.WaitFor(u.t, 30*time.Second, "a hundred packets are sent", func() bool { return sent.Load() > 100 })
		close(done)
		end.Wait()
		server.Close()
		client.Close()
		return int(sent.Load()), int(back.Load())
	}
}

// TestUpdateLive changes a network under the traffic of its guest, which loses no packet, and keeps its lease.
func TestUpdateLive(t *testing.T) { onBothUpdated(t, testUpdateLive) }

func testUpdateLive(u *updated) {
	t := u.t
	before, err := u.backend.Leases(t.Context(), u.uuid())
	require.NoError(t, err)
	stop := u.talk()
	u.one(network.SectionDHCPHost, `<host mac='52:54:00:00:00:09' name='printer' ip='10.9.0.9'/>`)
	u.one(network.SectionDHCPRange, `<range start='10.9.0.210' end='10.9.0.220'/>`)
	u.one(network.SectionDNSHost, `<host ip='10.9.0.60'><hostname>alias</hostname></host>`)
	u.one(network.SectionDNSTXT, `<txt name='note.lab.example' value='hello'/>`)
	u.one(network.SectionDNSSRV, `<srv service='ldap' protocol='tcp' domain='lab.example' target='alias.lab.example' port='389'/>`)
	u.one(network.SectionPortGroup, `<portgroup name='slow'/>`)
	u.one(network.SectionForwardInterface, `<interface dev='eth0'/>`)
	sent, back := stop()
	require.Equal(t, sent, back, "no packet is lost")

	require.Equal(t, []string{"10.9.0.60"}, u.resolve("alias."))
	require.Equal(t, []string{"10.9.0.9"}, u.resolve("printer.lab.example."))
	require.Equal(t, []string{u.grant.Addr.Addr().String()}, u.resolve("web.lab.example."))
	leases, err := u.backend.Leases(t.Context(), u.uuid())
	require.NoError(t, err)
	require.Equal(t, before, leases)
	require.Equal(t, u.grant.Addr, lease(t, u.guest, dhcpclient.Options{Hostname: "web"}).Addr)
	require.NoError(t, u.nets.Stop(t.Context(), "net0"))
	require.NotContains(t, u.ns.Snapshot(t), "br0")
}

func (u *updated) resolve(name string) []string { return askAddr4(u.t, u.guest, "10.9.0.1", name) }

// TestUpdateDisruptive gives a network another address, other settings of its bridge and another mode: its guest stays
// plugged in, and goes on when it has learnt of that.
func TestUpdateDisruptive(t *testing.T) { onBothUpdated(t, testUpdateDisruptive) }

func testUpdateDisruptive(u *updated) {
	t := u.t
	master := func() string { return u.ns.Output(t, "bridge", "link", "show") }
	plugged := master()
	req := network.UpdateRequest{Updates: []network.Update{{Section: network.SectionIP, Command: network.CommandModify, IP: 1,
		XML: `<ip address='10.9.0.2' prefix='24'><dhcp><range start='10.9.0.100' end='10.9.0.199'/></dhcp></ip>`}}}
	_, err := u.nets.Update(t.Context(), "net0", req)
	require.ErrorIs(t, err, network.ErrDisruptive)
	req.Disruptive = true
	u.update(req)
	require.Equal(t, plugged, master())
	again := lease(t, u.guest, dhcpclient.Options{Hostname: "web"})
	require.Equal(t, u.grant.Addr, again.Addr, "the lease is known")
	require.Equal(t, []netip.Addr{netip.MustParseAddr("10.9.0.2")}, again.Router)
	u.guest.Output(t, "ip", "route", "replace", "default", "via", "10.9.0.2")

	req.Updates = []network.Update{
		{Section: network.SectionBridge, Command: network.CommandModify, XML: `<bridge stp='off' delay='3'/>`},
		{Section: network.SectionForward, Command: network.CommandModify, XML: `<forward mode='route'/>`},
	}
	u.update(req)
	require.Contains(t, u.ns.Output(t, "ip", "-d", "link", "show", "br0"), "forward_delay 300 ")
	u.outside.Output(t, "ip", "route", "add", "10.9.0.0/24", "via", "192.0.2.1")
	sent, back := u.talk()()
	require.Equal(t, sent, back, "the guest is reached at its own address")
	require.Equal(t, plugged, master())

	s, err := u.nets.Lookup(t.Context(), "net0")
	require.NoError(t, err)
	s.Live.Bridge.Name = "lan0"
	u.update(network.UpdateRequest{Document: s.Live, Disruptive: true})
	require.Equal(t, strings.ReplaceAll(plugged, "master br0", "master lan0"), master())
	require.NotContains(t, u.ns.Snapshot(t), "br0")
	sent, back = u.talk()()
	require.Equal(t, sent, back, "the guest is reached by the other bridge")
	require.Equal(t, u.grant.Addr, lease(t, u.guest, dhcpclient.Options{Hostname: "web"}).Addr)
	require.NoError(t, u.nets.Stop(context.Background(), "net0"))
}
