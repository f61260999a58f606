// SPDX-License-Identifier: Apache-2.0

package host

import "fmt"

// SetBridge changes a bridge that AddBridge with the fields of Was made, with all its ports in it:
//
//	ip link set LINK type bridge stp_state STP forward_delay DELAY vlan_filtering VLANFILTERING
//	ip link set LINK address MAC mtu MTU
//
// Both sides have the same link and owner. An MTU of 0 after another one makes the bridge as large as its smallest port is now,
// or 1500; the kernel has no way back to following the ports. A bridge of that name with neither the new nor the old
// hardware address is not ours and counts as missing: fs.ErrNotExist.
type SetBridge struct {
	Bridge AddBridge
	Was    AddBridge
}

// Check refuses what AddBridge refuses, and two bridges.
func (o SetBridge) Check() error {
	if o.Bridge.Link != o.Was.Link || o.Bridge.Owner != o.Was.Owner {
		return invalid("bridge %s of %q in place of %s of %q", o.Bridge.Link, o.Bridge.Owner, o.Was.Link, o.Was.Owner)
	}
	return firstError(o.Bridge.Check(), o.Was.Check())
}

// Inverse changes it back.
func (o SetBridge) Inverse() Op { return SetBridge{Bridge: o.Was, Was: o.Bridge} }

// Scope is the link.
func (o SetBridge) Scope() Scope { return o.Bridge.Scope() }

// Holds if there is a bridge of that name, with all the properties of the operation. An MTU of 0 is not that of before.
func (o SetBridge) Holds(f *Facts) bool {
	return o.Bridge.Holds(f) && (o.Bridge.MTU != 0 || o.Was.MTU == 0 || f.Link(o.Bridge.Link).MTU != o.Was.MTU)
}

func (o SetBridge) String() string {
	text := func(b AddBridge) string {
		s := fmt.Sprintf("address %s stp_state %s forward_delay %d", b.MAC, onOff(b.STP), b.ForwardDelay)
		if b.VLANFiltering {
			s += " vlan_filtering 1"
		}
		if b.MTU != 0 {
			s += fmt.Sprintf(" mtu %d", b.MTU)
		}
		return s
	}
	return fmt.Sprintf("link set %s %s (was %s)", o.Bridge.Link, text(o.Bridge), text(o.Was))
}
