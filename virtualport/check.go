// SPDX-License-Identifier: Apache-2.0

package virtualport

import "github.com/go-virtnet/virtnet/network/schema"

// The rules on switch ports that libvirt 11.3 does not have.
const (
	// MidonetExtra refuses parameters of other switches for midonet, which libvirt drops silently.
	MidonetExtra schema.Deviation = "virtualport-midonet-extra"
	// NegativeID refuses a minus sign in the numbers of a profile, which libvirt wraps around.
	NegativeID schema.Deviation = "virtualport-negative"
	// ZeroManager refuses the database 0, which the standard reserves.
	ZeroManager schema.Deviation = "virtualport-managerid-zero"
	// ProfileControl refuses control characters in the name of a profile.
	ProfileControl schema.Deviation = "virtualport-profile-control"
	// UnusableVLAN refuses the VLANs 0 and 4095, which no switch carries.
	UnusableVLAN schema.Deviation = "vlan-id-usable"
	// RepeatedVLAN refuses a VLAN given twice.
	RepeatedVLAN schema.Deviation = "vlan-id-once"
)

// The largest values of the parameters.
const (
	maxManagerID = 255
	maxTypeID    = 1<<24 - 1
	maxProfileID = 39
)

// Check checks v, the element that c stands in. In a network the type has to be given; in a port group, an
// interface on a network and a port it need not.
func (v *VirtualPort) Check(c *schema.Check, typeRequired bool) {
	if typeRequired {
		c.Rule(v.Type != 0, "virtualport-type", "@type", "a <virtualport> needs a type here: 802.1Qbg, 802.1Qbh, openvswitch or midonet")
	}
	if v.Parameters != nil {
		c.In("parameters", func() { v.Parameters.check(c, v.Type) })
	}
}

func (p *Parameters) check(c *schema.Check, t Type) {
	c.Rule(p.ManagerID.Uint() <= maxManagerID, "virtualport-managerid", "@managerid", "%s is more than %d", p.ManagerID, maxManagerID)
	c.Deviates(p.ManagerID.Uint() > 0 || !p.ManagerID.Given(), ZeroManager, "@managerid", "0 is reserved: 1 to %d are usable", maxManagerID)
	c.Rule(p.TypeID.Uint() <= maxTypeID, "virtualport-typeid", "@typeid", "%s is more than %d", p.TypeID, maxTypeID)
	c.Rule(p.TypeIDVersion.Uint() <= maxManagerID, "virtualport-typeidversion", "@typeidversion", "%s is more than %d", p.TypeIDVersion, maxManagerID)
	c.Rule(len(p.ProfileID) <= maxProfileID, "virtualport-profileid", "@profileid", "the profile is longer than %d bytes", maxProfileID)
	c.Deviates(!schema.HasControl(p.ProfileID), ProfileControl, "@profileid", "%q has control characters", p.ProfileID)
	for _, param := range p.given() {
		where := "@" + param.name
		c.Deviates(!param.wrapped, NegativeID, where, "a negative number")
		switch {
		case t.takes(param.name):
		case t == Midonet:
			c.Deviates(false, MidonetExtra, where, "midonet has no %s", param.name)
		default:
			c.Rule(false, "virtualport-parameter", where, "%s has no %s", t, param.name)
		}
	}
}

// A parameter is the name of one that is given.
type parameter struct {
	name    string
	wrapped bool
}

// given lists the parameters that are given, in the order of the document.
func (p *Parameters) given() []parameter {
	var given []parameter
	add := func(is bool, name string, wrapped bool) {
		if is {
			given = append(given, parameter{name, wrapped})
		}
	}
	add(p.ManagerID.Given(), "managerid", p.ManagerID.Wrapped())
	add(p.TypeID.Given(), "typeid", p.TypeID.Wrapped())
	add(p.TypeIDVersion.Given(), "typeidversion", p.TypeIDVersion.Wrapped())
	add(!p.InstanceID.IsZero(), "instanceid", false)
	add(!p.InterfaceID.IsZero(), "interfaceid", false)
	add(p.ProfileID != "", "profileid", false)
	return given
}

// Given reports whether p has any parameter that this library knows.
func (p *Parameters) Given() bool { return len(p.given()) > 0 }

// takes reports whether a switch of the kind has the parameter. Absent, the kind is not known yet and all
// are taken.
func (t Type) takes(name string) bool {
	switch name {
	case "interfaceid":
		return t == 0 || t == OpenVSwitch || t == Midonet
	case "profileid":
		return t == 0 || t == Qbh || t == OpenVSwitch
	}
	return t == 0 || t == Qbg
}

// Check checks v, the element that c stands in.
func (v *VLAN) Check(c *schema.Check) {
	c.Rule(len(v.Tags) > 0, "vlan-tag", "", "a <vlan> needs at least one <tag>")
	native := -1
	seen := make(map[uint64]bool, len(v.Tags))
	for i := range v.Tags {
		tag := &v.Tags[i]
		c.At("tag", i, func() {
			tag.check(c)
			c.Deviates(!seen[tag.ID.Uint()], RepeatedVLAN, "@id", "the VLAN %s is given twice", tag.ID)
			seen[tag.ID.Uint()] = true
			if tag.NativeMode != 0 {
				c.Rule(native < 0, "vlan-native-once", "@nativeMode", "only one tag can be the native one, and tag %d is", native+1)
				native = i
			}
		})
	}
	if v.Trunk == schema.No {
		c.Rule(len(v.Tags) < 2, "vlan-trunk-tags", "@trunk", "more than one tag needs a trunk")
		c.Rule(native < 0, "vlan-trunk-native", "@trunk", "a native tag needs a trunk")
	}
}

func (t *Tag) check(c *schema.Check) {
	if !c.Rule(t.ID.Given(), "vlan-id", "@id", "a <tag> needs an id") {
		return
	}
	id := t.ID.Uint()
	if c.Rule(id <= 4095, "vlan-id-range", "@id", "%d is not a VLAN: 1 to 4094", id) {
		c.Deviates(id != 0 && id != 4095, UnusableVLAN, "@id", "%d is reserved: 1 to 4094 are usable", id)
	}
}
