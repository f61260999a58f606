// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// opCases has a case for every operation of package host.
func opCases() []opCase {
	return slices.Concat(linkCases(), macvtapCases(), macvlanCases(), associateCases(), profileCases(), ovsCases(), addrCases(), shapeCases(), checksumCases(), vlanCases(), zoneCases(), registerCases(), sharedCases(), libvirtCases(), forwardCases())
}

// guest stands for the namespace that the caller of the suite gives.
const guest = "/run/netns/guest"

// The things that the cases are about.
var (
	br0  = host.AddBridge{Link: "br0", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}, Owner: "virtnet 1"}
	br1  = host.AddBridge{Link: "br1", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}}
	tap0 = host.AddTap{Link: "tap0", MAC: host.MAC{0xfe, 0x54, 0, 0, 0, 1}, Owner: "guest 1"}
	tap1 = host.AddTap{Link: "tap1", MAC: host.MAC{0xfe, 0x54, 0, 0, 0, 2}, MTU: 1400}
	veth = host.AddVeth{
		Link: "veth0", MAC: host.MAC{0xfe, 0x54, 0, 0, 0, 3}, Owner: "guest 2",
		Peer: "eth0", PeerMAC: host.MAC{0x52, 0x54, 0, 0, 0, 3}, Namespace: guest,
	}
	gateway4 = host.AddAddr{Link: "br0", Prefix: netip.MustParsePrefix("192.168.7.1/24")}
	gateway6 = host.AddAddr{Link: "br0", Prefix: netip.MustParsePrefix("2001:db8:7::1/64")}
	route4   = host.AddRoute{Dest: netip.MustParsePrefix("10.9.0.0/16"), Gateway: netip.MustParseAddr("192.168.7.9"), Link: "br0", Metric: 7}
	route6   = host.AddRoute{Dest: netip.MustParsePrefix("2001:db8:9::/48"), Gateway: netip.MustParseAddr("2001:db8:7::9"), Link: "br0", Metric: 7}
	noRA     = host.SetSysctl{Key: "net/ipv6/conf/br0/accept_ra", Value: "0", Was: "1"}
	noIPv6   = host.SetSysctl{Key: "net/ipv6/conf/br0/disable_ipv6", Value: "1", Was: "0"}
	filter1  = host.Filter{
		Network: "n1", Link: "br0",
		From: []host.Rule{
			{Src: gateway4.Prefix.Masked(), Do: host.Return},
			{Do: host.Reject},
		},
		To: []host.Rule{
			{Dst: gateway4.Prefix.Masked(), Established: true, Do: host.Return},
			{Family: host.IPv6, Do: host.Drop},
			{Do: host.Reject},
		},
		NAT: []host.Rule{
			{Src: gateway4.Prefix.Masked(), Dst: netip.MustParsePrefix("224.0.0.0/24"), Do: host.Return},
			{Src: gateway4.Prefix.Masked(), NotDst: gateway4.Prefix.Masked(), Proto: host.TCP, Do: host.Masquerade, Ports: host.PortRange{From: 1024, To: 65535}},
			{Src: gateway4.Prefix.Masked(), NotDst: gateway4.Prefix.Masked(), Do: host.Masquerade},
		},
	}
	filter2 = host.Filter{Network: "n1", Link: "br0", From: []host.Rule{{Do: host.Drop}}}
	filter3 = host.Filter{Network: "n1", Link: "br0", To: filter1.To, DHCP: answers("192.168.7.1", "192.168.8.1")}
	filter4 = host.Filter{Network: "n1", Link: "br0", To: filter1.To, DHCP: answers("192.168.8.1", "192.168.9.1")}
	serve   = host.Serve{Server: host.Server{
		Name: "n1", Link: "br0", Domain: "lab.example",
		DNS: &host.DNS{NoForward: true, Hosts: []host.NameRecord{{Addr: netip.MustParseAddr("192.168.7.5"), Names: []string{"five"}}}},
		Subnets: []host.Subnet{{
			Prefix: gateway4.Prefix,
			Ranges: []host.Range{{Start: netip.MustParseAddr("192.168.7.100"), End: netip.MustParseAddr("192.168.7.199")}},
		}},
	}}
)

// served is another configuration of the server of serve.
var served = host.Server{
	Name: "n1", Link: "br0", Domain: "other.example",
	Subnets: []host.Subnet{{
		Prefix: gateway4.Prefix,
		Ranges: []host.Range{{Start: netip.MustParseAddr("192.168.7.100"), End: netip.MustParseAddr("192.168.7.199")}},
		Hosts:  []host.StaticHost{{MAC: tap0.MAC, Name: "six", Addr: netip.MustParseAddr("192.168.7.6")}},
	}},
}

func answers(addrs ...string) (list []netip.Addr) {
	for _, a := range addrs {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}

func up(link string) host.SetUp { return host.SetUp{Link: link} }

func plug(link, bridge string) host.Plug { return host.Plug{Link: link, Bridge: bridge} }

// with changes a copy of an operation.
func with[T host.Op](op T, change func(*T)) T {
	change(&op)
	return op
}

func linkCases() []opCase {
	long := strings.Repeat("x", host.MaxName+1)
	return []opCase{{
		name:    "AddBridge",
		op:      br0,
		changes: "+link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0 owner \"virtnet 1\"\n",
		bad: []host.Op{
			with(br0, func(o *host.AddBridge) { o.Link = "" }),
			with(br0, func(o *host.AddBridge) { o.Link = "a/b" }),
			with(br0, func(o *host.AddBridge) { o.Link = long }),
			with(br0, func(o *host.AddBridge) { o.MAC = host.MAC{} }),
			with(br0, func(o *host.AddBridge) { o.MAC[0] |= 1 }),
			with(br0, func(o *host.AddBridge) { o.MTU = 10 }),
			with(br0, func(o *host.AddBridge) { o.STP = true }),
		},
		foreign: [][]host.Op{
			{with(br0, func(o *host.AddBridge) { o.MAC = br1.MAC })},
			{with(tap0, func(o *host.AddTap) { o.Link, o.MAC = br0.Link, br0.MAC })},
		},
	}, {
		name:    "AddBridge with everything",
		op:      host.AddBridge{Link: "br0", MAC: br0.MAC, MTU: 9000, STP: true, ForwardDelay: 300},
		changes: "+link br0 type bridge mac 52:54:00:00:00:01 mtu 9000 stp on delay 300\n",
	}, {
		name:   "SetBridge",
		before: []host.Op{br0, up("br0"), tap0, plug("tap0", "br0")},
		op: host.SetBridge{
			Bridge: host.AddBridge{Link: "br0", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 9}, Owner: br0.Owner, MTU: 1400, STP: true, ForwardDelay: 400}, Was: br0,
		},
		changes: "-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 up stp off delay 0 owner \"virtnet 1\"\n" +
			"+link br0 type bridge mac 52:54:00:00:00:09 mtu 1400 up stp on delay 400 owner \"virtnet 1\"\n",
		repeatable: true,
		bad: []host.Op{
			host.SetBridge{Bridge: br0, Was: with(br0, func(o *host.AddBridge) { o.Link = "br1" })},
			host.SetBridge{Bridge: br0, Was: with(br0, func(o *host.AddBridge) { o.Owner = "me" })},
			host.SetBridge{Bridge: with(br0, func(o *host.AddBridge) { o.STP = true }), Was: br0},
			host.SetBridge{Bridge: br0, Was: with(br0, func(o *host.AddBridge) { o.MAC = host.MAC{} })},
		},
		dangling: []host.Op{host.SetBridge{Bridge: with(br1, func(o *host.AddBridge) { o.MTU = 1400 }), Was: br1}},
		foreign: [][]host.Op{
			{with(br0, func(o *host.AddBridge) { o.MAC = br1.MAC })},
			{with(tap0, func(o *host.AddTap) { o.Link, o.MAC = br0.Link, host.MAC{0x52, 0x54, 0, 0, 0, 9} })},
		},
	}, {
		name:    "AddTap",
		op:      tap0,
		changes: "+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner \"guest 1\"\n",
		bad: []host.Op{
			with(tap0, func(o *host.AddTap) { o.Link = "tap%d" }),
			with(tap0, func(o *host.AddTap) { o.MAC = host.MAC{} }),
			with(tap0, func(o *host.AddTap) { o.Queues = host.MaxQueues + 1 }),
			with(tap0, func(o *host.AddTap) { o.MTU = 65536 }),
			with(tap0, func(o *host.AddTap) { o.Owner = "two\nlines" }),
		},
		foreign: [][]host.Op{
			{with(tap0, func(o *host.AddTap) { o.MAC = tap1.MAC })},
			{with(br0, func(o *host.AddBridge) { o.Link, o.MAC = tap0.Link, host.MAC{0xfe, 0x54, 0, 0, 0, 1} })},
		},
	}, {
		name:    "AddTap with everything",
		op:      host.AddTap{Link: "tap0", MAC: tap0.MAC, MTU: 1400, Queues: 4, VnetHdr: true, User: new(uint32), Group: new(uint32)},
		changes: "+link tap0 type tap mac fe:54:00:00:00:01 mtu 1400\n",
	}, {
		name:    "AddVeth",
		op:      veth,
		changes: "+link veth0 type veth mac fe:54:00:00:00:03 mtu 1500 owner \"guest 2\"\n",
		bad: []host.Op{
			with(veth, func(o *host.AddVeth) { o.PeerMAC = host.MAC{} }),
			with(veth, func(o *host.AddVeth) { o.Peer = "" }),
			with(veth, func(o *host.AddVeth) { o.Namespace = "guest" }),
		},
		dangling: []host.Op{with(veth, func(o *host.AddVeth) { o.Namespace = "/nonexistent/namespace" })},
		foreign: [][]host.Op{
			{with(veth, func(o *host.AddVeth) { o.MAC = tap1.MAC })},
			{with(tap0, func(o *host.AddTap) { o.Link, o.MAC = veth.Link, veth.MAC })},
		},
	}, {
		name:   "Plug",
		before: []host.Op{br0, tap0},
		op:     host.Plug{Link: "tap0", Bridge: "br0", Isolated: true, NoLearning: true, NoFlood: true},
		changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner \"guest 1\"\n" +
			"+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 isolated learning off flood off owner \"guest 1\"\n",
		bad:      []host.Op{plug("tap0", "tap0"), plug("", "br0"), plug("tap0", "")},
		dangling: []host.Op{plug("tap0", "br9"), plug("tap9", "br0"), plug("tap0", "lo")},
		foreign:  [][]host.Op{{br0, br1, tap0, plug("tap0", "br1")}},
	}, {
		name:   "Reflect",
		before: []host.Op{br0, tap0, plug("tap0", "br0")},
		op:     host.Reflect{Link: "tap0"},
		changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 owner \"guest 1\"\n" +
			"+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 hairpin on owner \"guest 1\"\n",
		repeatable: true,
		bad:        []host.Op{host.Reflect{}},
		dangling:   []host.Op{host.Reflect{Link: "tap9"}, host.Reflect{Link: "br0"}},
		foreign:    [][]host.Op{{br0, tap0}},
	}, {
		name:   "SetPlug",
		before: []host.Op{br0, br1, tap0, host.Plug{Link: "tap0", Bridge: "br0", Isolated: true}},
		op:     host.SetPlug{Plug: host.Plug{Link: "tap0", Bridge: "br1", NoFlood: true}, Was: host.Plug{Link: "tap0", Bridge: "br0", Isolated: true}},
		changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 isolated owner \"guest 1\"\n" +
			"+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br1 flood off owner \"guest 1\"\n",
		bad: []host.Op{
			host.SetPlug{Plug: plug("tap0", "br0"), Was: plug("tap1", "br0")},
			host.SetPlug{Plug: plug("tap0", ""), Was: plug("tap0", "br0")},
			host.SetPlug{Plug: plug("tap0", "br0"), Was: plug("tap0", "tap0")},
		},
		dangling: []host.Op{
			host.SetPlug{Plug: plug("tap0", "br9"), Was: host.Plug{Link: "tap0", Bridge: "br0", Isolated: true}},
			host.SetPlug{Plug: plug("tap9", "br1"), Was: plug("tap9", "br0")},
		},
		repeatable: true,
		foreign:    [][]host.Op{{br0, br1, tap0}},
	}, {
		name:   "SetPlug of its flags",
		before: []host.Op{br0, tap0, host.Plug{Link: "tap0", Bridge: "br0", Isolated: true, NoLearning: true}},
		op: host.SetPlug{
			Plug: host.Plug{Link: "tap0", Bridge: "br0", NoFlood: true},
			Was:  host.Plug{Link: "tap0", Bridge: "br0", Isolated: true, NoLearning: true},
		},
		changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 isolated learning off owner \"guest 1\"\n" +
			"+link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 master br0 flood off owner \"guest 1\"\n",
		repeatable: true,
		dangling:   []host.Op{host.SetPlug{Plug: plug("tap9", "br0"), Was: plug("tap9", "br0")}},
	}, {
		name:   "SetUp",
		before: []host.Op{br0},
		op:     up("br0"),
		changes: "-link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 stp off delay 0 owner \"virtnet 1\"\n" +
			"+link br0 type bridge mac 52:54:00:00:00:01 mtu 1500 up stp off delay 0 owner \"virtnet 1\"\n",
		repeatable: true,
		bad:        []host.Op{up("")},
		dangling:   []host.Op{up("br9"), host.SetDown{Link: "br9"}},
	}, {
		name:       "SetMTU",
		before:     []host.Op{tap0},
		op:         host.SetMTU{Link: "tap0", MTU: 1400, Was: 1500},
		changes:    "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner \"guest 1\"\n+link tap0 type tap mac fe:54:00:00:00:01 mtu 1400 owner \"guest 1\"\n",
		repeatable: true,
		bad:        []host.Op{host.SetMTU{Link: "tap0", MTU: 1400}, host.SetMTU{Link: "tap0", MTU: 20, Was: 1500}},
		dangling:   []host.Op{host.SetMTU{Link: "tap9", MTU: 1400, Was: 1500}},
	}}
}

func addrCases() []opCase {
	return []opCase{{
		name:    "AddAddr",
		before:  []host.Op{br0, up("br0")},
		op:      gateway4,
		changes: "+addr 192.168.7.1/24 dev br0\n+route 192.168.7.0/24 dev br0\n",
		bad:     []host.Op{host.AddAddr{Link: "br0"}, host.AddAddr{Link: "br0", Prefix: netip.MustParsePrefix("::ffff:10.0.0.1/120")}},
		dangling: []host.Op{
			with(gateway4, func(o *host.AddAddr) { o.Link = "br9" }),
		},
		foreign: [][]host.Op{
			{br0, up("br0"), with(gateway4, func(o *host.AddAddr) { o.Prefix = netip.MustParsePrefix("192.168.7.1/25") })},
			{br0, br1, up("br0"), with(gateway4, func(o *host.AddAddr) { o.Link = "br1" })},
		},
	}, {
		name:    "AddAddr IPv6",
		before:  []host.Op{br0, up("br0")},
		op:      gateway6,
		changes: "+addr 2001:db8:7::1/64 dev br0\n+route 2001:db8:7::/64 dev br0 metric 256\n",
		foreign: [][]host.Op{
			{br0, up("br0"), with(gateway6, func(o *host.AddAddr) { o.Prefix = netip.MustParsePrefix("2001:db8:7::2/64") })},
		},
	}, {
		name:    "AddAddr on a link that is down",
		before:  []host.Op{br0},
		op:      gateway6,
		changes: "+addr 2001:db8:7::1/64 dev br0\n",
	}, {
		name:    "AddRoute",
		before:  []host.Op{br0, up("br0"), gateway4},
		op:      route4,
		changes: "+route 10.9.0.0/16 via 192.168.7.9 dev br0 metric 7\n",
		bad: []host.Op{
			with(route4, func(o *host.AddRoute) { o.Metric = 0 }),
			with(route4, func(o *host.AddRoute) { o.Gateway = route6.Gateway }),
			with(route4, func(o *host.AddRoute) { o.Dest = gateway4.Prefix }),
		},
		dangling: []host.Op{
			with(route4, func(o *host.AddRoute) { o.Link = "br9" }),
			with(route4, func(o *host.AddRoute) { o.Gateway = netip.MustParseAddr("172.16.0.1") }),
		},
		foreign: [][]host.Op{
			{br0, up("br0"), gateway4, with(route4, func(o *host.AddRoute) { o.Metric = 8 })},
			{br0, up("br0"), gateway4, with(route4, func(o *host.AddRoute) { o.Gateway = netip.MustParseAddr("192.168.7.8") })},
		},
	}, {
		name:    "AddRoute IPv6",
		before:  []host.Op{br0, up("br0"), gateway6},
		op:      route6,
		changes: "+route 2001:db8:9::/48 via 2001:db8:7::9 dev br0 metric 7\n",
		dangling: []host.Op{
			with(route6, func(o *host.AddRoute) { o.Gateway = netip.MustParseAddr("2001:db8:8::1") }),
		},
		foreign: [][]host.Op{
			{br0, up("br0"), gateway6, with(route6, func(o *host.AddRoute) { o.Gateway = netip.MustParseAddr("2001:db8:7::8") })},
		},
	}, {
		name:       "SetSysctl",
		before:     []host.Op{br0},
		op:         noRA,
		changes:    "-sysctl net/ipv6/conf/br0/accept_ra=1\n+sysctl net/ipv6/conf/br0/accept_ra=0\n",
		repeatable: true,
		bad: []host.Op{
			host.SetSysctl{Key: "net/ipv4/ip_forward", Value: "1", Was: "0"},
			host.SetSysctl{Key: "net/ipv6/conf/all/accept_ra", Value: "1", Was: "0"},
			host.SetSysctl{Key: "net/ipv6/conf/../accept_ra", Value: "1", Was: "0"},
			host.SetSysctl{Key: noRA.Key, Value: "1\n", Was: "0"},
		},
		dangling: []host.Op{
			host.SetSysctl{Key: "net/ipv6/conf/br0/no_such_parameter", Value: "1", Was: "0"},
			host.SetSysctl{Key: "net/ipv6/conf/br9/accept_ra", Value: "0", Was: "1"},
		},
	}}
}

func sharedCases() []opCase {
	return []opCase{{
		name: "EnableForwarding", op: host.EnableForwarding{}, changes: "+forwarding ipv4\n", repeatable: true,
	}, {
		name: "EnableForwarding IPv6", op: host.EnableForwarding{IPv6: true}, changes: "+forwarding ipv6\n", repeatable: true,
	}, {
		name: "DisableForwarding", before: []host.Op{host.EnableForwarding{}, host.EnableForwarding{IPv6: true}},
		op: host.DisableForwarding{}, changes: "-forwarding ipv4\n", repeatable: true,
	}, {
		name: "DisableForwarding IPv6", before: []host.Op{host.EnableForwarding{}, host.EnableForwarding{IPv6: true}},
		op: host.DisableForwarding{IPv6: true}, changes: "-forwarding ipv6\n", repeatable: true,
	}, {
		name:    "SetFilter",
		op:      host.SetFilter{Network: "n1", Filter: filter1},
		changes: lines("+", filter1.String()),
		bad: []host.Op{
			host.SetFilter{Network: "N/1", Filter: filter1},
			host.SetFilter{Network: "n2", Filter: filter1},
			host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0", To: []host.Rule{{}}}},
		},
		foreign: [][]host.Op{{host.SetFilter{Network: "n2", Filter: host.Filter{Network: "n2", Link: "br0", To: filter1.To}}}},
	}, {
		name:    "SetFilter with a DHCP server",
		op:      host.SetFilter{Network: "n1", Filter: filter3},
		changes: lines("+", filter3.String()),
		bad: []host.Op{
			host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0", DHCP: answers("192.168.7.1", "192.168.7.1")}},
			host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0", DHCP: answers("2001:db8::1")}},
			host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0", DHCP: answers("0.0.0.0")}},
		},
	}, {
		name:   "SetFilter with another DHCP server",
		before: []host.Op{host.SetFilter{Network: "n1", Filter: filter3}},
		op:     host.SetFilter{Network: "n1", Filter: filter4, Was: filter3},
		changes: `-filter n1 dhcp br0: meta oifkind "veth" ip saddr 192.168.7.1 udp sport 67 udp dport 68 udp checksum set 0
+filter n1 dhcp br0: meta oifkind "veth" ip saddr 192.168.9.1 udp sport 67 udp dport 68 udp checksum set 0
`,
		repeatable: true,
	}, {
		name:       "SetFilter in place of another",
		before:     []host.Op{host.SetFilter{Network: "n1", Filter: filter1}},
		op:         host.SetFilter{Network: "n1", Filter: filter2, Was: filter1},
		changes:    lines("-", filter1.String()) + lines("+", filter2.String()),
		repeatable: true,
	}, {
		name:    "Serve",
		before:  []host.Op{br0, gateway4, up("br0")},
		op:      serve,
		changes: "+server n1 on br0 dhcp 192.168.7.1/24 192.168.7.100-192.168.7.199 dns domain \"lab.example\"\n",
		bad: []host.Op{
			with(serve, func(o *host.Serve) { o.Server.Name = "../n1" }),
			with(serve, func(o *host.Serve) { o.Server.Link = "" }),
			with(serve, func(o *host.Serve) { o.Server.Domain = "two\nlines" }),
		},
		dangling: []host.Op{with(serve, func(o *host.Serve) { o.Server.Link = "br9" })},
		foreign:  [][]host.Op{{br0, gateway4, up("br0"), with(serve, func(o *host.Serve) { o.Server.Name = "n2" })}},
	}, {
		name:   "SetServer",
		before: []host.Op{br0, gateway4, up("br0"), serve},
		op:     host.SetServer{Server: served, Was: serve.Server},
		changes: "-server n1 on br0 dhcp 192.168.7.1/24 192.168.7.100-192.168.7.199 dns domain \"lab.example\"\n" +
			"+server n1 on br0 dhcp 192.168.7.1/24 192.168.7.100-192.168.7.199 hosts 1 domain \"other.example\"\n",
		repeatable: true,
		bad: []host.Op{
			host.SetServer{Server: served},
			host.SetServer{Server: served, Was: with(serve, func(o *host.Serve) { o.Server.Name = "n2" }).Server},
			host.SetServer{Server: with(serve, func(o *host.Serve) { o.Server.Domain = "two\nlines" }).Server, Was: serve.Server},
		},
		dangling: []host.Op{
			host.SetServer{Server: with(serve, func(o *host.Serve) { o.Server.Name = "n9" }).Server, Was: with(serve, func(o *host.Serve) { o.Server.Name = "n9" }).Server},
			host.SetServer{Server: with(serve, func(o *host.Serve) { o.Server.Link = "br9" }).Server, Was: serve.Server},
		},
		foreign: [][]host.Op{{br0, gateway4, up("br0"), with(serve, func(o *host.Serve) { o.Server.Name = "n2" })}},
	}}
}

// lines puts a sign before each line.
func lines(sign, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(sign + line)
	}
	return b.String()
}
