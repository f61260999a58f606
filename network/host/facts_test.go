// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/go-virtnet/virtnet/network/host"
)

// sortedFacts has something of everything, in order.
func sortedFacts() *host.Facts {
	return &host.Facts{
		Instance: "boot 1",
		Links: []host.Link{
			{Name: "br0", Kind: host.Bridge, MAC: mac1, MTU: 1400, Up: true, Owner: "virtnet 8f1c", STP: true, ForwardDelay: 200},
			{Name: "eth0", MTU: 1500},
			{Name: "eth8v1", MTU: 1500, Member: "bond0", PCI: host.PCI{Bus: 8, Slot: 2, Function: 1}},
			{Name: "mv0", Kind: host.Macvtap, MTU: 1500, Lower: "eth0", Mode: "passthru"},
			{Name: "tap0", Kind: host.Tap, MAC: mac2, MTU: 1500, Master: "br0", Isolated: true, NoLearning: true, NoFlood: true},
		},
		Addrs: []host.Addr{
			{Link: "br0", Prefix: prefix("10.0.0.1/24")},
			{Link: "br0", Prefix: prefix("10.0.0.1/25")},
			{Link: "br0", Prefix: prefix("2001:db8::1/64")},
			{Link: "eth0", Prefix: prefix("10.0.0.1/24")},
		},
		Routes: []host.Route{
			{Dest: prefix("10.9.0.0/16"), Link: "eth0", Table: 100},
			{Dest: prefix("0.0.0.0/0"), Gateway: addr("192.0.2.1"), Link: "eth0", Table: host.MainTable},
			{Dest: prefix("10.0.0.0/24"), Link: "br0", Table: host.MainTable},
			{Dest: prefix("10.0.0.0/24"), Link: "br0", Metric: 5, Table: host.MainTable},
			{Dest: prefix("10.0.0.0/24"), Link: "eth0", Metric: 5, Table: host.MainTable},
			{Dest: prefix("10.0.0.0/25"), Link: "br0", Table: host.MainTable},
			{Dest: prefix("2001:db8::/64"), Link: "br0", Metric: 256, Table: host.MainTable},
		},
		Sysctls:    []host.Sysctl{{Key: "net/ipv4/ip_forward", Value: "1"}, {Key: "net/ipv6/conf/br0/accept_ra", Value: "0"}},
		Forwarding: host.Forwarding{IPv4: true, IPv6: true, Blocked: []string{"eth0", "eth1"}},
		Filters:    []host.Filter{filter(), {Network: "9", Link: "br1", To: []host.Rule{{Do: host.Drop}}}},
		Zones: host.Zones{
			Possible: true, Running: true, Names: []string{"home", "work"}, Policies: []string{"a", "b"},
			Links: []host.ZonedLink{{Link: "br0", Zone: "work"}, {Link: "br1", Zone: "home"}},
		},
		Resolver: host.Resolver{Running: true, Links: []host.ResolverLink{
			{Link: "br0", Servers: []netip.Addr{addr("10.0.0.1")}, Domains: []string{"~lab.example", "short.example"}}, {Link: "eth0"},
		}},
		Shapes:  []host.Shape{shape("br0"), {Link: "tap0", Other: "half a qdisc"}},
		Classes: []host.Class{{Link: "br0", ID: 3, MAC: mac2, Rate: 100}, {Link: "br0", ID: 4, Rate: 1}, {Link: "br1", ID: 3, MAC: mac1, Rate: 5}},
		Filled:  []string{"br0", "br1"},
		Repairs: []host.Repair{host.Fill, host.Clear},
		Shaping: host.Shaping{Queues: []host.Queue{host.SFQ, host.BFIFO}, Means: []host.Means{host.Redirect}},
		Servers: []host.Server{server(), {Name: "9", Link: "br1"}},
		OVS:     host.OVS{Bridges: []string{"ovs0", "ovs1"}, Missing: "nobody answers"},
		OVSPorts: []host.OVSPort{
			ovsPort(), {Link: "tap1", Bridge: "ovs0", VLAN: host.OVSVLAN{Mode: host.Access, Tag: 7}, Other: "qos linux-sfq"},
		},
		Functions: []host.Function{
			{PCI: host.PCI{Bus: 3}, Driver: "igb", Link: "eth3"},
			{PCI: host.PCI{Bus: 8, Slot: 2, Function: 1}, PF: "eth8", Driver: "igbvf", Link: "eth8v1"},
			{PCI: host.PCI{Bus: 8, Slot: 2}, PF: "eth8", Index: 2},
		},
		Switches: []host.Switch{
			{Link: "eth0", Chassis: "rack 4", Port: "ge-0/0/1", Relay: host.RelayPossible, VDP: true},
			{Link: "eth1", Relay: host.RelayYes, Draft: true},
		},
		Libvirt: host.Libvirt{
			Daemon:   123,
			Networks: []host.LibvirtNetwork{{Name: "default", Definition: "<network/>"}, libvirtNetwork()},
			Servers:  []host.LibvirtServer{{Network: "default", Link: "virbr0"}, {Network: "my lab", Link: "br0", Command: []string{"dnsmasq", "--leasefile-ro"}}},
			Rules: []host.LibvirtRule{
				{Family: "ip", Table: "filter", Chain: "LIBVIRT_FWO", Text: `iifname "br0" ip saddr 10.0.0.0/24 accept`, Links: []string{"br0"}, Subnets: []netip.Prefix{prefix("10.0.0.0/24")}},
				{Family: "ip", Table: "filter", Chain: "LIBVIRT_FWO", Text: `iifname "br0" reject`, Links: []string{"br0"}},
				{Family: "ip", Table: "libvirt_network", Chain: "guest_nat", Text: `ip saddr 10.0.0.0/24 masquerade`, Subnets: []netip.Prefix{prefix("10.0.0.0/24")}},
			},
		},
		Associations: []host.Association{
			{VSI: host.VSI{Link: "eth0", Instance: host.UUID{15: 1}, Manager: 1, Type: 2, Version: 3, MAC: mac1, VLAN: 5}},
			{VSI: host.VSI{Link: "eth0", Instance: host.UUID{15: 2}, MAC: mac2}, Pre: true},
		},
		Guests: []host.GuestLink{
			{Namespace: "/run/netns/a", Link: host.Link{Name: "eth1", Kind: host.Macvlan, MAC: mac1, MTU: 1500, Lower: "eth0", Mode: "bridge", Owner: "guest"}},
			{Namespace: "/run/netns/b", Link: host.Link{Name: "eth0", Kind: host.Macvlan, MAC: mac2, MTU: 1500, Up: true, Lower: "eth1", Mode: "passthru"}},
		},
	}
}

func TestFactsString(t *testing.T) {
	golden(t, "facts.txt", sortedFacts().String())
	require.Empty(t, (&host.Facts{}).String())
}

func TestFactsSort(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f := sortedFacts()
		random.Shuffle(len(f.Links), func(i, j int) { f.Links[i], f.Links[j] = f.Links[j], f.Links[i] })
		random.Shuffle(len(f.Addrs), func(i, j int) { f.Addrs[i], f.Addrs[j] = f.Addrs[j], f.Addrs[i] })
		random.Shuffle(len(f.Routes), func(i, j int) { f.Routes[i], f.Routes[j] = f.Routes[j], f.Routes[i] })
		slices.Reverse(f.Sysctls)
		slices.Reverse(f.Forwarding.Blocked)
		slices.Reverse(f.Filters)
		slices.Reverse(f.Resolver.Links)
		slices.Reverse(f.Zones.Names)
		slices.Reverse(f.Zones.Policies)
		slices.Reverse(f.Zones.Links)
		slices.Reverse(f.Shapes)
		slices.Reverse(f.Classes)
		slices.Reverse(f.Filled)
		slices.Reverse(f.Servers)
		slices.Reverse(f.OVS.Bridges)
		slices.Reverse(f.OVSPorts)
		slices.Reverse(f.Functions)
		slices.Reverse(f.Switches)
		slices.Reverse(f.Libvirt.Networks)
		slices.Reverse(f.Libvirt.Servers)
		rules := f.Libvirt.Rules
		rules[0], rules[1], rules[2] = rules[2], rules[0], rules[1] // those of a chain keep their order
		slices.Reverse(f.Associations)
		slices.Reverse(f.Guests)
		f.Sort()
		require.Equal(t, sortedFacts(), f)
	}
}

func TestFactsAreFound(t *testing.T) {
	f := sortedFacts()
	require.Equal(t, "tap0", f.Link("tap0").Name)
	require.Nil(t, f.Link("tap1"))
	require.Equal(t, "br1", f.Filter("9").Link)
	require.True(t, f.Filter("7").IsZero())
	require.Equal(t, shape("br0"), f.Shape("br0"))
	require.True(t, f.Shape("br9").IsZero())
	require.Equal(t, host.Class{Link: "br0", ID: 3, MAC: mac2, Rate: 100}, f.Class("br0", 3))
	require.Zero(t, f.Class("br0", 5))
	require.Zero(t, f.Class("br9", 3))
	require.Equal(t, "ovs0", f.OVSPort("tap1").Bridge)
	require.Nil(t, f.OVSPort("tap9"))
	require.Equal(t, "my lab", f.Libvirt.Network("my lab").Name)
	require.Nil(t, f.Libvirt.Network("lab"))
	require.Equal(t, "br0", f.Libvirt.Server("my lab").Link)
	require.Nil(t, f.Libvirt.Server("lab"))
	require.Equal(t, "br1", f.Server("9").Link)
	require.Nil(t, f.Server("7"))
	require.Equal(t, mac2, f.Association("eth0", host.UUID{15: 2}).MAC)
	require.Zero(t, f.Association("eth1", host.UUID{15: 2}))
	require.Equal(t, host.RelayYes, f.Switch("eth1").Relay)
	require.Equal(t, host.Switch{Link: "eth9"}, f.Switch("eth9"))
	require.Equal(t, "home", f.Zones.Of("br1"))
	require.Empty(t, f.Zones.Of("br9"))
	require.True(t, f.Zones.Has("work"))
	require.False(t, f.Zones.Has("br1"))
	value, ok := f.Sysctl("net/ipv4/ip_forward")
	require.True(t, ok)
	require.Equal(t, "1", value)
	_, ok = f.Sysctl("net/ipv4/ip_default_ttl")
	require.False(t, ok)
	require.True(t, f.HasAddr("br0", prefix("10.0.0.1/25")))
	require.False(t, f.HasAddr("eth0", prefix("10.0.0.1/25")))
}

// TestRulesAboutANetwork finds those that name its bridge and those that only name its subnet.
func TestRulesAboutANetwork(t *testing.T) {
	rules := sortedFacts().Libvirt.Rules
	for _, c := range []struct {
		link    string
		subnets []netip.Prefix
		want    []bool
	}{
		{"br0", nil, []bool{true, true, false}},
		{"br9", []netip.Prefix{prefix("10.0.0.0/24")}, []bool{true, false, true}},
		{"br0", []netip.Prefix{prefix("10.0.0.0/24")}, []bool{true, true, true}},
		{"br", []netip.Prefix{prefix("10.0.0.0/25"), prefix("10.0.0.0/23")}, []bool{false, false, false}},
	} {
		for i := range rules {
			require.Equal(t, c.want[i], rules[i].About(c.link, c.subnets), "%s %v: %s", c.link, c.subnets, rules[i].Text)
		}
		op := host.DropRules{Link: c.link, Subnets: c.subnets}
		require.Equal(t, !slices.Contains(c.want, true), op.Holds(sortedFacts()))
	}
}
