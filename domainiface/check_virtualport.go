// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// checkVirtualPort checks the profile of i. On a network it may be a part of one; the network has the rest.
func (i *Interface) checkVirtualPort(c *schema.Check) {
	v, kind := i.VirtualPort, i.Kind()
	if v == nil {
		return
	}
	switch kind {
	case Network, Bridge, Direct, Hostdev:
	default:
		c.Rule(false, "virtualport-interface", "virtualport", "type %s has no switch that takes a profile", kind)
		return
	}
	c.Deviates(v.Type != virtualport.Qbg || i.VLAN == nil || i.VLAN.Single() != 0, AssociationVLAN, "vlan",
		"the switch is told about one VLAN: it takes one tag and no trunk")
	c.In("virtualport", func() {
		v.Check(c, kind != Network)
		if kind != Network {
			checkComplete(c, v, true)
			c.Deviates(useful(v.Type, kind), VirtualPortUseless, "@type", "type %s has no switch of the kind %s", kind, v.Type)
		}
	})
}

// useful reports whether an interface of the type can be connected to a switch of the kind.
func useful(t virtualport.Type, kind Type) bool {
	switch t {
	case virtualport.Qbg:
		return kind == Direct
	case virtualport.Qbh:
		return kind == Direct || kind == Hostdev
	case virtualport.OpenVSwitch, virtualport.Midonet:
		return kind == Bridge
	}
	return true
}

// checkComplete checks that nothing that the kind of switch needs is missing from v, the element that c stands
// in, apart from what [Interface.Complete] makes up where generated says so.
func checkComplete(c *schema.Check, v *virtualport.VirtualPort, generated bool) {
	for _, name := range v.Missing(generated) {
		c.Rule(false, "virtualport-complete", "parameters/@"+name, "%s needs a value for %s", v.Type, name)
	}
}

// checkVLANType checks that i can be put in a VLAN, as far as that does not depend on its network.
func (i *Interface) checkVLANType(c *schema.Check) {
	v := i.VirtualPort
	can := false
	switch i.Kind() {
	case Network:
		can = true
	case Hostdev:
		can = true
		c.Deviates(v == nil, VLANProfile, "vlan", "the profile in <virtualport> decides about VLANs")
	case Direct:
		can = i.Source != nil && i.Source.Mode == ModePassthrough
		if v != nil && v.Type == virtualport.Qbg && i.VLAN.Single() != 0 {
			can = true
		}
	case Bridge:
		can = v == nil || v.Type == virtualport.OpenVSwitch
	}
	c.Deviates(can, VLANType, "vlan",
		"the interface cannot be put in a VLAN: that takes type hostdev, type direct in mode passthrough, a Linux bridge or Open vSwitch")
}
