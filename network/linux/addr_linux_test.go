// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/stretchr/testify/require"
)

func facts(t testing.TB, b *linux.Backend, scope host.Scope) *host.Facts {
	t.Helper()
	f, err := b.Facts(t.Context(), scope)
	require.NoError(t, err)
	return f
}

func TestAddAddr(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	do(t, b, host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.SetUp{Link: "br0"})
	before := ns.Snapshot(t)
	for _, c := range []struct{ prefix, want string }{
		{"192.168.122.1/24", "inet 192.168.122.1/24 brd 192.168.122.255 scope global br0"},
		{"10.1.2.3/8", "inet 10.1.2.3/8 brd 10.255.255.255 scope global br0"},
		{"10.1.2.3/30", "inet 10.1.2.3/30 brd 10.1.2.3 scope global br0"},
		{"192.0.2.1/32", "inet 192.0.2.1/32 scope global br0"},
		{"2001:db8:ca2:2::1/64", "inet6 2001:db8:ca2:2::1/64 scope global nodad"},
		{"fe80::1/64", "inet6 fe80::1/64 scope link nodad"},
	} {
		prefix := netip.MustParsePrefix(c.prefix)
		add := host.AddAddr{Link: "br0", Prefix: prefix}
		do(t, b, add)
		require.Contains(t, ns.Output(t, "ip", "-o", "addr", "show", "dev", "br0"), c.want)
		require.True(t, facts(t, b, host.Scope{Links: []string{"br0"}}).HasAddr("br0", prefix))
		refuse(t, b, ns, fs.ErrExist, add)
		refuse(t, b, ns, fs.ErrNotExist, host.DelAddr{Link: "br0", Prefix: netip.PrefixFrom(prefix.Addr(), prefix.Bits()-1)})
		do(t, b, add.Inverse())
		ns.Unchanged(t, before, "after "+c.prefix)
		refuse(t, b, ns, fs.ErrNotExist, add.Inverse())
	}
	refuse(t, b, ns, fs.ErrNotExist, host.AddAddr{Link: "br9", Prefix: netip.MustParsePrefix("192.0.2.1/24")})
}

func TestAddAddrWithoutIPv6(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	do(t, b,
		host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.AddBridge{Link: "br1", MAC: tapMAC, MTU: 1000},
		host.SetSysctl{Key: "net/ipv6/conf/br0/disable_ipv6", Value: "1", Was: "0"},
	)
	err := refuse(t, b, ns, fs.ErrPermission, host.AddAddr{Link: "br0", Prefix: netip.MustParsePrefix("2001:db8::1/64")})
	require.ErrorContains(t, err, "disable_ipv6")
	refuse(t, b, ns, fs.ErrInvalid, host.AddAddr{Link: "br1", Prefix: netip.MustParsePrefix("2001:db8::1/64")})
}

// The addresses of other links are not facts about a link, and those that the kernel makes by itself are none at all.
func TestAddrFacts(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	peer := testenv.New(t)
	testenv.Connect(t, ns, peer, "up0", "up1")
	for _, args := range [][]string{
		{"192.0.2.1/24", "dev", "up0"}, {"192.0.2.2/24", "dev", "up0"}, {"fe80::7/64", "dev", "up0"},
		{"2001:db8::1/64", "dev", "up0"}, {"192.0.2.9", "peer", "192.0.2.10/32", "dev", "lo"},
	} {
		ns.Output(t, "ip", append([]string{"addr", "add"}, args...)...)
	}
	testenv.WaitFor(t, 10*time.Second, "the kernel's own link-local address", func() bool {
		return strings.Count(ns.Output(t, "ip", "addr", "show", "dev", "up0"), "inet6 fe80::") == 2
	})
	named := facts(t, b, host.Scope{Links: []string{"up0"}})
	require.Equal(t, []host.Addr{
		{Link: "up0", Prefix: netip.MustParsePrefix("192.0.2.1/24")},
		{Link: "up0", Prefix: netip.MustParsePrefix("192.0.2.2/24")},
		{Link: "up0", Prefix: netip.MustParsePrefix("2001:db8::1/64")},
		{Link: "up0", Prefix: netip.MustParsePrefix("fe80::7/64")},
	}, named.Addrs)
	require.Equal(t, append([]host.Addr{
		{Link: "lo", Prefix: netip.MustParsePrefix("127.0.0.1/8")},
		{Link: "lo", Prefix: netip.MustParsePrefix("192.0.2.9/32")},
		{Link: "lo", Prefix: netip.MustParsePrefix("::1/128")},
	}, named.Addrs...), facts(t, b, host.Scope{All: true}).Addrs)
}
