// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// golden compares a text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o666))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (- wanted, + got):\n%s", file, d)
	}
}

// natNetwork is the filter of a NAT network of both families as it is planned.
func natNetwork(network, link string) host.Filter {
	subnet4, subnet6 := netip.MustParsePrefix("192.168.122.0/24"), netip.MustParsePrefix("2001:db8:122::/64")
	ports := host.PortRange{From: 1024, To: 65535}
	return host.Filter{
		Network: network, Link: link,
		From: []host.Rule{
			{Out: link, Do: host.Return},
			{Src: subnet4, Do: host.Return},
			{Src: subnet6, Do: host.Return},
			{Do: host.Reject},
		},
		To: []host.Rule{
			{In: link, Do: host.Return},
			{Dst: subnet4, Established: true, Do: host.Return},
			{Dst: subnet6, Do: host.Return},
			{Do: host.Reject},
		},
		NAT: []host.Rule{
			{Src: subnet4, Dst: netip.MustParsePrefix("224.0.0.0/24"), Do: host.Return},
			{Src: subnet4, Dst: netip.MustParsePrefix("255.255.255.255/32"), Do: host.Return},
			{Src: subnet4, NotDst: subnet4, Proto: host.TCP, Do: host.Masquerade, Ports: ports},
			{Src: subnet4, NotDst: subnet4, Proto: host.UDP, Do: host.Masquerade, Ports: ports},
			{Src: subnet4, NotDst: subnet4, Do: host.Masquerade},
		},
		DHCP: dhcpOf(network),
	}
}

// forward is one of a range of ports.
func forward(proto host.Proto, addr string, first, last uint16, to string, toPort uint16) host.PortForward {
	p := host.PortForward{Proto: proto, Ports: host.PortRange{From: first, To: last}, To: netip.MustParseAddr(to), ToPort: toPort}
	if addr != "" {
		p.Addr = netip.MustParseAddr(addr)
	}
	return p
}

// forwarded is a filter with port forwards of all kinds.
func forwarded(network, link string) host.Filter {
	return host.Filter{Network: network, Link: link, Forwards: host.JoinForwards([]host.PortForward{
		forward(host.TCP, "", 8080, 8080, "192.168.4.2", 80),
		forward(host.TCP, "", 8081, 8081, "192.168.4.2", 80),
		forward(host.TCP, "", 8080, 8080, "fd00:4::2", 80),
		forward(host.TCP, "203.0.113.5", 8080, 8080, "192.168.4.3", 80),
		forward(host.UDP, "203.0.113.5", 8080, 8090, "192.168.4.3", 8080),
		forward(host.SCTP, "2001:db8::5", 5000, 5010, "fd00:4::3", 6000),
		forward(host.UDP, "2001:db8::5", 65535, 65535, "fd00:4::3", 1),
	})}
}

// dhcpOf are addresses of a network's own.
func dhcpOf(network string) []netip.Addr {
	number := byte(0)
	for _, c := range []byte(network) {
		number = number*31 + c
	}
	return []netip.Addr{netip.AddrFrom4([4]byte{10, 9, number, 1}), netip.AddrFrom4([4]byte{192, 168, 122, number})}
}

// severalNetworks have filters of all shapes.
func severalNetworks() []host.Filter {
	uplink := host.AddrRange{From: netip.MustParseAddr("2001:db8::5"), To: netip.MustParseAddr("2001:db8::9")}
	return []host.Filter{
		{Network: "empty", Link: "br*"},
		{Network: "isolated", Link: "br1", From: []host.Rule{{Out: "br1", Do: host.Return}, {Do: host.Reject}}, To: []host.Rule{{In: "br1", Do: host.Return}, {Do: host.Drop}}},
		natNetwork("6f9d2b6e-7d6c-4f0e-9c2a-0d2f6b1f6a01", "virbr0"),
		{Network: "only-nat", Link: "br2", NAT: []host.Rule{{Family: host.IPv6, Proto: host.TCP, Do: host.SNAT, Addrs: uplink, Ports: host.PortRange{From: 5000, To: 5000}}}},
		forwarded("forwarded", "br4"),
		{Network: "hidden", Link: "br5", Forwards: []host.PortForward{forward(host.TCP, "203.0.113.6", 80, 80, "192.168.5.2", 8080)}, HideClients: true},
		{Network: "guarded", Link: "br6", Guarded: true, Open: []host.Service{{Proto: host.TCP, Ports: host.PortRange{From: 22, To: 24}}, {Proto: host.UDP, Ports: host.PortRange{From: 53, To: 53}}}},
		{Network: "to", Link: "br3", To: []host.Rule{{Family: host.IPv4, NotDst: netip.MustParsePrefix("10.0.0.0/8"), Do: host.Drop}}},
	}
}

func TestText(t *testing.T) {
	filters := severalNetworks()
	for _, f := range filters {
		require.NoError(t, host.SetFilter{Network: f.Network, Filter: f}.Check())
	}
	golden(t, "several.nft", Text(filters))
	filters[0], filters[1] = filters[1], filters[0]
	require.Equal(t, Text(severalNetworks()), Text(filters), "the order does not matter")
	require.Empty(t, Text([]host.Filter{{}}))
	require.Empty(t, Text(nil))
}

func TestChainOwner(t *testing.T) {
	cases := []struct {
		chain   string
		list    list
		network string
		ok      bool
	}{
		{"from-n1", from, "n1", true},
		{"to-6f9d2b6e-7d6c-4f0e-9c2a-0d2f6b1f6a01", to, "6f9d2b6e-7d6c-4f0e-9c2a-0d2f6b1f6a01", true},
		{"nat-to-x", nat, "to-x", true},
		{"forward", 0, "", false},
		{"from-", 0, "", false},
		{"from--x", 0, "", false},
		{"from-N1", 0, "", false},
		{"other-n1", 0, "", false},
	}
	for _, c := range cases {
		l, network, ok := chainOwner(c.chain)
		require.Equal(t, c.list, l, c.chain)
		require.Equal(t, c.network, network, c.chain)
		require.Equal(t, c.ok, ok, c.chain)
	}
}
