// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
)

// ovsBridges are the bridges of Open vSwitch that the caller of the suite makes.
var ovsBridges = []string{"ovs0", "ovs1"}

// port0 is a port as plain as one can be, port1 has everything and is on the other bridge.
var (
	port0 = host.OVSPort{Link: "tap0", Bridge: "ovs0", Owner: "guest 1", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1}}
	port1 = host.OVSPort{
		Link: "tap0", Bridge: "ovs1", Owner: "guest 1", MAC: host.MAC{0x52, 0x54, 0, 0, 0, 1},
		InterfaceID: "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f", GuestID: "vm 1", Profile: `red "hat"`,
		VLAN:   host.OVSVLAN{Mode: host.NativeUntagged, Tag: 20, Trunks: []uint16{20, 30}},
		Egress: host.NewLimit(1000, 5000, 1024), Ingress: host.NewLimit(128, 0, 256),
	}
)

// addPort makes a port like port0 with a change.
func addPort(change func(*host.OVSPort)) host.AddOVSPort {
	p := port0
	change(&p)
	return host.AddOVSPort(p)
}

func ovsCases() []opCase {
	const plain = "ovs port ovs0 tap0 attached-mac=52:54:00:00:00:01 owner \"guest 1\"\n"
	set := func(change func(*host.OVSPort)) host.SetOVSPort {
		return host.SetOVSPort{Port: host.OVSPort(addPort(change)), Was: port0}
	}
	foreign := [][]host.Op{{tap0, addPort(func(p *host.OVSPort) { p.Owner = "another" })}}
	cases := []opCase{{
		name:    "AddOVSPort",
		before:  []host.Op{tap0},
		op:      host.AddOVSPort(port0),
		changes: "+" + plain,
		bad: []host.Op{
			addPort(func(p *host.OVSPort) { p.Owner = "" }),
			addPort(func(p *host.OVSPort) { p.VLAN = host.OVSVLAN{Mode: host.Access, Tag: 4095} }),
			addPort(func(p *host.OVSPort) { p.VLAN = host.OVSVLAN{Mode: host.Access, Trunks: []uint16{7}} }),
			addPort(func(p *host.OVSPort) { p.Ingress = host.NewLimit(128, 256, 0) }),
		},
		dangling: []host.Op{
			addPort(func(p *host.OVSPort) { p.Bridge = "ovs9" }),
			addPort(func(p *host.OVSPort) { p.Link = "tap9" }),
		},
		foreign: foreign,
	}, {
		name:   "AddOVSPort with everything",
		before: []host.Op{tap0},
		op:     host.AddOVSPort(port1),
		changes: "+ovs port ovs1 tap0 vlan_mode=native-untagged tag=20 trunks=20,30 attached-mac=52:54:00:00:00:01 " +
			"iface-id=09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f vm-id=vm 1 port-profile=\"red \\\"hat\\\"\" " +
			"qos rate 1000kbps ceil 5000kbps burst 1024kb policing rate 128kbps burst 256kb owner \"guest 1\"\n",
		foreign: foreign,
	}, {
		name:   "SetOVSPort to everything, on another bridge",
		before: []host.Op{tap0, host.AddOVSPort(port0)},
		op:     host.SetOVSPort{Port: port1, Was: port0},
		changes: "-" + plain + "+ovs port ovs1 tap0 vlan_mode=native-untagged tag=20 trunks=20,30 attached-mac=52:54:00:00:00:01 " +
			"iface-id=09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f vm-id=vm 1 port-profile=\"red \\\"hat\\\"\" " +
			"qos rate 1000kbps ceil 5000kbps burst 1024kb policing rate 128kbps burst 256kb owner \"guest 1\"\n",
		repeatable: true,
		bad: []host.Op{
			set(func(p *host.OVSPort) { p.Owner = "another" }),
			set(func(p *host.OVSPort) { p.VLAN = host.OVSVLAN{Mode: "sideways"} }),
		},
		dangling: []host.Op{set(func(p *host.OVSPort) { p.Bridge = "ovs9" })},
		foreign:  foreign,
	}}
	for _, c := range []struct {
		name, words string
		change      func(*host.OVSPort)
	}{
		{"an access VLAN", "vlan_mode=access tag=10 attached-mac=52:54:00:00:00:01", func(p *host.OVSPort) { p.VLAN = host.OVSVLAN{Mode: host.Access, Tag: 10} }},
		{"a trunk", "vlan_mode=trunk trunks=0,10,20 attached-mac=52:54:00:00:00:01", func(p *host.OVSPort) {
			p.VLAN = host.OVSVLAN{Mode: host.Trunk, Trunks: []uint16{0, 10, 20}}
		}},
		{"a trunk of one", "vlan_mode=trunk trunks=10 attached-mac=52:54:00:00:00:01", func(p *host.OVSPort) { p.VLAN = host.OVSVLAN{Mode: host.Trunk, Trunks: []uint16{10}} }},
		{"a native VLAN with tags", "vlan_mode=native-tagged tag=10 trunks=10,20 attached-mac=52:54:00:00:00:01", func(p *host.OVSPort) {
			p.VLAN = host.OVSVLAN{Mode: host.NativeTagged, Tag: 10, Trunks: []uint16{10, 20}}
		}},
		{"a limit of what it sends", "attached-mac=52:54:00:00:00:01 qos rate 1kbps ceil 1kbps burst 2kb", func(p *host.OVSPort) { p.Egress = host.NewLimit(1, 0, 0) }},
		{"a limit of what it receives", "attached-mac=52:54:00:00:00:01 policing rate 9kbps burst 8kb", func(p *host.OVSPort) { p.Ingress = host.NewLimit(9, 0, 8) }},
		{"another identity", "attached-mac=52:54:00:00:00:01 iface-id=lp1", func(p *host.OVSPort) { p.InterfaceID = "lp1" }},
	} {
		cases = append(cases, opCase{
			name: "SetOVSPort to " + c.name, before: []host.Op{tap0, host.AddOVSPort(port0)}, op: set(c.change), repeatable: true,
			changes: "-" + plain + "+ovs port ovs0 tap0 " + c.words + " owner \"guest 1\"\n",
		})
	}
	return cases
}

func ovsEffects() []effect {
	return []effect{{
		name: "a name is that of one port of all bridges", before: []host.Op{tap0, host.AddOVSPort(port0)}, op: host.AddOVSPort(port1), err: fs.ErrExist,
	}, {
		name: "a port of a bridge is no port of Open vSwitch", before: []host.Op{br0, tap0, plug("tap0", "br0")}, op: host.AddOVSPort(port0), err: fs.ErrExist,
	}, {
		name: "a bridge is none of Open vSwitch", before: []host.Op{br0, tap0},
		op: addPort(func(p *host.OVSPort) { p.Bridge = "br0" }), err: fs.ErrNotExist,
	}, {
		name: "a port stays when its link goes", before: []host.Op{tap0, host.AddOVSPort(port1)}, op: tap0.Inverse(),
		changes: "-link tap0 type tap mac fe:54:00:00:00:01 mtu 1500 owner \"guest 1\"\n",
	}, {
		name: "a port is gone with its limits, whatever is said of them", before: []host.Op{tap0, host.AddOVSPort(port1)}, op: host.DelOVSPort(port0),
		changes: "-ovs port ovs1 tap0 vlan_mode=native-untagged tag=20 trunks=20,30 attached-mac=52:54:00:00:00:01 " +
			"iface-id=09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f vm-id=vm 1 port-profile=\"red \\\"hat\\\"\" " +
			"qos rate 1000kbps ceil 5000kbps burst 1024kb policing rate 128kbps burst 256kb owner \"guest 1\"\n",
	}}
}
