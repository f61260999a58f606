// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// Passthru is the mode in which a macvtap device has the one below for itself, in the word of "ip link ... mode".
const Passthru = "passthru"

// macvtapModes are the modes that guests can have.
var macvtapModes = []string{"private", "vepa", "bridge", Passthru}

// AddMacvtap makes a macvtap device on another one, down:
//
//	ip link add link LOWER name LINK address MAC mtu MTU type macvtap mode MODE
//	ip link set LINK alias OWNER addrgenmode none
//
// The host never makes up an IPv6 address for it. Its guest side is opened with a [MacvtapOpener].
//
// Devices in the modes private, vepa and bridge may stand on one device together, one in mode passthru stands alone: any
// other combination is fs.ErrInvalid, and so are a loopback device and another macvtap device below, and an MTU above that
// of LOWER. A device that is a port of a bridge, or a part of something else, is fs.ErrExist, and none is fs.ErrNotExist.
//
// In mode passthru MAC becomes the address of LOWER as well, until the device goes.
type AddMacvtap struct {
	Link, Lower string
	// Mode is one of private, vepa, bridge and passthru.
	Mode string
	// MAC is the address of the guest.
	MAC   MAC
	Owner string
	// MTU of 0 leaves it to the kernel, which takes that of LOWER. In any case it follows when that becomes smaller.
	MTU int `json:",omitempty"`
	// Queues above one make a device whose guest side is opened that many times. The kernel does not remember it.
	Queues int `json:",omitempty"`
	// VnetHdr puts a virtio-net header before each frame. The kernel does not remember it either.
	VnetHdr bool `json:",omitempty"`
	// Was is the address that LOWER has without the device, in mode passthru; zero in other modes.
	Was MAC `json:",omitzero"`
}

// DelMacvtap removes a device that AddMacvtap with the same fields made: ip link del LINK type macvtap. In mode passthru
// LOWER has the address Was again. A link that is no macvtap device on LOWER, or that has another hardware address and
// another owner, counts as missing. A guest that still has it open is told nothing by its descriptors.
type DelMacvtap AddMacvtap

// Check refuses names, addresses, modes and numbers that the kernel would refuse.
func (o AddMacvtap) Check() error {
	switch {
	case o.Link == o.Lower:
		return invalid("macvtap %s on itself", o.Link)
	case o.Queues < 0 || o.Queues > MaxQueues:
		return invalid("macvtap %s: %d queues, at most %d are allowed", o.Link, o.Queues, MaxQueues)
	}
	return firstError(
		stands{"macvtap", o.Link, o.Lower, o.Mode, o.MAC, o.Was}.check(), checkNames(o.Link, o.Lower), checkMTU(o.MTU), checkOwner(o.Owner),
	)
}

// stands is what macvtap and macvlan devices have in common.
type stands struct {
	kind              Kind
	link, lower, mode string
	mac, was          MAC
}

func (s stands) check() error {
	switch {
	case !slices.Contains(macvtapModes, s.mode):
		return invalid("%s %s: mode %q is none of %v", s.kind, s.link, s.mode, macvtapModes)
	case s.mac.IsZero() || s.mac[0]&1 != 0:
		return invalid("%s %s: hardware address %s", s.kind, s.link, s.mac)
	case s.was.IsZero() == (s.mode == Passthru) || s.was[0]&1 != 0:
		return invalid("%s %s: hardware address of %s was %s in mode %s", s.kind, s.link, s.lower, s.was, s.mode)
	}
	return nil
}

// Inverse removes the device.
func (o AddMacvtap) Inverse() Op { return DelMacvtap(o) }

// Scope is the link and the device below.
func (o AddMacvtap) Scope() Scope { return Scope{Links: []string{o.Link, o.Lower}} }

// Holds if there is a macvtap device of that name on LOWER, with that mode and owner, and without an owner with that
// hardware address: a guest may have asked for another one, see [SetReceive].
func (o AddMacvtap) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l != nil && l.Kind == Macvtap && l.Lower == o.Lower && l.Mode == o.Mode && (l.MAC == o.MAC || o.Owner != "") && l.Owner == o.Owner &&
		(o.MTU == 0 || l.MTU == o.MTU)
}

func (o AddMacvtap) String() string {
	s := fmt.Sprintf("link add link %s name %s address %s", o.Lower, o.Link, o.MAC)
	if o.MTU != 0 {
		s += fmt.Sprintf(" mtu %d", o.MTU)
	}
	s += " type macvtap mode " + o.Mode
	if o.Queues > 1 {
		s += fmt.Sprintf(" multi_queue %d", o.Queues)
	}
	if o.VnetHdr {
		s += " vnet_hdr"
	}
	if o.Mode == Passthru {
		s += fmt.Sprintf(" (%s was %s)", o.Lower, o.Was)
	}
	return s
}

// Made reports whether a link is the one that the operation makes. Its guest may have given it another address, and one in
// mode passthru is born with that of the device below.
func (o AddMacvtap) Made(l Link) bool {
	if l.Name != o.Link || l.Kind != Macvtap || l.Lower != o.Lower && l.Lower != "" {
		return false
	}
	born := o.Mode == Passthru && l.Mode == Passthru && l.MAC == o.Was
	return l.MAC == o.MAC || born || o.Owner != "" && l.Owner == o.Owner
}

// Check is that of AddMacvtap.
func (o DelMacvtap) Check() error { return AddMacvtap(o).Check() }

// Inverse makes the device again; a guest has to open it anew.
func (o DelMacvtap) Inverse() Op { return AddMacvtap(o) }

// Scope is the link and the device below.
func (o DelMacvtap) Scope() Scope { return AddMacvtap(o).Scope() }

// Holds if there is no such device.
func (o DelMacvtap) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l == nil || !AddMacvtap(o).Made(*l)
}

func (o DelMacvtap) String() string {
	s := fmt.Sprintf("link del %s type macvtap", o.Link)
	if o.Mode == Passthru {
		s += fmt.Sprintf(", address of %s %s", o.Lower, o.Was)
	}
	return s
}

// Raise switches on a link that several others stand on, and leaves it on: ip link set LINK up. It has no inverse, because
// who comes later relies on it without a trace.
type Raise struct{ Link string }

// Check refuses a name that is none.
func (o Raise) Check() error { return CheckName(o.Link) }

// Inverse is none.
func (o Raise) Inverse() Op { return nil }

// Scope is the link.
func (o Raise) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the link is there and up.
func (o Raise) Holds(f *Facts) bool { return SetUp(o).Holds(f) }

func (o Raise) String() string { return "link set " + o.Link + " up for good" }

// A MacvtapOpener opens the guest's side of a macvtap device.
type MacvtapOpener interface {
	// OpenMacvtap returns queues open descriptors of the device that made has made, each one queue, with virtio-net headers
	// if made says so. They are in blocking mode, close on exec, and belong to the caller. More than one queue needs
	// Queues above one. A missing device wraps fs.ErrNotExist. The descriptors outlive the device, and never tell that it
	// is gone: see [Watcher].
	OpenMacvtap(ctx context.Context, made AddMacvtap, queues int) ([]*os.File, error)
}
