// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// An OVS is what there is of Open vSwitch on a machine.
type OVS struct {
	// Bridges are the names of its bridges.
	Bridges []string `json:",omitempty"`
	// Missing is why there is none, with the place where it was looked for; empty if there is one, and if it was not asked
	// for.
	Missing string `json:",omitempty"`
}

// An OVSMode is what a port of Open vSwitch does about VLANs, in the word of the column vlan_mode. The empty mode passes
// frames of all VLANs as they are.
type OVSMode string

// The modes.
const (
	// Access puts what the guest sends into the VLAN Tag; tagged frames are dropped.
	Access OVSMode = "access"
	// Trunk passes frames of the VLANs Trunks, tagged; those without a tag are dropped unless 0 is one of them.
	Trunk OVSMode = "trunk"
	// NativeTagged is Trunk with frames without a tag in the VLAN Tag, whose frames the guest gets with their tag.
	NativeTagged OVSMode = "native-tagged"
	// NativeUntagged is Trunk with frames without a tag in the VLAN Tag, whose frames the guest gets without one.
	NativeUntagged OVSMode = "native-untagged"
)

// An OVSVLAN is the VLANs of a port of Open vSwitch. The zero OVSVLAN is all of them.
type OVSVLAN struct {
	Mode OVSMode `json:",omitempty"`
	// Tag is 1 to 4094 in all modes but Trunk, and 0 there.
	Tag uint16 `json:",omitempty"`
	// Trunks are 0 to 4094, in ascending order. In mode Access there are none.
	Trunks []uint16 `json:",omitempty"`
}

// Equal reports whether both are the same VLANs.
func (v OVSVLAN) Equal(w OVSVLAN) bool {
	return v.Mode == w.Mode && v.Tag == w.Tag && slices.Equal(v.Trunks, w.Trunks)
}

// String is the VLANs in the words of ovs-vsctl, empty for all.
func (v OVSVLAN) String() string {
	var words []string
	if v.Mode != "" {
		words = append(words, "vlan_mode="+string(v.Mode))
	}
	if v.Tag != 0 {
		words = append(words, fmt.Sprintf("tag=%d", v.Tag))
	}
	if len(v.Trunks) > 0 {
		words = append(words, "trunks="+strings.ReplaceAll(strings.Trim(fmt.Sprint(v.Trunks), "[]"), " ", ","))
	}
	return strings.Join(words, " ")
}

func (v OVSVLAN) check() error {
	tagged, trunk := true, true
	switch v.Mode {
	case "":
		tagged, trunk = false, false
	case Access:
		trunk = false
	case Trunk:
		tagged = false
	case NativeTagged, NativeUntagged:
	default:
		return invalid("vlan mode %q", v.Mode)
	}
	switch {
	case tagged != (v.Tag != 0) || trunk != (len(v.Trunks) > 0):
		return invalid("vlan %q has tags of another mode", v)
	case v.Tag > MaxVLAN:
		return invalid("vlan %d is not between 1 and %d", v.Tag, MaxVLAN)
	}
	for i, id := range v.Trunks {
		if id > MaxVLAN {
			return invalid("vlan %d is not between 0 and %d", id, MaxVLAN)
		}
		if i > 0 && v.Trunks[i-1] >= id {
			return invalid("vlans %v are not in ascending order", v.Trunks)
		}
	}
	return nil
}

// An OVSPort is a port of a bridge of Open vSwitch. For a guest's tap, what the switch sends by it (Egress) is the guest's
// inbound traffic.
type OVSPort struct {
	// Link is the link in the port, whose name is the port's as well.
	Link, Bridge string
	// Owner is our mark on the port; empty on one that is not ours.
	Owner string
	// MAC is the address of the device in the guest.
	MAC MAC `json:",omitzero"`
	// InterfaceID is how those who govern the switch know the interface of the guest, such as the name of a logical port of
	// OVN; GuestID is how they know the guest, and Profile what it may do. Empty is none.
	InterfaceID, GuestID, Profile string
	VLAN                          OVSVLAN `json:",omitzero"`
	// Egress waits in a class of its own; Ingress is dropped above its rate, and knows no ceiling above that. The zero Limit
	// is none.
	Egress  Limit `json:",omitzero"`
	Ingress Limit `json:",omitzero"`
	// Other is set in facts only: what of the port is not as an operation of this package leaves it.
	Other string `json:",omitempty"`
}

// Equal reports whether both are the same port.
func (p OVSPort) Equal(q OVSPort) bool {
	return p.VLAN.Equal(q.VLAN) && p.Egress.Equal(q.Egress) && p.Ingress.Equal(q.Ingress) &&
		p.Link == q.Link && p.Bridge == q.Bridge && p.Owner == q.Owner && p.MAC == q.MAC && p.InterfaceID == q.InterfaceID &&
		p.GuestID == q.GuestID && p.Profile == q.Profile && p.Other == q.Other
}

// String is the port in one line.
func (p OVSPort) String() string {
	text := p.Bridge + " " + p.Link
	add := func(name, value string) {
		if value != "" {
			text += " " + name + value
		}
	}
	add("", p.VLAN.String())
	if !p.MAC.IsZero() {
		add("attached-mac=", p.MAC.String())
	}
	add("iface-id=", p.InterfaceID)
	add("vm-id=", p.GuestID)
	if p.Profile != "" {
		add("port-profile=", fmt.Sprintf("%q", p.Profile))
	}
	if !p.Egress.IsZero() {
		add("qos ", p.Egress.String())
	}
	if !p.Ingress.IsZero() {
		add("policing ", fmt.Sprintf("rate %dkbps burst %dkb", p.Ingress.Rate, p.Ingress.Burst))
	}
	if p.Owner != "" {
		add("owner ", fmt.Sprintf("%q", p.Owner))
	}
	if p.Other != "" {
		add("other ", fmt.Sprintf("%q", p.Other))
	}
	return text
}

// MaxOVSRate is the highest rate that Open vSwitch knows, in kilobytes per second: in kilobits it fits into 32 bits.
const MaxOVSRate = 1<<29 - 1

func (p OVSPort) check() error {
	switch {
	case p.Link == p.Bridge:
		return invalid("link %s as a port of itself", p.Link)
	case p.Owner == "":
		return invalid("port %s has no owner", p.Link)
	case p.Other != "":
		return invalid("port %s: %s", p.Link, p.Other)
	case p.MAC.IsZero() || p.MAC[0]&1 != 0:
		return invalid("port %s: hardware address %s", p.Link, p.MAC)
	case p.Ingress.Ceil != p.Ingress.Rate:
		return invalid("port %s: policing has no ceiling above the rate", p.Link)
	case p.Egress.Ceil > MaxOVSRate || p.Ingress.Rate > MaxOVSRate:
		return invalid("port %s: a rate above the %d kB/s of Open vSwitch", p.Link, MaxOVSRate)
	}
	for _, id := range []string{p.InterfaceID, p.GuestID, p.Profile} {
		if !utf8.ValidString(id) || strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return invalid("port %s: identity %q", p.Link, id)
		}
	}
	return firstError(checkNames(p.Link, p.Bridge), checkOwner(p.Owner), p.VLAN.check(), p.Egress.check(), p.Ingress.check())
}

// AddOVSPort makes a link a port of a bridge of Open vSwitch:
//
//	ovs-vsctl add-port BRIDGE LINK VLAN -- set Port LINK other_config:transient=true external_ids:virtnet=OWNER \
//	  -- set Interface LINK external_ids:attached-mac=MAC external_ids:iface-id=INTERFACEID external_ids:vm-id=GUESTID \
//	       external_ids:port-profile=PROFILE external_ids:iface-status=active ingress_policing_rate=RATE ingress_policing_burst=BURST \
//	  -- set Port LINK qos=@q -- --id=@q create QoS type=linux-htb other_config:max-rate=CEIL queues:0=@c \
//	  -- --id=@c create Queue other_config:min-rate=RATE other_config:max-rate=CEIL other_config:burst=BURST
//
// The switch has it when the operation has been done. A missing link, and a bridge that is missing or not one of Open
// vSwitch, is fs.ErrNotExist; a port of that name on any bridge, and a link that is in a Linux bridge, is fs.ErrExist. A machine without Open
// vSwitch is errors.ErrUnsupported.
type AddOVSPort OVSPort

// DelOVSPort removes a port that AddOVSPort with the same owner made, from whatever bridge it is on, with its queues
// and what it was limited by: ovs-vsctl del-port LINK -- destroy QoS and Queue. The link stays. A port with another owner
// counts as missing. What is left of a port that somebody else removed goes too.
type DelOVSPort OVSPort

// Check refuses names, VLANs and limits that Open vSwitch does not know, and ports without an owner.
func (o AddOVSPort) Check() error { return OVSPort(o).check() }

// Inverse removes the port.
func (o AddOVSPort) Inverse() Op { return DelOVSPort(o) }

// Scope is the port and its bridge.
func (o AddOVSPort) Scope() Scope {
	return Scope{Links: []string{o.Bridge}, OVSPorts: []string{o.Link}}
}

// Holds if there is exactly that port.
func (o AddOVSPort) Holds(f *Facts) bool {
	p := f.OVSPort(o.Link)
	return p != nil && p.Equal(OVSPort(o))
}

func (o AddOVSPort) String() string { return "ovs add-port " + OVSPort(o).String() }

// Check is that of AddOVSPort.
func (o DelOVSPort) Check() error { return AddOVSPort(o).Check() }

// Inverse makes the port again.
func (o DelOVSPort) Inverse() Op { return AddOVSPort(o) }

// Scope is the port and its bridge.
func (o DelOVSPort) Scope() Scope { return AddOVSPort(o).Scope() }

// Holds if there is no port of that name and owner.
func (o DelOVSPort) Holds(f *Facts) bool {
	p := f.OVSPort(o.Link)
	return p == nil || p.Owner != o.Owner
}

func (o DelOVSPort) String() string { return "ovs del-port " + o.Bridge + " " + o.Link }

// SetOVSPort changes a port of Open vSwitch in place, or moves it to another of its bridges: all that AddOVSPort sets,
// in one go. Both sides have the same link and owner. A port that is missing or has another owner, and a bridge that is
// missing, is fs.ErrNotExist.
type SetOVSPort struct {
	Port, Was OVSPort
}

// Check refuses what AddOVSPort refuses, and two ports.
func (o SetOVSPort) Check() error {
	if o.Port.Link != o.Was.Link || o.Port.Owner != o.Was.Owner {
		return invalid("port %s of %q in place of %s of %q", o.Port.Link, o.Port.Owner, o.Was.Link, o.Was.Owner)
	}
	return firstError(o.Port.check(), o.Was.check())
}

// Inverse changes it back.
func (o SetOVSPort) Inverse() Op { return SetOVSPort{Port: o.Was, Was: o.Port} }

// Scope is the port and both bridges.
func (o SetOVSPort) Scope() Scope {
	return AddOVSPort(o.Port).Scope().And(AddOVSPort(o.Was).Scope())
}

// Holds if there is exactly that port.
func (o SetOVSPort) Holds(f *Facts) bool { return AddOVSPort(o.Port).Holds(f) }

func (o SetOVSPort) String() string {
	return fmt.Sprintf("ovs set-port %s (was %s)", o.Port, o.Was)
}
