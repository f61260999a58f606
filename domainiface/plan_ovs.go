// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/virtualport"
)

// planOVSPort plans that the device of a guest is a port of the bridge of Open vSwitch of its plug: with its VLANs, what
// it is limited to and who it is to those who govern the switch, all in one.
func planOVSPort(p *network.Port, link string, f *host.Facts) (host.Plan, error) {
	if err := checkOVS(p, f); err != nil {
		return nil, err
	}
	vlan, err := ovsVLAN(p.VLAN)
	if err != nil {
		return nil, err
	}
	port := host.AddOVSPort{Link: link, Bridge: p.Plug.Bridge.String(), Owner: ownerOf(p), VLAN: vlan}
	if p.MAC != nil {
		port.MAC = host.MAC(p.MAC.Address)
	}
	if p.Owner != nil && !p.Owner.UUID.IsZero() {
		port.GuestID = p.Owner.UUID.String()
	}
	if v := p.VirtualPort.Parameters; v != nil {
		port.Profile = v.ProfileID
		if !v.InterfaceID.IsZero() {
			port.InterfaceID = v.InterfaceID.String()
		}
	}
	port.Egress, port.Ingress = network.OVSLimits(p.Bandwidth)
	if !port.Ingress.IsZero() && !slices.Contains(f.Shaping.Means, host.Police) {
		return nil, fmt.Errorf("/interface/bandwidth/outbound: the kernel of the host cannot police, as Open vSwitch has it do without saying so: %w", errors.ErrUnsupported)
	}
	return host.Plan{{From: "/interface/source", Op: port}}, nil
}

// checkOVS refuses a port of what is no bridge of Open vSwitch.
func checkOVS(p *network.Port, f *host.Facts) error {
	const from = "/interface/source"
	name := p.Plug.Bridge.String()
	switch l := f.Link(name); {
	case f.OVS.Missing != "":
		return fmt.Errorf("/interface/virtualport: %s: %w", f.OVS.Missing, errors.ErrUnsupported)
	case slices.Contains(f.OVS.Bridges, name):
		return nil
	case l != nil && l.Kind == host.Bridge:
		return fmt.Errorf("%s: %s is a bridge of Linux, whose ports take no <virtualport type='openvswitch'/>: %w", from, name, fs.ErrInvalid)
	default:
		return fmt.Errorf("%s: Open vSwitch has no bridge %s, it has: %s: %w", from, name, strings.Join(f.OVS.Bridges, ", "), fs.ErrNotExist)
	}
}

// ovsVLAN is what a <vlan> means to Open vSwitch.
func ovsVLAN(v *virtualport.VLAN) (host.OVSVLAN, error) {
	var vlan host.OVSVLAN
	if v == nil {
		return vlan, nil
	}
	native := virtualport.NativeMode(0)
	for i, tag := range v.Tags {
		id := tag.ID.Uint()
		lowest := uint64(1)
		if v.IsTrunk() && tag.NativeMode == 0 {
			lowest = 0 // frames without a tag
		}
		if id < lowest || id > host.MaxVLAN {
			return vlan, fmt.Errorf("/interface/vlan/tag[%d]/@id: Open vSwitch has no VLAN %d here: %d to %d: %w", i+1, id, lowest, host.MaxVLAN, fs.ErrInvalid)
		}
		vlan.Trunks = append(vlan.Trunks, uint16(id))
		if tag.NativeMode != 0 || !v.IsTrunk() {
			vlan.Tag, native = uint16(id), tag.NativeMode
		}
	}
	slices.Sort(vlan.Trunks)
	vlan.Trunks = slices.Compact(vlan.Trunks)
	switch {
	case native == virtualport.Tagged:
		vlan.Mode = host.NativeTagged
	case native == virtualport.Untagged:
		vlan.Mode = host.NativeUntagged
	case v.IsTrunk():
		vlan.Mode = host.Trunk
	default:
		vlan.Mode, vlan.Trunks = host.Access, nil
	}
	return vlan, nil
}
