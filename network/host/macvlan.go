// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
)

// A GuestLink is a macvlan device in the network namespace of a guest, which stands on a device of this machine.
type GuestLink struct {
	// Namespace is the file of the network namespace.
	Namespace string
	Link
}

// String is the link in one line.
func (l GuestLink) String() string { return l.Link.String() + " in " + l.Namespace }

func compareGuestLinks(a, b GuestLink) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// AddMacvlan makes a macvlan device in another network namespace, on a device of this one. It is down:
//
//	ip link add link LOWER name LINK netns NAMESPACE address MAC mtu MTU type macvlan mode MODE [nopromisc]
//	ip -n NAMESPACE link set LINK alias OWNER
//
// Nothing of it is seen in this namespace. It ends with its own, and its guest may rename it, switch it on and give it other
// settings. What may stand together on one device is said at [AddMacvtap]; so are the errors. A name that is taken in the
// namespace is fs.ErrExist, a missing namespace fs.ErrNotExist, and the namespace of LOWER itself fs.ErrInvalid.
//
// In mode passthru MAC becomes the address of LOWER as well, until the device goes.
type AddMacvlan struct {
	Link, Lower string
	// Namespace is the file of the network namespace that gets the device, see [AddVeth].
	Namespace string
	// Mode is one of private, vepa, bridge and passthru.
	Mode string
	// MAC is the address of the guest.
	MAC   MAC
	Owner string
	// MTU of 0 leaves it to the kernel, which takes that of LOWER.
	MTU int `json:",omitempty"`
	// NoPromisc leaves LOWER what it takes in mode passthru, where it takes everything otherwise: then the guest gets what
	// its own filters ask for.
	NoPromisc bool `json:",omitempty"`
	// Was is the address that LOWER has without the device, in mode passthru; zero in other modes.
	Was MAC `json:",omitzero"`
}

// DelMacvlan removes a device that AddMacvlan with the same fields made: ip -n NAMESPACE link del LINK type macvlan. In mode
// passthru LOWER has the address Was again. It is found by its owner, whatever its guest has called it; another one counts
// as missing, and so does one whose namespace is gone.
type DelMacvlan AddMacvlan

// Check refuses names, addresses, modes, paths and numbers that the kernel would refuse.
func (o AddMacvlan) Check() error {
	if o.NoPromisc && o.Mode != Passthru {
		return invalid("macvlan %s: nopromisc in mode %s", o.Link, o.Mode)
	}
	return firstError(
		stands{"macvlan", o.Link, o.Lower, o.Mode, o.MAC, o.Was}.check(),
		checkNamespace("macvlan", o.Link, o.Namespace), checkNames(o.Link, o.Lower), checkMTU(o.MTU), checkOwner(o.Owner),
	)
}

// Inverse removes the device.
func (o AddMacvlan) Inverse() Op { return DelMacvlan(o) }

// Scope is the namespace and the device below.
func (o AddMacvlan) Scope() Scope {
	return Scope{Links: []string{o.Lower}, Namespaces: []string{o.Namespace}}
}

// Holds if there is such a device on LOWER, with that mode and owner. Its name, address and size are its guest's affair.
func (o AddMacvlan) Holds(f *Facts) bool {
	l := o.find(f)
	return l != nil && l.Lower == o.Lower && l.Mode == o.Mode && l.Owner == o.Owner
}

// find finds the device, whatever its guest has made of it.
func (o AddMacvlan) find(f *Facts) *GuestLink {
	for i, l := range f.Guests {
		if l.Namespace == o.Namespace && o.Made(l.Link) {
			return &f.Guests[i]
		}
	}
	return nil
}

func (o AddMacvlan) String() string {
	s := fmt.Sprintf("link add link %s name %s netns %s address %s", o.Lower, o.Link, o.Namespace, o.MAC)
	if o.MTU != 0 {
		s += fmt.Sprintf(" mtu %d", o.MTU)
	}
	s += " type macvlan mode " + o.Mode
	if o.NoPromisc {
		s += " nopromisc"
	}
	if o.Mode == Passthru {
		s += fmt.Sprintf(" (%s was %s)", o.Lower, o.Was)
	}
	return s
}

// Made reports whether a link of the namespace is the one that the operation makes: by its owner or, as long as it has none,
// by its name and address. It may not have its own name yet, see Born. One in mode passthru is born with that of the device below.
func (o AddMacvlan) Made(l Link) bool {
	if l.Kind != Macvlan || l.Lower != o.Lower && l.Lower != "" {
		return false
	}
	if l.Owner != "" {
		return l.Owner == o.Owner
	}
	return (l.Name == o.Link || l.Name == o.Born()) && (l.MAC == o.MAC || o.Mode == Passthru && l.Mode == Passthru && l.MAC == o.Was)
}

// Born is what the device is called before it has its name, if it needs a moment for that.
func (o AddMacvlan) Born() string { return fmt.Sprintf("vn%x", o.MAC[:]) }

// place is what the device is called on the machine as a whole.
func (o AddMacvlan) place() string { return o.Link + " in " + o.Namespace }

// Check is that of AddMacvlan.
func (o DelMacvlan) Check() error { return AddMacvlan(o).Check() }

// Inverse makes the device again; its guest has to switch it on anew.
func (o DelMacvlan) Inverse() Op { return AddMacvlan(o) }

// Scope is the namespace and the device below.
func (o DelMacvlan) Scope() Scope { return AddMacvlan(o).Scope() }

// Holds if there is no such device.
func (o DelMacvlan) Holds(f *Facts) bool { return AddMacvlan(o).find(f) == nil }

func (o DelMacvlan) String() string {
	s := fmt.Sprintf("link del %s netns %s type macvlan", o.Link, o.Namespace)
	if o.Mode == Passthru {
		s += fmt.Sprintf(", address of %s %s", o.Lower, o.Was)
	}
	return s
}
