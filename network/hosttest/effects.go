// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// effects are what the kernel does and refuses besides. They are in the suite so that Machine can be believed.
func effects() []effect {
	return slices.Concat(linkEffects(), macvtapEffects(), macvlanEffects(), associateEffects(), ovsEffects(), shapeEffects(), checksumEffects(), vlanEffects(), zoneEffects(), registerEffects(), forwardEffects())
}

func linkEffects() []effect {
	addr := func(link, prefix string) host.AddAddr {
		return host.AddAddr{Link: link, Prefix: netip.MustParsePrefix(prefix)}
	}
	noPromotion := host.SetSysctl{Key: "net/ipv4/conf/br0/promote_secondaries", Value: "0", Was: "0"}
	network := []host.Op{br0, up("br0"), gateway4, gateway6, route4, route6}
	return []effect{{
		name:   "a bridge takes its addresses and routes along and frees its ports",
		before: append(network, tap0, host.Plug{Link: "tap0", Bridge: "br0", Isolated: true}),
		op:     br0.Inverse(),
		changes: `-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 up stp off delay 0 owner "virtnet 1"
-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 isolated owner "guest 1"
-addr 192.168.7.1/24 dev br0
-addr 2001:db8:7::1/64 dev br0
-route 10.9.0.0/16 via 192.168.7.9 dev br0 metric 7
-route 192.168.7.0/24 dev br0
-route 2001:db8:7::/64 dev br0 metric 256
-route 2001:db8:9::/48 via 2001:db8:7::9 dev br0 metric 7
+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner "guest 1"
`,
	}, {
		name:   "a link that goes down loses its routes and IPv6 addresses",
		before: network,
		op:     host.SetDown{Link: "br0"},
		changes: `-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 up stp off delay 0 owner "virtnet 1"
-addr 2001:db8:7::1/64 dev br0
-route 10.9.0.0/16 via 192.168.7.9 dev br0 metric 7
-route 192.168.7.0/24 dev br0
-route 2001:db8:7::/64 dev br0 metric 256
-route 2001:db8:9::/48 via 2001:db8:7::9 dev br0 metric 7
+link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0 owner "virtnet 1"
`,
	}, {
		name:   "a link that comes up gets its connected routes",
		before: []host.Op{br0, gateway4, gateway6},
		op:     up("br0"),
		changes: `-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0 owner "virtnet 1"
+link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 up stp off delay 0 owner "virtnet 1"
+route 192.168.7.0/24 dev br0
+route 2001:db8:7::/64 dev br0 metric 256
`,
	}, {
		name:   "a bridge without an mtu takes that of its smallest port",
		before: []host.Op{br1, tap0, plug("tap0", "br1"), tap1},
		op:     plug("tap1", "br1"),
		changes: `-link br1 type bridge mac 52:54:00:00:00:02 mtu 1500 stp off delay 0
-link tap1 type tap mac fe:54:00:00:00:02 mtu 1400
+link br1 type bridge mac 52:54:00:00:00:02 mtu 1400 stp off delay 0
+link tap1 type tap mac fe:54:00:00:00:02 mtu 1400 master br1
`,
	}, {
		name:   "a bridge with an mtu keeps it, also if it is the usual one",
		before: []host.Op{with(br1, func(o *host.AddBridge) { o.MTU = 1500 }), tap1},
		op:     plug("tap1", "br1"),
		changes: `-link tap1 type tap mac fe:54:00:00:00:02 mtu 1400
+link tap1 type tap mac fe:54:00:00:00:02 mtu 1400 master br1
`,
	}, {
		name:   "a bridge follows the mtu of its port",
		before: []host.Op{br1, tap1, plug("tap1", "br1")},
		op:     host.SetMTU{Link: "tap1", MTU: 1300, Was: 1400},
		changes: `-link br1 type bridge mac 52:54:00:00:00:02 mtu 1400 stp off delay 0
-link tap1 type tap mac fe:54:00:00:00:02 mtu 1400 master br1
+link br1 type bridge mac 52:54:00:00:00:02 mtu 1300 stp off delay 0
+link tap1 type tap mac fe:54:00:00:00:02 mtu 1300 master br1
`,
	}, {
		name:   "a bridge that loses its last port has an mtu of 1500",
		before: []host.Op{br1, tap1, plug("tap1", "br1")},
		op:     tap1.Inverse(),
		changes: `-link br1 type bridge mac 52:54:00:00:00:02 mtu 1400 stp off delay 0
-link tap1 type tap mac fe:54:00:00:00:02 mtu 1400 master br1
+link br1 type bridge mac 52:54:00:00:00:02 mtu 1500 stp off delay 0
`,
	}, {
		name:   "a port that moves to another bridge reflects no longer",
		before: []host.Op{br0, br1, tap0, plug("tap0", "br0"), host.Reflect{Link: "tap0"}},
		op:     host.SetPlug{Plug: plug("tap0", "br1"), Was: plug("tap0", "br0")},
		changes: `-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 hairpin on owner "guest 1"
+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br1 owner "guest 1"
`,
	}, {
		name:   "a port reflects on while its flags change",
		before: []host.Op{br0, tap0, plug("tap0", "br0"), host.Reflect{Link: "tap0"}},
		op:     host.SetPlug{Plug: host.Plug{Link: "tap0", Bridge: "br0", NoFlood: true}, Was: plug("tap0", "br0")},
		changes: `-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 hairpin on owner "guest 1"
+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 flood off hairpin on owner "guest 1"
`,
	}, {
		name: "a name is taken by a link of any kind", before: []host.Op{br0},
		op: with(tap0, func(o *host.AddTap) { o.Link = "br0" }), err: fs.ErrExist,
	}, {
		name: "a port is in one bridge", before: []host.Op{br0, br1, tap0, plug("tap0", "br0")},
		op: plug("tap0", "br1"), err: fs.ErrExist,
	}, {
		name: "a port is in the same bridge", before: []host.Op{br0, tap0, plug("tap0", "br0")},
		op: plug("tap0", "br0"), err: fs.ErrExist,
	}, {
		name: "a bridge is no port", before: []host.Op{br0, br1}, op: plug("br0", "br1"), err: fs.ErrInvalid,
	}, {
		name: "the loopback device is no port", before: []host.Op{br0}, op: plug("lo", "br0"), err: fs.ErrInvalid,
	}, {
		name: "a tap is no bridge", before: []host.Op{tap0, tap1}, op: plug("tap0", "tap1"), err: fs.ErrNotExist,
	}, {
		name: "an IPv6 address is there once", before: []host.Op{br0, gateway6},
		op: addr("br0", "2001:db8:7::1/48"), err: fs.ErrExist,
	}, {
		name: "an IPv4 address is there once for each length", before: []host.Op{br0, up("br0"), gateway4},
		op:      addr("br0", "192.168.7.1/25"),
		changes: "+addr 192.168.7.1/25 dev br0\n+route 192.168.7.0/25 dev br0\n",
	}, {
		name: "two addresses of a network share its route", before: []host.Op{br0, up("br0"), gateway4},
		op:      addr("br0", "192.168.7.2/24"),
		changes: "+addr 192.168.7.2/24 dev br0\n",
	}, {
		name: "two links may have the same network", before: []host.Op{br0, br1, up("br0"), up("br1"), gateway4},
		op:      addr("br1", "192.168.7.2/24"),
		changes: "+addr 192.168.7.2/24 dev br1\n+route 192.168.7.0/24 dev br1\n",
	}, {
		name:    "a single IPv4 address has no route",
		before:  []host.Op{br0, up("br0")},
		op:      addr("br0", "192.168.7.1/32"),
		changes: "+addr 192.168.7.1/32 dev br0\n",
	}, {
		name:    "a single IPv6 address has a route",
		before:  []host.Op{br0, up("br0")},
		op:      addr("br0", "2001:db8:7::1/128"),
		changes: "+addr 2001:db8:7::1/128 dev br0\n+route 2001:db8:7::1/128 dev br0 metric 256\n",
	}, {
		name:    "the first address of a network takes the others along",
		before:  []host.Op{br0, noPromotion, gateway4, addr("br0", "192.168.7.2/24"), addr("br0", "192.168.8.1/24")},
		op:      gateway4.Inverse(),
		changes: "-addr 192.168.7.1/24 dev br0\n-addr 192.168.7.2/24 dev br0\n",
	}, {
		name:    "a second address of a network takes nothing along",
		before:  []host.Op{br0, noPromotion, gateway4, addr("br0", "192.168.7.2/24")},
		op:      addr("br0", "192.168.7.2/24").Inverse(),
		changes: "-addr 192.168.7.2/24 dev br0\n",
	}, {
		name:    "the last IPv4 address of a link takes its routes along",
		before:  network,
		op:      gateway4.Inverse(),
		changes: "-addr 192.168.7.1/24 dev br0\n-route 10.9.0.0/16 via 192.168.7.9 dev br0 metric 7\n-route 192.168.7.0/24 dev br0\n",
	}, {
		name:    "IPv6 routes stay without the address",
		before:  network,
		op:      gateway6.Inverse(),
		changes: "-addr 2001:db8:7::1/64 dev br0\n-route 2001:db8:7::/64 dev br0 metric 256\n",
	}, {
		name:   "disabling IPv6 costs its addresses and routes",
		before: network,
		op:     noIPv6,
		changes: `-addr 2001:db8:7::1/64 dev br0
-route 2001:db8:7::/64 dev br0 metric 256
-route 2001:db8:9::/48 via 2001:db8:7::9 dev br0 metric 7
-sysctl net/ipv6/conf/br0/disable_ipv6=0
+sysctl net/ipv6/conf/br0/disable_ipv6=1
`,
	}, {
		name: "no IPv6 address where it is disabled", before: []host.Op{br0, noIPv6}, op: gateway6, err: fs.ErrPermission,
	}, {
		name:   "a small mtu costs IPv6",
		before: []host.Op{br0, noRA, gateway4, gateway6},
		op:     host.SetMTU{Link: "br0", MTU: 1200, Was: 1500},
		changes: `-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0 owner "virtnet 1"
-addr 2001:db8:7::1/64 dev br0
-sysctl net/ipv6/conf/br0/accept_ra=0
+link br0 type bridge mac 52:54:00:00:00:01 mtu 1200 stp off delay 0 owner "virtnet 1"
`,
	}, {
		name: "no IPv6 address with a small mtu", before: []host.Op{with(br0, func(o *host.AddBridge) { o.MTU = 1200 })},
		op: gateway6, err: fs.ErrInvalid,
	}, {
		name: "a route is there once, whatever its gateway", before: network,
		op: with(route4, func(o *host.AddRoute) { o.Gateway = netip.MustParseAddr("192.168.7.8") }), err: fs.ErrExist,
	}, {
		name: "a route is there once, whatever its gateway, in IPv6", before: network,
		op: with(route6, func(o *host.AddRoute) { o.Gateway = netip.MustParseAddr("2001:db8:7::8") }), err: fs.ErrExist,
	}, {
		name: "a route may be there twice with two metrics", before: network,
		op:      with(route4, func(o *host.AddRoute) { o.Metric = 8 }),
		changes: "+route 10.9.0.0/16 via 192.168.7.9 dev br0 metric 8\n",
	}, {
		name: "no route through a link that is down", before: []host.Op{br0, gateway4}, op: route4, err: fs.ErrNotExist,
	}, {
		name: "no route through the machine itself", before: network,
		op: with(route6, func(o *host.AddRoute) { o.Metric, o.Gateway = 9, gateway6.Prefix.Addr() }), err: fs.ErrInvalid,
	}, {
		name: "a gateway of IPv6 may be link-local", before: []host.Op{br0, up("br0")},
		op:      with(route6, func(o *host.AddRoute) { o.Gateway = netip.MustParseAddr("fe80::9") }),
		changes: "+route 2001:db8:9::/48 via fe80::9 dev br0 metric 7\n",
	}, {
		name: "no IPv6 route where it is disabled", before: []host.Op{br0, up("br0"), noIPv6},
		op: with(route6, func(o *host.AddRoute) { o.Gateway = netip.MustParseAddr("fe80::9") }), err: fs.ErrPermission,
	}, {
		name: "a default route", before: network,
		op:      with(route4, func(o *host.AddRoute) { o.Dest = netip.MustParsePrefix("0.0.0.0/0") }),
		changes: "+route 0.0.0.0/0 via 192.168.7.9 dev br0 metric 7\n",
	}, {
		name: "a parameter of the kernel is a number", before: []host.Op{br0},
		op: host.SetSysctl{Key: noRA.Key, Value: "yes", Was: "1"}, err: fs.ErrInvalid,
	}, {
		name: "a link has one filter", before: []host.Op{host.SetFilter{Network: "n1", Filter: filter1}},
		op: host.SetFilter{Network: "n2", Filter: host.Filter{Network: "n2", Link: "br0", To: filter1.To}}, err: fs.ErrExist,
	}, {
		name: "two networks have their filters", before: []host.Op{host.SetFilter{Network: "n1", Filter: filter1}},
		op:      host.SetFilter{Network: "n2", Filter: host.Filter{Network: "n2", Link: "br1", To: filter2.From}},
		changes: "+filter n2 to br1: counter drop\n",
	}}
}
