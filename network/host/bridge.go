// SPDX-License-Identifier: Apache-2.0

package host

import "fmt"

// AddBridge makes a bridge, down and without ports:
//
//	ip link add LINK address MAC type bridge stp_state STP forward_delay DELAY vlan_filtering VLANFILTERING
//	ip link set LINK mtu MTU alias OWNER
//
// The hardware address is part of the creating message and identifies the bridge as ours from its first moment. It may
// not be zero.
type AddBridge struct {
	Link  string
	MAC   MAC
	Owner string
	// MTU of 0 leaves it to the kernel, which takes 1500 and later that of the smallest port. Any other stays, whatever
	// the ports have; Linux keeps it only if it was changed after the bridge was made.
	MTU int
	// STP switches the spanning tree protocol on.
	STP bool
	// ForwardDelay is in hundredths of a second, the kernel's unit. With STP on it has to be from 200 to 3000.
	ForwardDelay int
	// VLANFiltering keeps VLANs apart, and spares ports whose stations are all known every frame that is not for them. A
	// machine whose bridges cannot do it refuses with errors.ErrUnsupported.
	VLANFiltering bool `json:",omitempty"`
}

// DelBridge removes a bridge that AddBridge with the same fields made: ip link del LINK type bridge. Its ports stay and
// become free. A bridge with another hardware address is not ours and counts as missing.
type DelBridge AddBridge

// Check refuses names, sizes and delays that the kernel would refuse.
func (o AddBridge) Check() error {
	if o.MAC.IsZero() || o.MAC[0]&1 != 0 {
		return invalid("bridge %s: hardware address %s", o.Link, o.MAC)
	}
	if o.STP && (o.ForwardDelay < 200 || o.ForwardDelay > 3000) || o.ForwardDelay < 0 || o.ForwardDelay > 3000 {
		return invalid("bridge %s: forward delay %d with stp %s", o.Link, o.ForwardDelay, onOff(o.STP))
	}
	return firstError(CheckName(o.Link), checkMTU(o.MTU), checkOwner(o.Owner))
}

// Inverse removes the bridge.
func (o AddBridge) Inverse() Op { return DelBridge(o) }

// Scope is the link.
func (o AddBridge) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if there is a bridge of that name, with all the properties of the operation.
func (o AddBridge) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l != nil && l.Kind == Bridge && l.MAC == o.MAC && l.Owner == o.Owner &&
		(o.MTU == 0 || l.MTU == o.MTU) && l.STP == o.STP && l.ForwardDelay == o.ForwardDelay && l.VLANFiltering == o.VLANFiltering
}

func (o AddBridge) String() string {
	s := fmt.Sprintf("link add %s address %s", o.Link, o.MAC)
	if o.MTU != 0 {
		s += fmt.Sprintf(" mtu %d", o.MTU)
	}
	s += fmt.Sprintf(" type bridge stp_state %s forward_delay %d", onOff(o.STP), o.ForwardDelay)
	if o.VLANFiltering {
		s += " vlan_filtering 1"
	}
	return s
}

// Check is that of AddBridge.
func (o DelBridge) Check() error { return AddBridge(o).Check() }

// Inverse makes the bridge again.
func (o DelBridge) Inverse() Op { return AddBridge(o) }

// Scope is the link.
func (o DelBridge) Scope() Scope { return AddBridge(o).Scope() }

// Holds if there is no bridge of that name and hardware address.
func (o DelBridge) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l == nil || l.Kind != Bridge || l.MAC != o.MAC
}

func (o DelBridge) String() string { return "link del " + o.Link + " type bridge" }

// Plug makes a link a port of a bridge, with the flags that are set:
//
//	ip link set LINK master BRIDGE
//	bridge link set dev LINK isolated on learning off flood off
//	bridge vlan del dev LINK vid 1; bridge vlan add dev LINK vid NATIVE pvid untagged; bridge vlan add dev LINK vid TAGGED
//	bridge fdb add STATION dev LINK master static
//
// A link that is in a bridge already, even in this one, is fs.ErrExist, and so is a station that somebody said is behind
// another port; a missing bridge, or one that is no bridge, is fs.ErrNotExist; a bridge or the loopback device as a port,
// and a port more than a bridge can have, is fs.ErrInvalid. VLANs on a machine whose bridges have none are
// errors.ErrUnsupported.
type Plug struct {
	Link, Bridge string
	// Isolated keeps the port from other isolated ports of the bridge.
	Isolated bool
	// NoLearning and NoFlood are for a bridge whose address table somebody else keeps.
	NoLearning, NoFlood bool
	// Station is the address of the guest behind the port, if it learns nothing. Zero says nothing.
	Station MAC `json:",omitzero"`
	// VLANs are those of the port, which matter on a bridge that filters them. Zero leaves them as the bridge gives them.
	VLANs VLANs `json:",omitzero"`
}

// Unplug takes a link out of the bridge it was plugged into: ip link set LINK nomaster. A link that is in no bridge or
// in another one counts as missing.
type Unplug Plug

// Check refuses names, addresses and VLANs that are none, and a link in itself.
func (o Plug) Check() error {
	if o.Link == o.Bridge {
		return invalid("link %s as a port of itself", o.Link)
	}
	if o.Station[0]&1 != 0 || !o.Station.IsZero() && !o.NoLearning {
		return invalid("port %s: station %s, of a port that learns or a group", o.Link, o.Station)
	}
	return firstError(checkNames(o.Link, o.Bridge), o.VLANs.check())
}

// Inverse takes the link out again.
func (o Plug) Inverse() Op { return Unplug(o) }

// Scope is the link and the bridge.
func (o Plug) Scope() Scope { return Scope{Links: []string{o.Link, o.Bridge}} }

// Holds if the link is a port of the bridge, with these flags.
func (o Plug) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l != nil && l.Master == o.Bridge && l.Isolated == o.Isolated && l.NoLearning == o.NoLearning && l.NoFlood == o.NoFlood &&
		(o.VLANs.IsZero() || l.VLANs == o.VLANs) && (o.Station.IsZero() || f.HasStation(o.Link, o.Station))
}

// PlugOf is how a link was seen to be plugged in; false if it is in no bridge. Station is taken for that of the port if it
// is one.
func PlugOf(f *Facts, link string, station MAC) (Plug, bool) {
	l := f.Link(link)
	if l == nil || l.Master == "" {
		return Plug{}, false
	}
	p := Plug{Link: link, Bridge: l.Master, Isolated: l.Isolated, NoLearning: l.NoLearning, NoFlood: l.NoFlood, VLANs: l.VLANs}
	if f.HasStation(link, station) {
		p.Station = station
	}
	return p, true
}

func (o Plug) String() string {
	s := "link set " + o.Link + " master " + o.Bridge
	if o.Isolated {
		s += " isolated on"
	}
	if o.NoLearning {
		s += " learning off"
	}
	if o.NoFlood {
		s += " flood off"
	}
	if !o.VLANs.IsZero() {
		s += " vlan " + o.VLANs.String()
	}
	if !o.Station.IsZero() {
		s += " station " + o.Station.String()
	}
	return s
}

// Check is that of Plug.
func (o Unplug) Check() error { return Plug(o).Check() }

// Inverse plugs the link in again.
func (o Unplug) Inverse() Op { return Plug(o) }

// Scope is the link and the bridge.
func (o Unplug) Scope() Scope { return Plug(o).Scope() }

// Holds if the link is not a port of that bridge.
func (o Unplug) Holds(f *Facts) bool { l := f.Link(o.Link); return l == nil || l.Master != o.Bridge }

func (o Unplug) String() string { return "link set " + o.Link + " nomaster (was " + o.Bridge + ")" }
