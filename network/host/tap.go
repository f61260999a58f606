// SPDX-License-Identifier: Apache-2.0

package host

import "fmt"

// AddTap makes a persistent tap device, down and in no bridge:
//
//	ip tuntap add dev LINK mode tap [multi_queue] [vnet_hdr] [user USER] [group GROUP]
//	ip link set LINK address MAC mtu MTU alias OWNER addrgenmode none
//
// It exists from the moment all of this is done, or not at all. Its guest side is opened with a [TapOpener].
type AddTap struct {
	Link string
	// MAC is the address of the host's side, not of the guest.
	MAC   MAC
	Owner string
	// MTU of 0 leaves it to the kernel, which takes 1500.
	MTU int
	// Queues above one make a tap that can be opened that many times.
	Queues int
	// VnetHdr puts a virtio-net header before each frame.
	VnetHdr bool
	// User and Group may open the device besides root; nil means nobody else.
	User, Group *uint32
}

// DelTap removes a tap that AddTap with the same fields made: ip tuntap del dev LINK mode tap. A link that is no tap or
// has another hardware address counts as missing. A guest that still has it open sees its descriptors fail.
type DelTap AddTap

// MaxQueues is the largest number of queues the kernel gives a tap.
const MaxQueues = 256

// Check refuses names, addresses and numbers that the kernel would refuse.
func (o AddTap) Check() error {
	if o.MAC.IsZero() || o.MAC[0]&1 != 0 {
		return invalid("tap %s: hardware address %s", o.Link, o.MAC)
	}
	if o.Queues < 0 || o.Queues > MaxQueues {
		return invalid("tap %s: %d queues, at most %d are allowed", o.Link, o.Queues, MaxQueues)
	}
	return firstError(CheckName(o.Link), checkMTU(o.MTU), checkOwner(o.Owner))
}

// Inverse removes the tap.
func (o AddTap) Inverse() Op { return DelTap(o) }

// Scope is the link.
func (o AddTap) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if there is a tap of that name with that hardware address and owner.
func (o AddTap) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l != nil && l.Kind == Tap && l.MAC == o.MAC && l.Owner == o.Owner && (o.MTU == 0 || l.MTU == o.MTU)
}

func (o AddTap) String() string {
	s := fmt.Sprintf("tuntap add dev %s mode tap", o.Link)
	if o.Queues > 1 {
		s += fmt.Sprintf(" multi_queue %d", o.Queues)
	}
	if o.VnetHdr {
		s += " vnet_hdr"
	}
	s += " address " + o.MAC.String()
	if o.MTU != 0 {
		s += fmt.Sprintf(" mtu %d", o.MTU)
	}
	return s
}

// Check is that of AddTap.
func (o DelTap) Check() error { return AddTap(o).Check() }

// Inverse makes the tap again; a guest has to open it anew.
func (o DelTap) Inverse() Op { return AddTap(o) }

// Scope is the link.
func (o DelTap) Scope() Scope { return AddTap(o).Scope() }

// Holds if there is no tap of that name and hardware address.
func (o DelTap) Holds(f *Facts) bool {
	l := f.Link(o.Link)
	return l == nil || l.Kind != Tap || l.MAC != o.MAC
}

func (o DelTap) String() string { return "tuntap del dev " + o.Link + " mode tap" }
