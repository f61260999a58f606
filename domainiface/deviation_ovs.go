// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// What is done in another way than by libvirt 11.3 with guests on bridges of Open vSwitch.
const (
	// OVSConfirmed corrects that a guest counts as attached although Open vSwitch cannot use its device, or is not there to do
	// so: it is refused and nothing is left of it, in all modes.
	OVSConfirmed schema.Deviation = "attached-ovs-confirmed"
	// OVSLimited corrects that an average without a peak does not limit what Open vSwitch sends to a guest: it does, in all
	// modes.
	OVSLimited schema.Deviation = "attached-ovs-limited"
	// OVSPoliced corrects that a limit of what a guest sends is passed over where the kernel cannot keep it for Open vSwitch: it
	// is refused, in all modes.
	OVSPoliced schema.Deviation = "attached-ovs-policed"
	// OVSResolved corrects that an update loses the VLAN that a guest on Open vSwitch has from its network or port group: it
	// stays, in all modes.
	OVSResolved schema.Deviation = "attached-ovs-resolved"
	// OVSTaken corrects that a port of Open vSwitch that somebody else made is taken over and later removed if it has the name
	// of the guest's device: it is refused, in all modes.
	OVSTaken schema.Deviation = "attached-ovs-taken"
)
