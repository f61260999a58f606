// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
)

// A Class guarantees a rate to one station behind a link whose egress is shaped: the floor of a port on the bridge of its
// network. What the station does not use others may, and it may use what others leave, up to the ceiling of the link.
type Class struct {
	Link string
	// ID is the class's number on the link: it is class 1:ID, with ID in hexadecimal. Numbers up to 2 are taken.
	ID uint16
	// MAC is the station's address: what is sent to it is in the class, of whatever protocol. Zero, in facts only, is a
	// class that nothing is sent into.
	MAC MAC
	// Rate is what is guaranteed, in kilobytes of 1000 bytes per second.
	Rate uint64
	// BPF has the filter be of kind bpf, for a kernel without u32. Those are tried one after the other.
	BPF bool `json:",omitempty"`
}

// MinClass is the lowest number of a class.
const MinClass = 3

// String is the class in one line.
func (c Class) String() string {
	return fmt.Sprintf("dev %s classid 1:%x rate %dkbps dst %s", c.Link, c.ID, c.Rate, c.MAC) + byBPF(c.BPF)
}

func (c Class) check() error {
	switch {
	case c.ID < MinClass:
		return invalid("class %d of %s: the lowest is %d", c.ID, c.Link, MinClass)
	case c.MAC.IsZero() || c.MAC[0]&1 != 0:
		return invalid("class %d of %s: hardware address %s", c.ID, c.Link, c.MAC)
	case c.Rate == 0 || c.Rate > MaxRate:
		return invalid("class %d of %s: rate of %d kB/s is not between 1 and %d", c.ID, c.Link, c.Rate, uint64(MaxRate))
	}
	return CheckName(c.Link)
}

func compareClasses(a, b Class) int {
	return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.ID, b.ID))
}

// Guaranteed is the sum of what classes guarantee; false if it is more than 64 bits hold.
func Guaranteed(classes []Class) (sum uint64, ok bool) {
	for _, c := range classes {
		if sum+c.Rate < sum {
			return 0, false
		}
		sum += c.Rate
	}
	return sum, true
}

// Residual is the rate of class 1:2, of everybody who has no class: what guarantees leave of a rate, and not less than
// 1 kB/s, without which the kernel would send nothing at all.
func Residual(rate, guaranteed uint64) uint64 {
	if guaranteed >= rate {
		return 1
	}
	return rate - guaranteed
}

// AddClass guarantees a rate to a station:
//
//	tc class add dev LINK parent 1:1 classid 1:ID htb rate RATE ceil CEIL
//	tc qdisc add dev LINK parent 1:ID QUEUE
//	tc filter add dev LINK parent 1: protocol all u32 match ether dst MAC flowid 1:ID
//	tc class change dev LINK parent 1:1 classid 1:2 htb rate RESIDUAL ceil CEIL
//
// CEIL and QUEUE are those of the link's shape. A link that is missing, or whose egress is not shaped, is fs.ErrNotExist;
// a number or an address that has a class already is fs.ErrExist; a guarantee that makes the sum of all larger than the
// ceiling is fs.ErrInvalid.
type AddClass Class

// DelClass takes a class away that AddClass with the same link, number and address made: tc class del dev LINK classid
// 1:ID, with its queue and filter. Class 1:2 gets back what was guaranteed. One of another address counts as missing.
type DelClass Class

// SetClass changes what a class guarantees, and to whom: tc class change dev LINK parent 1:1 classid 1:ID htb rate RATE ceil
// CEIL. Was is what it replaces; both have the same link and number. The same twice mends a class that nothing is sent into
// any more. The errors are those of AddClass and DelClass.
type SetClass struct {
	Class, Was Class
}

// Check refuses numbers, addresses and rates that are none.
func (o AddClass) Check() error { return Class(o).check() }

// Inverse takes the class away.
func (o AddClass) Inverse() Op { return DelClass(o) }

// Scope is the link and its shape.
func (o AddClass) Scope() Scope { return Scope{Links: []string{o.Link}, Shapes: []string{o.Link}} }

// Holds if the link has exactly this class.
func (o AddClass) Holds(f *Facts) bool { return f.Class(o.Link, o.ID) == Class(o) }

func (o AddClass) String() string { return "tc class add " + Class(o).String() }

// Check is that of AddClass.
func (o DelClass) Check() error { return AddClass(o).Check() }

// Inverse makes the class again.
func (o DelClass) Inverse() Op { return AddClass(o) }

// Scope is the shape of the link.
func (o DelClass) Scope() Scope { return AddClass(o).Scope() }

// Holds if the link has no class of that number and address.
func (o DelClass) Holds(f *Facts) bool {
	c := f.Class(o.Link, o.ID)
	return c.ID == 0 || !c.MAC.IsZero() && c.MAC != o.MAC
}

func (o DelClass) String() string { return "tc class del " + Class(o).String() }

// Check refuses what that of AddClass refuses, and two different numbers or links.
func (o SetClass) Check() error {
	if o.Class.Link != o.Was.Link || o.Class.ID != o.Was.ID {
		return invalid("class %d of %s in place of class %d of %s", o.Class.ID, o.Class.Link, o.Was.ID, o.Was.Link)
	}
	return firstError(o.Class.check(), o.Was.check())
}

// Inverse puts the old guarantee back.
func (o SetClass) Inverse() Op { return SetClass{Class: o.Was, Was: o.Class} }

// Scope is the shape of the link.
func (o SetClass) Scope() Scope { return AddClass(o.Class).Scope() }

// Holds if the link has exactly this class.
func (o SetClass) Holds(f *Facts) bool { return AddClass(o.Class).Holds(f) }

func (o SetClass) String() string {
	return fmt.Sprintf("tc class change %s (was rate %dkbps dst %s)", o.Class, o.Was.Rate, o.Was.MAC)
}
