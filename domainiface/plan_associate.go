// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/virtualport"
)

// planAssociate plans that the switch is told of a guest on a device of the host, if the port has a profile of 802.1Qbg. It
// comes when the device below is on, and before the guest's is: the switch lets nobody speak whom it does not know.
//
// The VLAN is that of the device below or, where that is in none, the one of the port. In the second case the switch puts
// the guest's frames into it.
func planAssociate(p *network.Port, mac host.MAC, lower *host.Link) host.Plan {
	v := p.VirtualPort
	if v == nil || v.Type != virtualport.Qbg {
		return nil
	}
	vsi := host.VSI{
		Link: lower.Name, Instance: v.Parameters.InstanceID.Bytes(), Manager: uint8(v.Parameters.ManagerID.Uint()),
		Type: uint32(v.Parameters.TypeID.Uint()), Version: uint8(v.Parameters.TypeIDVersion.Uint()),
		MAC: mac, VLAN: uint16(p.VLAN.Single()),
	}
	if lower.VLAN != 0 {
		vsi.Link, vsi.VLAN = lower.Lower, uint16(lower.VLAN)
	}
	return host.Plan{{From: "/interface/virtualport", Op: host.Associate{VSI: vsi}}}
}

// planProfile plans that the port extender behind a card is asked for the profile of a guest, if the port has one of 802.1Qbh.
// Link is the card, unless fn is a virtual function: for that it is done through the function's card. Port extenders know
// guests by their uuids.
func planProfile(g Guest, p *network.Port, mac host.MAC, link string, fn *host.Function) (host.Plan, error) {
	v := p.VirtualPort
	if switchType(v) != virtualport.Qbh {
		return nil, nil
	}
	if g.UUID.IsZero() {
		return nil, fmt.Errorf("/interface/virtualport: 802.1Qbh needs a guest with a uuid: %w", fs.ErrInvalid)
	}
	op := host.AddProfile{
		Profile: host.Profile{Link: link, VF: host.Self, Name: v.Parameters.ProfileID, Guest: g.UUID.Bytes()}, MAC: mac,
	}
	if isVirtual(fn) {
		op.Link, op.VF = fn.PF, fn.Index
	}
	return host.Plan{{From: "/interface/virtualport", Op: op}}, nil
}

// checkAssociate refuses a <vlan> that contradicts the device below. Without either the rules decide, see [AssociationVLAN].
func checkAssociate(p *network.Port, lower *host.Link) error {
	vlan := p.VLAN.Single()
	if vlan != 0 && lower.VLAN != 0 && vlan != lower.VLAN {
		return fmt.Errorf("/interface/vlan: %s is in VLAN %d, and the switch is to be told %d: %w", lower.Name, lower.VLAN, vlan, fs.ErrInvalid)
	}
	return nil
}
