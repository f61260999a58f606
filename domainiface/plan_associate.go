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

// checkAssociate refuses a <vlan> that contradicts the device below. Without either the rules decide, see [AssociationVLAN].
func checkAssociate(p *network.Port, lower *host.Link) error {
	vlan := p.VLAN.Single()
	if vlan != 0 && lower.VLAN != 0 && vlan != lower.VLAN {
		return fmt.Errorf("/interface/vlan: %s is in VLAN %d, and the switch is to be told %d: %w", lower.Name, lower.VLAN, vlan, fs.ErrInvalid)
	}
	return nil
}
