// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// ipv6Default is the parameter that exists where the kernel has IPv6.
const ipv6Default = "net/ipv6/conf/default/disable_ipv6"

// planDevice plans the device of a guest, and that it is a port of the bridge of its plug. The host has no IPv6 of its own
// on the device: what guests advertise there must not configure the host.
func planDevice(g Guest, i *Interface, p *network.Port, link string, f *host.Facts) (host.Plan, error) {
	const from = "/interface"
	if err := supportedPort(p); err != nil {
		return nil, err
	}
	connect := planPlug
	if switchType(p.VirtualPort) == virtualport.OpenVSwitch {
		connect = planOVSPort
	}
	connection, err := connect(p, link, f)
	if err != nil {
		return nil, err
	}
	mtu := 0
	if bridge := f.Link(p.Plug.Bridge.String()); bridge != nil {
		mtu = bridge.MTU
	}
	plan := host.Plan{{From: from, Op: device(g, i, p, link, mtu)}}
	if was, ok := f.Sysctl(ipv6Default); ok {
		plan = append(plan, host.Step{From: from, Op: host.SetSysctl{Key: "net/ipv6/conf/" + link + "/disable_ipv6", Value: "1", Was: was}})
	}
	return append(append(plan, connection...), host.Step{From: from, Op: host.SetUp{Link: link}}), nil
}

// planPlug plans that a device is a port of a bridge of Linux, and what it may carry.
func planPlug(p *network.Port, link string, f *host.Facts) (host.Plan, error) {
	bridge, err := bridgeOf(p, f)
	if err != nil {
		return nil, err
	}
	plan, err := network.PlanShape(p.Bandwidth, "/interface/bandwidth", link, false, f.Shaping)
	if err != nil {
		return nil, err
	}
	plug, err := plugOf(p, link, bridge)
	return append(plan, host.Step{From: "/interface/source", Op: plug}), err
}

// ownerOf is our mark on what is made for a port.
func ownerOf(p *network.Port) string { return "virtnet:" + p.UUID.String() }

// plugOf is how the guest's device is plugged into the bridge.
func plugOf(p *network.Port, link string, bridge *host.Link) (host.Plug, error) {
	plug := host.Plug{Link: link, Bridge: bridge.Name, Isolated: p.Port != nil && p.Port.Isolated == schema.Yes}
	if p.Plug.MACTableManager == schema.ManagedByLibvirt {
		plug.NoLearning, plug.NoFlood, plug.Station = true, true, host.MAC(p.MAC.Address)
	}
	if p.VLAN == nil {
		return plug, nil
	}
	if !bridge.VLANFiltering {
		return plug, fmt.Errorf("/interface/vlan: bridge %s does not keep VLANs apart (ip link set %s type bridge vlan_filtering 1): %w",
			bridge.Name, bridge.Name, errors.ErrUnsupported)
	}
	plug.VLANs = vlansOf(p.VLAN)
	return plug, nil
}

// vlansOf are the VLANs of a port: those of a trunk come and go with their tags, but for frames without one, which are in
// the native VLAN. Of one that is no trunk the guest sees no tag.
func vlansOf(v *virtualport.VLAN) host.VLANs {
	if single := v.Single(); single != 0 {
		return host.NewVLANs(uint16(single), false)
	}
	var native uint16
	nativeTagged := false
	var tagged []uint16
	for _, tag := range v.Tags {
		id := uint16(min(tag.ID.Uint(), host.MaxVLAN))
		switch tag.NativeMode {
		case virtualport.Tagged, virtualport.Untagged:
			native, nativeTagged = id, tag.NativeMode == virtualport.Tagged
		default:
			tagged = append(tagged, id)
		}
	}
	return host.NewVLANs(native, nativeTagged, tagged...)
}

// bridgeOf finds the bridge that a port is plugged into. What is no Linux bridge is told apart: that of Open vSwitch takes a
// profile, and other links take no ports.
func bridgeOf(p *network.Port, f *host.Facts) (*host.Link, error) {
	const from = "/interface/source"
	name := p.Plug.Bridge.String()
	switch l := f.Link(name); {
	case l == nil:
		return nil, fmt.Errorf("%s: the host has no bridge %s: %w", from, name, fs.ErrNotExist)
	case l.Kind == openVSwitch:
		return nil, fmt.Errorf("%s: %s is a bridge of Open vSwitch, whose ports take <virtualport type='openvswitch'/>: %w", from, name, fs.ErrInvalid)
	case l.Kind == "":
		return nil, fmt.Errorf("%s: the host has no bridge %s, that is a card: %w", from, name, fs.ErrNotExist)
	case l.Kind != host.Bridge:
		return nil, fmt.Errorf("%s: the host has no bridge %s, that is a link of kind %s: %w", from, name, l.Kind, fs.ErrNotExist)
	default:
		return l, nil
	}
}

// openVSwitch is the kernel's word for the bridges of Open vSwitch.
const openVSwitch host.Kind = "openvswitch"

// device makes the guest's device: a tap, or a pair whose other end is in the guest's namespace.
func device(g Guest, i *Interface, p *network.Port, link string, bridgeMTU int) host.Op {
	mtu := bridgeMTU
	if i.MTU != nil && i.MTU.Size.Uint() != 0 {
		mtu = int(i.MTU.Size.Uint())
	}
	mac, owner := host.MAC(i.MAC.Address), ownerOf(p)
	if g.Namespace != "" {
		return host.AddVeth{Link: link, MAC: hostSide(mac), Owner: owner, MTU: mtu, Peer: inside(i), PeerMAC: mac, Namespace: g.Namespace}
	}
	queues := 1
	if i.Driver != nil && i.Driver.Queues.Uint() > 1 {
		queues = int(i.Driver.Queues.Uint())
	}
	return host.AddTap{
		Link: link, MAC: hostSide(mac), Owner: owner, MTU: mtu, Queues: queues,
		VnetHdr: i.Model == nil || i.Model.VnetHeader(), User: g.User, Group: g.Group,
	}
}

// inside is what the device of a container is called there.
func inside(i *Interface) string {
	if i.Guest != nil && i.Guest.Dev != "" {
		return i.Guest.Dev
	}
	return "eth0"
}

// hostSide is the address of the host's end of a guest's device: the guest's with another first octet, so high that the
// bridge never takes it for its own.
func hostSide(guest host.MAC) host.MAC {
	if guest[0] == 0xfe {
		guest[0] = 0xfa
	} else {
		guest[0] = 0xfe
	}
	return guest
}
