// SPDX-License-Identifier: Apache-2.0

package host_test

import (
	"net/netip"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

var (
	addr   = netip.MustParseAddr
	prefix = netip.MustParsePrefix
	mac1   = host.MAC{0x52, 0x54, 0, 0xab, 0xcd, 0xef}
	mac2   = host.MAC{0xfe, 0x54, 0, 0, 0, 2}
)

// filter has a rule of every form.
func filter() host.Filter {
	return host.Filter{
		Network: "8f1c", Link: "br0",
		From: []host.Rule{
			{In: "br0", Out: "eth0", Src: prefix("10.0.0.0/24"), Do: host.Return},
			{Family: host.IPv6, Proto: host.UDP, Do: host.Drop},
		},
		To: []host.Rule{{Dst: prefix("2001:db8::/64"), Established: true, Do: host.Return}, {Do: host.Reject}},
		NAT: []host.Rule{
			{Src: prefix("10.0.0.0/24"), NotDst: prefix("10.0.0.0/24"), Proto: host.TCP, Do: host.Masquerade, Ports: host.PortRange{From: 1024, To: 65535}},
			{Proto: host.UDP, Do: host.SNAT, Addrs: host.AddrRange{From: addr("192.0.2.1"), To: addr("192.0.2.9")}, Ports: host.PortRange{From: 1, To: 1}},
		},
		DHCP: []netip.Addr{addr("10.0.0.1"), addr("10.0.1.1")},
	}
}

// shape has both directions.
func shape(link string) host.Shape {
	return host.Shape{
		Link: link, Egress: host.NewLimit(1000, 5000, 1024), Ingress: host.NewLimit(128, 256, 256), Queue: host.FQCoDel, Means: host.Redirect,
	}
}

// server has every field set.
func server() host.Server {
	return host.Server{
		Name: "8f1c", Link: "br0", Domain: "lab.example", LocalDomain: true, NoRouter: true, MTU: 1400,
		DNS: &host.DNS{
			NoForward: true, KeepPlainNames: true,
			Forwarders: []host.Forwarder{{Domain: "corp.example", Addr: addr("192.0.2.53")}, {Addr: addr("2001:db8::53")}, {Domain: "local"}},
			LocalZones: []netip.Prefix{prefix("10.0.0.0/24")},
			Hosts:      []host.NameRecord{{Addr: addr("10.0.0.9"), Names: []string{"nine", "neuf"}}},
			TXT:        []host.TXTRecord{{Name: "t", Value: `a "quoted" <word>`}},
			SRV:        []host.SRVRecord{{Service: "ldap", Protocol: "tcp", Domain: "d", Target: "t", Port: 389, Priority: 1, Weight: 5}, {Service: "none", Protocol: "udp"}},
		},
		Subnets: []host.Subnet{{
			Prefix:   prefix("10.0.0.1/24"),
			Ranges:   []host.Range{{Start: addr("10.0.0.10"), End: addr("10.0.0.20"), Lease: host.LeaseTime(time.Hour)}},
			Hosts:    []host.StaticHost{{MAC: mac1, Name: "a", Addr: addr("10.0.0.5"), Lease: host.Infinite}, {Name: "b", Addr: addr("10.0.0.6")}},
			BootFile: "pxe.0", BootServer: addr("10.0.0.2"), TFTPRoot: "/srv/tftp",
		}, {
			Prefix: prefix("2001:db8::1/64"),
			Hosts:  []host.StaticHost{{DUID: "00:01:02", Addr: addr("2001:db8::5")}},
		}},
		Options: []string{"log-queries"},
	}
}

// vf has every field set.
func vf() host.VF {
	return host.VF{
		MAC: mac1, VLAN: 42, QoS: 3, Proto: host.ServiceTag, Trust: host.On, SpoofCheck: host.Off, State: host.StateDown, MinRate: 10, MaxRate: 500,
	}
}

// ovsPort has every field set.
func ovsPort() host.OVSPort {
	return host.OVSPort{
		Link: "tap0", Bridge: "ovs0", Owner: "guest 1", MAC: mac1, InterfaceID: "09b11c53", GuestID: "8f1c", Profile: "red hat",
		VLAN:   host.OVSVLAN{Mode: host.NativeUntagged, Tag: 20, Trunks: []uint16{0, 20, host.MaxVLAN}},
		Egress: host.NewLimit(1000, 5000, 1024), Ingress: host.NewLimit(128, 0, 256),
	}
}

// libvirtNetwork has every field set.
func libvirtNetwork() host.LibvirtNetwork {
	return host.LibvirtNetwork{
		Name: "my lab", Status: "<networkstatus/>", Definition: "<network/>", Autostart: true,
		Ports: []host.LibvirtPort{{ID: "8f1c", Text: "<networkport/>"}},
	}
}

// samples has an operation of every type, with every field set.
func samples() []host.Op {
	user, group := uint32(0), uint32(107)
	bridge := host.AddBridge{Link: "br0", MAC: mac1, Owner: "virtnet 8f1c", MTU: 1400, STP: true, ForwardDelay: 200, VLANFiltering: true}
	tap := host.AddTap{Link: "tap0", MAC: mac2, Owner: "guest <1>", MTU: 1400, Queues: 4, VnetHdr: true, User: &user, Group: &group}
	veth := host.AddVeth{Link: "veth0", MAC: mac2, Owner: "guest ü", MTU: 1400, Peer: "eth0", PeerMAC: mac1, Namespace: "/run/netns/guest"}
	mactap := host.AddMacvtap{
		Link: "macvtap0", Lower: "eth0", Mode: host.Passthru, MAC: mac2, Owner: "guest", MTU: 1400, Queues: 4, VnetHdr: true, Was: mac1,
	}
	macvlan := host.AddMacvlan{
		Link: "eth0", Lower: "eth0", Namespace: "/run/netns/guest", Mode: host.Passthru, MAC: mac2, Owner: "guest", MTU: 1400, NoPromisc: true, Was: mac1,
	}
	plug := host.Plug{Link: "tap0", Bridge: "br0", Isolated: true, NoLearning: true, NoFlood: true, Station: mac1, VLANs: host.NewVLANs(5, true, 7, 8)}
	address := host.AddAddr{Link: "br0", Prefix: prefix("10.0.0.1/24")}
	route := host.AddRoute{Dest: prefix("2001:db8:1::/48"), Gateway: addr("2001:db8::9"), Link: "br0", Metric: 1<<32 - 1}
	class := host.Class{Link: "br0", ID: 0xffff, MAC: mac1, Rate: host.MaxRate, BPF: true}
	shaped := shape("br0")
	shaped.BPF = true
	profile := host.AddProfile{Profile: host.Profile{Link: "eth0", VF: 3, Name: "web", Guest: host.UUID{15: 7}}, MAC: mac1}
	associate := host.Associate{Pre: true, VSI: host.VSI{
		Link: "eth0", Instance: host.UUID{9, 0xb1, 0x1c, 15: 0x4f}, Manager: 11, Type: 1193047, Version: 2, MAC: mac1, VLAN: 5,
	}}
	serve := host.Serve{Server: server(), Leases: []host.Lease{
		{Addr: addr("10.0.0.11"), MAC: mac1, Hostname: "h", ClientID: "01:02", Expires: time.Unix(1700000000, 0).UTC()},
		{Addr: addr("2001:db8::11"), ClientID: "00:03", IAID: 7, Temporary: true},
	}}
	take := host.TakeServer{Server: server(), Was: host.LibvirtServer{Network: "my lab", Link: "br0", Command: []string{"dnsmasq", "--leasefile-ro"}}}
	register := host.Register{Link: "br0", Domain: "lab.example", Server: addr("10.0.0.1")}
	return []host.Op{
		bridge, host.DelBridge(bridge), tap, host.DelTap(tap), veth, host.DelVeth(veth), mactap, host.DelMacvtap(mactap), host.Raise{Link: "eth0"},
		macvlan, host.DelMacvlan(macvlan), host.FilterVLANs{Link: "br0"},
		host.SetReceive{
			Link: "macvtap0", Was: host.Receive{Link: "macvtap0", MAC: mac2},
			Receive: host.Receive{Link: "macvtap0", MAC: mac1, Promiscuous: true, AllMulticast: true, Groups: []host.MAC{{1, 0, 0x5e, 0, 0, 5}, {0x33, 0x33, 0, 0, 0, 9}}},
		}, plug, host.Unplug(plug),
		host.Reflect{Link: "tap0"}, host.Unreflect{Link: "tap0"},
		host.SetUp{Link: "br0"}, host.SetDown{Link: "br0"}, host.SetMTU{Link: "br0", MTU: 1400, Was: 1500},
		address, host.DelAddr(address), route, host.DelRoute(route),
		host.SetSysctl{Key: "net/ipv6/conf/br0/accept_ra", Value: "0", Was: "1"},
		host.EnableForwarding{IPv6: true}, host.DisableForwarding{},
		host.SetFilter{Network: "8f1c", Filter: filter(), Was: host.Filter{Network: "8f1c", Link: "br0"}},
		host.SetZone{Link: "br0", Zone: "home", Was: "work"},
		register, host.Unregister(register),
		host.SetShape{Link: "br0", Shape: shaped, Was: host.Shape{Link: "br0", Egress: host.NewLimit(1, 0, 0), Queue: host.BFIFO}},
		host.AddClass(class), host.DelClass(class), host.SetClass{Class: class, Was: host.Class{Link: "br0", ID: 0xffff, MAC: mac2, Rate: 7}},
		host.FillChecksums{Link: "br0"}, host.UnfillChecksums{Link: "br0"},
		associate, host.Disassociate(associate), profile, host.DelProfile(profile),
		serve, host.Unserve(serve), host.SetServer{Server: serve.Server, Was: host.Server{Name: serve.Server.Name, Link: "br0", Options: []string{"port=0"}}},
		host.SetBridge{Bridge: bridge, Was: host.AddBridge{Link: "br0", MAC: host.MAC{2, 1}, Owner: "virtnet 8f1c"}},
		host.SetPlug{Plug: plug, Was: host.Plug{Link: plug.Link, Bridge: "br1", Isolated: true}},
		host.SetFunction{
			PCI: host.PCI{Bus: 1, Slot: 16}, Generation: 1 << 40, PF: "eth8", Index: 3, VF: vf(), Was: host.VF{MAC: host.MAC{2, 1}, Trust: host.Off, SpoofCheck: host.On},
			Restart: host.Driver{Name: "igbvf", Override: "igbvf*", Link: "eth8v3", MAC: vf().MAC, MTU: 1400, Up: true},
		},
		host.SetDriver{
			PCI: host.PCI{Bus: 1, Slot: 16}, Generation: 1 << 40, Driver: host.Driver{Name: "vfio-pci", Override: "vfio-pci"},
			Was: host.Driver{Name: "igbvf", Override: "igbvf*", Link: "eth8v3", MAC: mac2, MTU: 1400, Up: true},
		},
		host.AddOVSPort(ovsPort()), host.DelOVSPort(ovsPort()),
		host.SetOVSPort{Port: ovsPort(), Was: host.OVSPort{Link: "tap0", Bridge: "ovs1", Owner: "guest 1", MAC: mac1}},
		host.SetOwner{Link: "br0", MAC: mac1, Owner: "virtnet 8f1c", Was: "lab"},
		take, host.ReturnServer(take), host.Disown{Network: libvirtNetwork()}, host.Own{Network: libvirtNetwork()},
		host.DropRules{Link: "br0", Subnets: []netip.Prefix{prefix("10.0.0.0/24"), prefix("2001:db8::/64")}},
	}
}
