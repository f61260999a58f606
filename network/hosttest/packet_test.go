// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// The networks of the matrix, each a bridge with one guest, ".2".
var matrix = []struct {
	name    string
	gateway string
	mode    string
}{
	{"isolated", "10.1.0.1/24", "isolated"},
	{"route", "10.2.0.1/24", "route"},
	{"nat", "10.3.0.1/24", "nat"},
	{"nat2", "10.4.0.1/24", "nat"},
	{"open", "10.5.0.1/24", "open"},
}

// matrixFilter is what a planner would ask for, written by hand: packets from a network are judged before those to one.
func matrixFilter(link, mode string, subnet netip.Prefix) host.Filter {
	f := host.Filter{Network: link, Link: link}
	switch mode {
	case "isolated":
		f.From = []host.Rule{{Do: host.Reject}}
		f.To = []host.Rule{{Do: host.Reject}}
	case "route":
		f.From = []host.Rule{{Src: subnet, Do: host.Return}, {Do: host.Reject}}
		f.To = []host.Rule{{Dst: subnet, Do: host.Return}, {Do: host.Reject}}
	case "nat":
		f.From = []host.Rule{{Src: subnet, Do: host.Return}, {Do: host.Reject}}
		f.To = []host.Rule{{Dst: subnet, Established: true, Do: host.Return}, {Do: host.Reject}}
		f.NAT = []host.Rule{
			{Src: subnet, Dst: netip.MustParsePrefix("224.0.0.0/24"), Do: host.Return},
			{Src: subnet, NotDst: subnet, Proto: host.UDP, Do: host.Masquerade, Ports: host.PortRange{From: 1024, To: 65535}},
			{Src: subnet, NotDst: subnet, Do: host.Masquerade},
		}
	}
	return f
}

func matrixMachine(t *testing.T) *Machine {
	m := New("eth0")
	do(t, m, host.AddAddr{Link: "eth0", Prefix: netip.MustParsePrefix("192.0.2.7/24")}, host.AddRoute{
		Dest: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("192.0.2.1"), Link: "eth0", Metric: 1,
	})
	for i, n := range matrix {
		prefix := netip.MustParsePrefix(n.gateway)
		do(t, m, host.AddBridge{Link: n.name, MAC: host.MAC{0x52, 0x54, 0, 1, 0, byte(i)}},
			host.AddAddr{Link: n.name, Prefix: prefix}, up(n.name))
		if f := matrixFilter(n.name, n.mode, prefix.Masked()); len(f.From) > 0 {
			do(t, m, host.SetFilter{Network: n.name, Filter: f})
		}
	}
	do(t, m, host.EnableForwarding{})
	return m
}

func guestOf(gateway string) netip.Addr { return netip.MustParsePrefix(gateway).Addr().Next() }

// TestMatrix sends a datagram from the guest of each network to that of each other one, to the world, and to another
// address of the machine.
func TestMatrix(t *testing.T) {
	const want = `          isolated route    nat      nat2     open     world    host
isolated  ->       .        .        .        .        .        ->
route     .        ->       .        .        ->       ->       ->
nat       .        ->       ->       .        ->       ->       ->
nat2      .        ->       .        ->       ->       ->       ->
open      .        ->       .        .        ->       ->       ->
`
	m := matrixMachine(t)
	line := fmt.Sprintf("%-10s", "")
	var all []netip.Addr
	for _, to := range matrix {
		line += fmt.Sprintf("%-9s", to.name)
		all = append(all, guestOf(to.gateway))
	}
	all = append(all, netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("192.0.2.7"))
	got := line + fmt.Sprintf("%-9s%s\n", "world", "host")
	for _, from := range matrix {
		line := fmt.Sprintf("%-10s", from.name)
		for _, dst := range all {
			mark := "->"
			if _, err := m.Send(Packet{In: from.name, Src: guestOf(from.gateway), Dst: dst, Proto: host.UDP}); err != nil {
				require.ErrorIs(t, err, fs.ErrPermission)
				mark = "."
			}
			line += fmt.Sprintf("%-9s", mark)
		}
		got += strings.TrimRight(line, " ") + "\n"
	}
	require.Empty(t, cmp.Diff(want, got))
}

func TestSend(t *testing.T) {
	addr := netip.MustParseAddr
	guest, world := addr("10.3.0.2"), addr("198.51.100.9")
	for _, c := range []struct {
		name string
		in   Packet
		out  string
		src  netip.Addr
		err  string
	}{
		{"masqueraded", Packet{In: "nat", Src: guest, Dst: world}, "eth0", addr("192.0.2.7"), ""},
		{"routed", Packet{In: "route", Src: addr("10.2.0.2"), Dst: world}, "eth0", addr("10.2.0.2"), ""},
		{"multicast is not masqueraded", Packet{In: "nat", Src: guest, Dst: addr("224.0.0.9")}, "eth0", guest, ""},
		{"translated to another network", Packet{In: "nat", Src: guest, Dst: addr("10.2.0.2")}, "route", addr("10.2.0.1"), ""},
		{"the answer", Packet{In: "eth0", Src: world, Dst: guest, Established: true}, "nat", world, ""},
		{"an answer nobody asked for", Packet{In: "eth0", Src: world, Dst: guest}, "nat", world,
			`iif "eth0" oif "nat" saddr 198.51.100.9 daddr 10.3.0.2: packets to nat: counter reject with icmpx port-unreachable: permission denied`},
		{"a false source", Packet{In: "nat", Src: addr("10.9.9.9"), Dst: world}, "eth0", addr("10.9.9.9"),
			`iif "nat" oif "eth0" saddr 10.9.9.9 daddr 198.51.100.9: packets from nat: counter reject with icmpx port-unreachable: permission denied`},
		{"to the machine", Packet{In: "isolated", Src: addr("10.1.0.2"), Dst: addr("10.1.0.1")}, "", addr("10.1.0.2"), ""},
		{"to a neighbour", Packet{In: "isolated", Src: addr("10.1.0.2"), Dst: addr("10.1.0.3")}, "isolated", addr("10.1.0.2"), ""},
		{"no route", Packet{In: "nat", Src: addr("2001:db8::2"), Dst: addr("2001:db8:1::1")}, "", addr("2001:db8::2"),
			"route to 2001:db8:1::1: file does not exist"},
		{"no link", Packet{In: "br9"}, "", netip.Addr{}, "link br9: file does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := matrixMachine(t).Send(c.in)
			if c.err != "" {
				require.EqualError(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.out, got.Out)
			require.Equal(t, c.src, got.Src)
		})
	}
}

func TestSendNeedsForwardingAndLinks(t *testing.T) {
	m := matrixMachine(t)
	p := Packet{In: "open", Src: guestOf("10.5.0.1/24"), Dst: netip.MustParseAddr("198.51.100.9")}
	do(t, m, host.DisableForwarding{})
	_, err := m.Send(p)
	require.EqualError(t, err, `iif "open" oif "eth0" saddr 10.5.0.2 daddr 198.51.100.9: the machine does not forward ipv4: permission denied`)
	do(t, m, host.EnableForwarding{}, host.SetDown{Link: "open"})
	_, err = m.Send(p)
	require.EqualError(t, err, "link open is down: file does not exist")
}

func TestSourceNAT(t *testing.T) {
	m := matrixMachine(t)
	public := netip.MustParseAddr("203.0.113.5")
	was := matrixFilter("nat", "nat", netip.MustParsePrefix("10.3.0.0/24"))
	now := cloneFilter(was)
	now.NAT = []host.Rule{{Do: host.SNAT, Addrs: host.AddrRange{From: public, To: public}}}
	do(t, m, host.SetFilter{Network: "nat", Filter: now, Was: was})
	p, err := m.Send(Packet{In: "nat", Src: guestOf("10.3.0.1/24"), Dst: netip.MustParseAddr("198.51.100.9")})
	require.NoError(t, err)
	require.Equal(t, public, p.Src)
}

func TestSendIPv6(t *testing.T) {
	m := matrixMachine(t)
	do(t, m, host.AddAddr{Link: "route", Prefix: netip.MustParsePrefix("2001:db8:2::1/64")},
		host.AddAddr{Link: "open", Prefix: netip.MustParsePrefix("2001:db8:5::1/64")})
	p := Packet{In: "open", Src: netip.MustParseAddr("2001:db8:5::2"), Dst: netip.MustParseAddr("2001:db8:2::2")}
	_, err := m.Send(p)
	require.ErrorContains(t, err, "the machine does not forward ipv6")
	do(t, m, host.EnableForwarding{IPv6: true})
	_, err = m.Send(p)
	require.ErrorContains(t, err, "packets to route: counter reject", "the network is IPv4 only to its filter")
	back := Packet{In: "route", Src: netip.MustParseAddr("10.2.0.2"), Dst: netip.MustParseAddr("10.5.0.2")}
	got, err := m.Send(back)
	require.NoError(t, err)
	require.Equal(t, "open", got.Out)
}

// TestBestRoute prefers the longer prefix, and of two the smaller metric.
func TestBestRoute(t *testing.T) {
	m := New("eth0", "eth1")
	for _, r := range []host.Route{
		{Dest: netip.MustParsePrefix("10.0.0.0/8"), Link: "eth0", Metric: 1},
		{Dest: netip.MustParsePrefix("10.1.0.0/16"), Link: "eth1", Metric: 9},
		{Dest: netip.MustParsePrefix("10.1.0.0/16"), Link: "eth0", Metric: 10},
		{Dest: netip.MustParsePrefix("10.1.2.0/24"), Link: "eth0", Metric: 1, Table: 7},
	} {
		if r.Table == 0 {
			r.Table = host.MainTable
		}
		require.NoError(t, m.AddRoute(r))
	}
	do(t, m, host.EnableForwarding{})
	for dst, want := range map[string]string{"10.2.0.1": "eth0", "10.1.2.3": "eth1"} {
		in := map[string]string{"eth0": "eth1", "eth1": "eth0"}[want]
		p, err := m.Send(Packet{In: in, Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr(dst)})
		require.NoError(t, err)
		require.Equal(t, want, p.Out, dst)
	}
}
