// SPDX-License-Identifier: Apache-2.0

package virtualport

import "github.com/go-virtnet/virtnet/network/schema"

// Normalize brings v, which may be nil, to the form in which libvirt tells it: a trunk is spelled out where there
// is one. With Compat every tag that has the number of the native one becomes native, as libvirt writes it.
func (v *VLAN) Normalize(rules schema.Rules) {
	if v == nil {
		return
	}
	if v.IsTrunk() {
		v.Trunk = schema.Yes
	} else {
		v.Trunk = 0
	}
	if rules.Compat {
		v.spreadNative()
	}
}

func (v *VLAN) spreadNative() {
	for i := range v.Tags {
		if v.Tags[i].NativeMode == 0 {
			continue
		}
		for j := range v.Tags {
			if v.Tags[j].ID == v.Tags[i].ID {
				v.Tags[j].NativeMode = v.Tags[i].NativeMode
			}
		}
		return
	}
}

// Normalize brings v to the form in which libvirt tells it, without empty parameters, and returns it; nil when it
// says nothing. With Compat it loses what a Midonet switch does not take, as libvirt does, which keeps the empty element then.
func (v *VirtualPort) Normalize(rules schema.Rules) *VirtualPort {
	if v == nil {
		return nil
	}
	if p := v.Parameters; p != nil && !p.Given() && schema.IsBare(p.Extra) {
		v.Parameters = nil
	}
	if p := v.Parameters; rules.Compat && v.Type == Midonet && p != nil {
		*p = Parameters{InterfaceID: p.InterfaceID}
	}
	if v.Type == 0 && v.Parameters == nil && schema.IsBare(v.Extra) {
		return nil
	}
	return v
}
