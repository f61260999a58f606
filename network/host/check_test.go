// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"io/fs"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// TestChecks refuses each operation for each reason. Its inverse is refused as well.
func TestChecks(t *testing.T) {
	bridge := host.AddBridge{Link: "br0", MAC: mac1}
	tap := host.AddTap{Link: "tap0", MAC: mac2}
	mactap := host.AddMacvtap{Link: "mv0", Lower: "eth0", Mode: "vepa", MAC: mac2}
	macvlan := host.AddMacvlan{Link: "eth0", Lower: "eth0", Namespace: "/run/netns/guest", Mode: "vepa", MAC: mac2}
	veth := host.AddVeth{Link: "veth0", MAC: mac2, Peer: "eth0", PeerMAC: mac1, Namespace: "/run/netns/guest"}
	route := host.AddRoute{Dest: prefix("10.1.0.0/16"), Gateway: addr("10.0.0.9"), Link: "br0", Metric: 1}
	multicast := host.MAC{1, 0, 0x5e}
	rule := func(nat bool, r host.Rule) host.SetFilter {
		f := host.Filter{Network: "n1", Link: "br0", From: []host.Rule{r}}
		if nat {
			f.From, f.NAT = nil, f.From
		}
		return host.SetFilter{Network: "n1", Filter: f}
	}
	serve := func(change func(*host.Server)) host.Serve {
		o := host.Serve{Server: server()}
		change(&o.Server)
		return o
	}
	shaped := func(change func(*host.Shape)) host.SetShape {
		o := host.SetShape{Link: "br0", Shape: shape("br0")}
		change(&o.Shape)
		return o
	}
	port := func(change func(*host.OVSPort)) host.AddOVSPort {
		p := ovsPort()
		change(&p)
		return host.AddOVSPort(p)
	}
	class := host.AddClass{Link: "br0", ID: 3, MAC: mac1, Rate: 7}
	ports := host.PortRange{From: 1024, To: 2048}
	public := host.AddrRange{From: addr("192.0.2.1"), To: addr("192.0.2.1")}
	for _, c := range []struct {
		op   host.Op
		want string
	}{
		{change(bridge, func(o *host.AddBridge) { o.MAC = host.MAC{} }), "bridge br0: hardware address 00:00:00:00:00:00"},
		{change(bridge, func(o *host.AddBridge) { o.MAC = multicast }), "bridge br0: hardware address 01:00:5e:00:00:00"},
		{change(bridge, func(o *host.AddBridge) { o.STP = true }), "bridge br0: forward delay 0 with stp on"},
		{change(bridge, func(o *host.AddBridge) { o.STP, o.ForwardDelay = true, 3001 }), "bridge br0: forward delay 3001 with stp on"},
		{change(bridge, func(o *host.AddBridge) { o.ForwardDelay = -1 }), "bridge br0: forward delay -1 with stp off"},
		{change(bridge, func(o *host.AddBridge) { o.Link = "" }), "device name is empty"},
		{change(bridge, func(o *host.AddBridge) { o.MTU = 67 }), "mtu 67 is not between 68 and 65535"},
		{change(bridge, func(o *host.AddBridge) { o.Owner = "a\x00" }), `owner "a\x00"`},
		{change(bridge, func(o *host.AddBridge) { o.Owner = "a\xff" }), `owner "a\xff"`},
		{change(bridge, func(o *host.AddBridge) { o.Owner = strings.Repeat("x", 256) }), `owner "` + strings.Repeat("x", 256) + `"`},
		{change(tap, func(o *host.AddTap) { o.MAC = host.MAC{} }), "tap tap0: hardware address 00:00:00:00:00:00"},
		{change(tap, func(o *host.AddTap) { o.Queues = 257 }), "tap tap0: 257 queues, at most 256 are allowed"},
		{change(tap, func(o *host.AddTap) { o.Queues = -1 }), "tap tap0: -1 queues, at most 256 are allowed"},
		{change(tap, func(o *host.AddTap) { o.Link = "t/0" }), `device name "t/0" has the character '/'`},
		{change(mactap, func(o *host.AddMacvtap) { o.MAC = multicast }), "macvtap mv0: hardware address 01:00:5e:00:00:00"},
		{change(mactap, func(o *host.AddMacvtap) { o.Mode = "source" }), `macvtap mv0: mode "source" is none of [private vepa bridge passthru]`},
		{change(mactap, func(o *host.AddMacvtap) { o.Mode = host.Passthru }), "macvtap mv0: hardware address of eth0 was 00:00:00:00:00:00 in mode passthru"},
		{change(mactap, func(o *host.AddMacvtap) { o.Was = mac1 }), "macvtap mv0: hardware address of eth0 was 52:54:00:ab:cd:ef in mode vepa"},
		{change(mactap, func(o *host.AddMacvtap) { o.Lower = "mv0" }), "macvtap mv0 on itself"},
		{change(mactap, func(o *host.AddMacvtap) { o.Queues = 257 }), "macvtap mv0: 257 queues, at most 256 are allowed"},
		{change(mactap, func(o *host.AddMacvtap) { o.Lower = "" }), "device name is empty"},
		{change(macvlan, func(o *host.AddMacvlan) { o.MAC = multicast }), "macvlan eth0: hardware address 01:00:5e:00:00:00"},
		{change(macvlan, func(o *host.AddMacvlan) { o.Mode = "source" }), `macvlan eth0: mode "source" is none of [private vepa bridge passthru]`},
		{change(macvlan, func(o *host.AddMacvlan) { o.Was = mac1 }), "macvlan eth0: hardware address of eth0 was 52:54:00:ab:cd:ef in mode vepa"},
		{change(macvlan, func(o *host.AddMacvlan) { o.NoPromisc = true }), "macvlan eth0: nopromisc in mode vepa"},
		{change(macvlan, func(o *host.AddMacvlan) { o.Namespace = "guest" }), `macvlan eth0: namespace "guest" is not an absolute path`},
		{change(veth, func(o *host.AddVeth) { o.PeerMAC = multicast }), "veth veth0: hardware address 01:00:5e:00:00:00"},
		{change(veth, func(o *host.AddVeth) { o.Namespace = "guest" }), `veth veth0: namespace "guest" is not an absolute path`},
		{change(veth, func(o *host.AddVeth) { o.Namespace = "/run/../x" }), `veth veth0: namespace "/run/../x" is not an absolute path`},
		{change(veth, func(o *host.AddVeth) { o.Namespace = "/\xff" }), `veth veth0: namespace "/\xff" is not an absolute path`},
		{change(veth, func(o *host.AddVeth) { o.Peer = "." }), `device name "."`},
		{host.Plug{Link: "br0", Bridge: "br0"}, "link br0 as a port of itself"},
		{host.Plug{Link: "tap0"}, "device name is empty"},
		{host.SetUp{}, "device name is empty"},
		{host.SetMTU{Link: "br0", MTU: 1500}, "mtu of br0 is 1500 (was 0)"},
		{host.SetMTU{Link: "br0", MTU: 1500, Was: 65536}, "mtu 65536 is not between 68 and 65535"},
		{host.AddAddr{Link: "br0"}, "address invalid Prefix of br0"},
		{host.AddAddr{Link: "br0", Prefix: prefix("0.0.0.0/0")}, "address 0.0.0.0/0 of br0"},
		{host.AddAddr{Link: "br0", Prefix: prefix("224.0.0.1/24")}, "address 224.0.0.1/24 of br0"},
		{host.AddAddr{Link: "br0", Prefix: prefix("::ffff:10.0.0.1/120")}, "address ::ffff:10.0.0.1/120 of br0"},
		{host.AddAddr{Prefix: prefix("10.0.0.1/24")}, "device name is empty"},
		{change(route, func(o *host.AddRoute) { o.Dest = prefix("10.1.0.1/16") }), "route to 10.1.0.1/16: not a network"},
		{change(route, func(o *host.AddRoute) { o.Dest = netip.Prefix{} }), "route to invalid Prefix: not a network"},
		{change(route, func(o *host.AddRoute) { o.Gateway = addr("2001:db8::1") }), "route to 10.1.0.0/16: gateway 2001:db8::1"},
		{change(route, func(o *host.AddRoute) { o.Gateway = netip.Addr{} }), "route to 10.1.0.0/16: gateway invalid IP"},
		{change(route, func(o *host.AddRoute) { o.Metric = 0 }), "route to 10.1.0.0/16: metric 0"},
		{host.SetSysctl{Key: "net/ipv4/ip_forward", Value: "1", Was: "0"}, `kernel parameter "net/ipv4/ip_forward" is not one of a link`},
		{host.SetSysctl{Key: "net/ipv6/conf/all/forwarding", Value: "1", Was: "0"}, `kernel parameter "net/ipv6/conf/all/forwarding" is not one of a link`},
		{host.SetSysctl{Key: "net/ipv6/neigh/br0/x", Value: "1", Was: "0"}, `kernel parameter "net/ipv6/neigh/br0/x" is not one of a link`},
		{host.SetSysctl{Key: "net/ipv6/conf/br0/..", Value: "1", Was: "0"}, `kernel parameter net/ipv6/conf/br0/..="1" (was "0")`},
		{host.SetSysctl{Key: "net/ipv6/conf/br0/x", Value: "1"}, `kernel parameter net/ipv6/conf/br0/x="1" (was "")`},
		{host.SetSysctl{Key: "net/ipv6/conf/br0/x", Value: "1\n2", Was: "0"}, `kernel parameter net/ipv6/conf/br0/x="1\n2" (was "0")`},
		{host.SetFilter{Network: "A"}, `identity "A"`},
		{host.SetFilter{Network: "n2", Filter: filter()}, `filter of "8f1c" for "n2"`},
		{rule(false, host.Rule{}), "rule counter : no verdict"},
		{rule(false, host.Rule{Family: 9, Do: host.Drop}), "rule meta nfproto any counter drop: family 9"},
		{rule(false, host.Rule{Src: prefix("10.0.0.1/24"), Do: host.Drop}), "rule ip saddr 10.0.0.1/24 counter drop: 10.0.0.1/24 is not a network"},
		{rule(false, host.Rule{Src: prefix("10.0.0.0/24"), Dst: prefix("2001:db8::/64"), Do: host.Drop}), "rule ip saddr 10.0.0.0/24 ip6 daddr 2001:db8::/64 counter drop: two families"},
		{rule(false, host.Rule{In: "a b", Do: host.Drop}), `device name "a b" has the character ' '`},
		{rule(false, host.Rule{Do: host.Masquerade}), "rule counter masquerade: only address translation can do that"},
		{rule(true, host.Rule{Do: host.Drop}), "rule counter drop: not a verdict of address translation"},
		{rule(true, host.Rule{Do: host.SNAT}), "rule counter snat: addresses"},
		{rule(true, host.Rule{Do: host.SNAT, Addrs: host.AddrRange{From: addr("192.0.2.9"), To: addr("192.0.2.1")}}), "rule counter snat ip to 192.0.2.9-192.0.2.1: addresses"},
		{rule(true, host.Rule{Do: host.Masquerade, Addrs: public}), "rule counter masquerade ip to 192.0.2.1: addresses"},
		{rule(true, host.Rule{Do: host.Masquerade, Ports: ports}), "rule counter masquerade to :1024-2048: ports"},
		{rule(true, host.Rule{Proto: host.TCP, Do: host.Return, Ports: ports}), "rule meta l4proto tcp counter return to :1024-2048: ports"},
		{rule(false, host.Rule{Proto: host.TCP, Do: host.Drop, Ports: ports}), "rule meta l4proto tcp counter drop to :1024-2048: ports"},
		{shaped(func(s *host.Shape) { s.Link = "br1" }), `shape of link "br1" for "br0"`},
		{shaped(func(s *host.Shape) { s.Other = "x" }), `shape ` + change(shape("br0"), func(s *host.Shape) { s.Other = "x" }).String()},
		{shaped(func(s *host.Shape) { s.Egress, s.Ingress = host.Limit{}, host.Limit{} }), "shape br0 queue fq_codel"},
		{shaped(func(s *host.Shape) { s.Means = "" }), `shape ` + change(shape("br0"), func(s *host.Shape) { s.Means = "" }).String() + `: means ""`},
		{shaped(func(s *host.Shape) { s.Means, s.Ingress = host.Throttle, host.NewLimit(128, 0, 100) }), "shape br0 egress rate 1000kbps ceil 5000kbps burst 1024kb ingress rate 128kbps ceil 128kbps burst 100kb by nft queue fq_codel: its burst is not what a second brings, or more"},
		{shaped(func(s *host.Shape) { s.Means = "magic" }), `shape ` + change(shape("br0"), func(s *host.Shape) { s.Means = "magic" }).String() + `: means "magic"`},
		{shaped(func(s *host.Shape) { s.Means = host.Police }), `shape ` + change(shape("br0"), func(s *host.Shape) { s.Means = host.Police }).String() + ": policing has no ceiling above the rate"},
		{shaped(func(s *host.Shape) { s.Queue = "" }), `shape ` + change(shape("br0"), func(s *host.Shape) { s.Queue = "" }).String() + `: queue ""`},
		{shaped(func(s *host.Shape) { s.Egress.Rate = 0 }), "rate of 0 kB/s up to 5000 kB/s: not between 1 and 18014398509481984, and the second not below the first"},
		{shaped(func(s *host.Shape) { s.Egress.Ceil = 999 }), "rate of 1000 kB/s up to 999 kB/s: not between 1 and 18014398509481984, and the second not below the first"},
		{shaped(func(s *host.Shape) { s.Ingress.Ceil = host.MaxRate + 1 }), "rate of 128 kB/s up to 18014398509481985 kB/s: not between 1 and 18014398509481984, and the second not below the first"},
		{shaped(func(s *host.Shape) { s.Egress.Burst = 0 }), "burst of 0 KiB is not between 1 and 4194303"},
		{shaped(func(s *host.Shape) { s.Egress.Burst = host.MaxBurst + 1 }), "burst of 4194304 KiB is not between 1 and 4194303"},
		{shaped(func(s *host.Shape) { s.Ingress.Burst = 34250 + 1 }), "burst of 34251 KiB takes more than 274 seconds at 128 kB/s"},
		{host.SetShape{Link: "br0"}, "shape of br0: none in place of none"},
		{host.SetShape{Link: "br 0", Shape: shape("br 0")}, `device name "br 0" has the character ' '`},
		{change(class, func(o *host.AddClass) { o.ID = 2 }), "class 2 of br0: the lowest is 3"},
		{change(class, func(o *host.AddClass) { o.MAC = multicast }), "class 3 of br0: hardware address 01:00:5e:00:00:00"},
		{change(class, func(o *host.AddClass) { o.Rate = 0 }), "class 3 of br0: rate of 0 kB/s is not between 1 and 18014398509481984"},
		{change(class, func(o *host.AddClass) { o.Rate = host.MaxRate + 1 }), "class 3 of br0: rate of 18014398509481985 kB/s is not between 1 and 18014398509481984"},
		{change(class, func(o *host.AddClass) { o.Link = "" }), "device name is empty"},
		{port(func(p *host.OVSPort) { p.Bridge = p.Link }), "link tap0 as a port of itself"},
		{port(func(p *host.OVSPort) { p.Owner = "" }), "port tap0 has no owner"},
		{port(func(p *host.OVSPort) { p.Other = "qos linux-sfq" }), "port tap0: qos linux-sfq"},
		{port(func(p *host.OVSPort) { p.MAC = multicast }), "port tap0: hardware address 01:00:5e:00:00:00"},
		{port(func(p *host.OVSPort) { p.Ingress.Ceil++ }), "port tap0: policing has no ceiling above the rate"},
		{port(func(p *host.OVSPort) { p.Egress.Ceil = host.MaxOVSRate + 1 }), "port tap0: a rate above the 536870911 kB/s of Open vSwitch"},
		{port(func(p *host.OVSPort) { p.Profile = "a\n" }), `port tap0: identity "a\n"`},
		{port(func(p *host.OVSPort) { p.Bridge = "" }), "device name is empty"},
		{port(func(p *host.OVSPort) { p.VLAN.Mode = "dot1q-tunnel" }), `vlan mode "dot1q-tunnel"`},
		{port(func(p *host.OVSPort) { p.VLAN.Tag = 4095 }), "vlan 4095 is not between 1 and 4094"},
		{port(func(p *host.OVSPort) { p.VLAN.Trunks = []uint16{4095} }), "vlan 4095 is not between 0 and 4094"},
		{port(func(p *host.OVSPort) { p.VLAN.Trunks = []uint16{7, 7} }), "vlans [7 7] are not in ascending order"},
		{port(func(p *host.OVSPort) { p.VLAN = host.OVSVLAN{Mode: host.Access} }), `vlan "vlan_mode=access" has tags of another mode`},
		{port(func(p *host.OVSPort) { p.VLAN.Mode = host.Trunk }), `vlan "vlan_mode=trunk tag=20 trunks=0,20,4094" has tags of another mode`},
		{host.SetOVSPort{Port: ovsPort(), Was: host.OVSPort{Link: "tap0", Bridge: "ovs0", Owner: "another", MAC: mac1}}, `port tap0 of "guest 1" in place of tap0 of "another"`},
		{host.SetClass{Class: host.Class(class), Was: host.Class{Link: "br0", ID: 4, MAC: mac1, Rate: 9}}, "class 3 of br0 in place of class 4 of br0"},
		{host.SetClass{Class: host.Class(class), Was: host.Class{Link: "br0", ID: 3, Rate: 9}}, "class 3 of br0: hardware address 00:00:00:00:00:00"},
		{serve(func(s *host.Server) { s.Name = "" }), `identity ""`},
		{serve(func(s *host.Server) { s.Link = "" }), "device name is empty"},
		{serve(func(s *host.Server) { s.MTU = 1 }), "mtu 1 is not between 68 and 65535"},
		{serve(func(s *host.Server) { s.Options = []string{"a\nb"} }), `server on br0: control character in "a\nb"`},
		{serve(func(s *host.Server) { s.Domain = "a\xff" }), `server on br0: control character in "a\xff"`},
		{serve(func(s *host.Server) { s.DNS.Forwarders[0].Domain = "\x00" }), `server on br0: control character in "\x00"`},
		{serve(func(s *host.Server) { s.DNS.Hosts[0].Names[1] = "\r" }), `server on br0: control character in "\r"`},
		{serve(func(s *host.Server) { s.DNS.TXT[0].Value = "\t" }), `server on br0: control character in "\t"`},
		{serve(func(s *host.Server) { s.DNS.SRV[0].Target = "\x7f" }), `server on br0: control character in "\x7f"`},
		{serve(func(s *host.Server) { s.Subnets[0].TFTPRoot = "\n" }), `server on br0: control character in "\n"`},
		{serve(func(s *host.Server) { s.Subnets[0].Hosts[0].Name = "\n" }), `server on br0: control character in "\n"`},
		{serve(func(s *host.Server) { s.Subnets[0].Prefix = netip.Prefix{} }), "subnet invalid Prefix"},
		{serve(func(s *host.Server) { s.Subnets[0].Ranges[0].End = addr("10.0.1.1") }), "range 10.0.0.10 to 10.0.1.1 in 10.0.0.0/24"},
		{serve(func(s *host.Server) { s.Subnets[0].Ranges[0].End = addr("10.0.0.9") }), "range 10.0.0.10 to 10.0.0.9 in 10.0.0.0/24"},
		{serve(func(s *host.Server) { s.Subnets[0].Hosts[0].Addr = addr("2001:db8::9") }), "host 2001:db8::9 in 10.0.0.0/24"},
		{serve(func(s *host.Server) { s.Subnets[0].Hosts[0] = host.StaticHost{Addr: addr("10.0.0.9")} }), "host 10.0.0.9 has nothing to be known by"},
		{host.Register{Link: "br0", Server: public.From}, `domain "" of br0`},
		{host.Register{Link: "br0", Domain: "~x", Server: public.From}, `domain "~x" of br0`},
		{host.Register{Link: "br0", Domain: "x"}, "name server invalid IP of br0"},
		{host.Register{Domain: "x", Server: public.From}, "device name is empty"},
		{host.SetZone{Link: "br0", Optional: true}, "link br0 without a zone"},
		{host.SetZone{Link: "br0", Zone: "my home"}, `zone "my home"`},
		{host.SetZone{Link: "br 0", Zone: "home"}, `device name "br 0" has the character ' '`},
	} {
		t.Run(reflect.TypeOf(c.op).Name()+"/"+c.want, func(t *testing.T) {
			require.EqualError(t, c.op.Check(), c.want+": invalid argument")
			require.ErrorIs(t, c.op.Check(), fs.ErrInvalid)
			require.Error(t, c.op.Inverse().Check())
		})
	}
}

// change is a copy of an operation with a change.
func change[T any](op T, f func(*T)) T {
	f(&op)
	return op
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "br0", "virbr-web.100", strings.Repeat("x", host.MaxName), "...", "@", "eth0'"} {
		require.NoError(t, host.CheckName(name), name)
	}
	for name, want := range map[string]string{
		"":                                  "device name is empty",
		strings.Repeat("x", host.MaxName+1): `device name "xxxxxxxxxxxxxxxx" has 16 bytes, at most 15 are allowed`,
		".":                                 `device name "."`,
		"..":                                `device name ".."`,
		"a/b":                               `device name "a/b" has the character '/'`,
		"a:b":                               `device name "a:b" has the character ':'`,
		"tap%d":                             `device name "tap%d" has the character '%'`,
		"a b":                               `device name "a b" has the character ' '`,
		"a\n":                               `device name "a\n" has the character '\n'`,
		"ä":                                 `device name "ä" has the character 'Ã'`,
		`a"`:                                `device name "a\"" has the character '"'`,
		`a\`:                                `device name "a\\" has the character '\\'`,
	} {
		err := host.CheckName(name)
		require.EqualError(t, err, want+": invalid argument")
		require.ErrorIs(t, err, fs.ErrInvalid)
	}
}

func TestCheckID(t *testing.T) {
	for _, id := range []string{"a", "0", "n-1", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", strings.Repeat("x", 64)} {
		require.NoError(t, host.CheckID(id), id)
	}
	for _, id := range []string{"", "-a", "A", "a_b", "../a", "a/b", "a.b", "a b", "ä", strings.Repeat("x", 65)} {
		require.ErrorIs(t, host.CheckID(id), fs.ErrInvalid, id)
	}
}
