// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"io/fs"
	"net/netip"
	"testing"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/stretchr/testify/require"
)

// routedOps make a bridge that is up and has addresses.
func routedOps() []host.Op {
	return []host.Op{
		host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.SetUp{Link: "br0"},
		host.AddAddr{Link: "br0", Prefix: netip.MustParsePrefix("192.0.2.1/24")},
		host.AddAddr{Link: "br0", Prefix: netip.MustParsePrefix("2001:db8::1/64")},
	}
}

func TestAddRoute(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	do(t, b, routedOps()...)
	before := ns.Snapshot(t)
	for _, c := range []struct {
		dest, gateway string
		metric        int
		want          string
	}{
		{"10.9.0.0/16", "192.0.2.9", 1, "unicast 10.9.0.0/16 via 192.0.2.9 dev br0 proto boot scope global metric 1"},
		{"0.0.0.0/0", "192.0.2.9", 7, "unicast default via 192.0.2.9 dev br0 proto boot scope global metric 7"},
		{"10.9.9.9/32", "192.0.2.9", 1 << 30, "unicast 10.9.9.9 via 192.0.2.9 dev br0 proto boot scope global metric 1073741824"},
		{"2001:db8:9::/48", "2001:db8::9", 1, "unicast 2001:db8:9::/48 via 2001:db8::9 dev br0 proto boot scope global metric 1"},
		{"::/0", "fe80::9", 5, "unicast default via fe80::9 dev br0 proto boot scope global metric 5"},
	} {
		add := host.AddRoute{Dest: netip.MustParsePrefix(c.dest), Gateway: netip.MustParseAddr(c.gateway), Link: "br0", Metric: c.metric}
		do(t, b, add)
		family := "-6"
		if add.Dest.Addr().Is4() {
			family = "-4"
		}
		require.Contains(t, ns.Output(t, "ip", family, "-d", "route", "show", "table", "main"), c.want)
		require.True(t, add.Holds(facts(t, b, add.Scope())), c.dest)
		refuse(t, b, ns, fs.ErrExist, add)
		do(t, b, add.Inverse())
		ns.Unchanged(t, before, "after "+c.dest)
		refuse(t, b, ns, fs.ErrNotExist, add.Inverse())
	}
}

func TestDelRouteLeavesForeignRoutes(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	do(t, b, routedOps()...)
	for _, c := range [][]string{
		{"10.9.0.0/16", "via", "192.0.2.9", "metric", "7", "proto", "static"},
		{"10.9.0.0/16", "via", "192.0.2.8", "metric", "7", "table", "100"},
		{"10.9.0.0/16", "via", "192.0.2.9", "metric", "8"},
		{"2001:db8:9::/48", "via", "2001:db8::9", "metric", "7", "proto", "static"},
		{"2001:db8:9::/48", "via", "2001:db8::9", "metric", "7", "table", "100"},
	} {
		ns.Output(t, "ip", append([]string{"route", "add"}, c...)...)
	}
	refuse(t, b, ns, fs.ErrNotExist, host.DelRoute{Dest: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("192.0.2.9"), Link: "br0", Metric: 7})
	refuse(t, b, ns, fs.ErrNotExist, host.DelRoute{Dest: netip.MustParsePrefix("2001:db8:9::/48"), Gateway: netip.MustParseAddr("2001:db8::9"), Link: "br0", Metric: 7})
}

func TestRouteFacts(t *testing.T) {
	t.Parallel()
	b, ns := open(t)
	do(t, b, append(routedOps(), host.AddBridge{Link: "br1", MAC: tapMAC}, host.SetUp{Link: "br1"})...)
	for _, c := range [][]string{
		{"10.1.0.0/16", "dev", "br1", "table", "100"},
		{"10.2.0.0/16", "nexthop", "via", "192.0.2.7", "dev", "br0", "nexthop", "dev", "br1"},
		{"10.3.0.0/16", "via", "inet6", "2001:db8::9", "dev", "br0"},
		{"blackhole", "10.4.0.0/16"},
		{"unreachable", "2001:db8:4::/48"},
		{"2001:db8:5::/48", "via", "fe80::9", "dev", "br1", "table", "4000"},
	} {
		ns.Output(t, "ip", append([]string{"route", "add"}, c...)...)
	}
	route := func(dest, gateway, link string, metric, table int) host.Route {
		r := host.Route{Dest: netip.MustParsePrefix(dest), Link: link, Metric: metric, Table: table}
		if gateway != "" {
			r.Gateway = netip.MustParseAddr(gateway)
		}
		return r
	}
	want := []host.Route{
		route("10.1.0.0/16", "", "br1", 0, 100),
		route("10.2.0.0/16", "192.0.2.7", "br0", 0, host.MainTable),
		route("10.2.0.0/16", "", "br1", 0, host.MainTable),
		route("10.3.0.0/16", "2001:db8::9", "br0", 0, host.MainTable),
		route("192.0.2.0/24", "", "br0", 0, host.MainTable),
		route("2001:db8::/64", "", "br0", 256, host.MainTable),
		route("2001:db8:5::/48", "fe80::9", "br1", 1024, 4000),
	}
	require.Equal(t, want, facts(t, b, host.Scope{Routes: true}).Routes)
	require.Equal(t, want, facts(t, b, host.Scope{All: true}).Routes)
}
