// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"io/fs"
	"strings"
)

// A Driver is what has a network card: its name, and the network device that it makes if it is one of the host. The zero
// Driver is none.
type Driver struct {
	Name string `json:",omitempty"`
	// Override is the one driver that may have the card; empty if any may that knows it.
	Override string `json:",omitempty"`
	// Link is the network device, and the others what it has; empty if it has none here.
	Link string `json:",omitempty"`
	MAC  MAC    `json:",omitzero"`
	MTU  int    `json:",omitempty"`
	Up   bool   `json:",omitempty"`
}

// String is the driver in a few words.
func (d Driver) String() string {
	s := cmpOr(d.Name, "none")
	if d.Override != d.Name && d.Override != "" {
		s += " override " + d.Override
	}
	if d.Link != "" {
		s += fmt.Sprintf(" with link %s address %s mtu %d", d.Link, d.MAC, d.MTU)
		if d.Up {
			s += " up"
		}
	}
	return s
}

func (d Driver) check() error {
	switch {
	case d.Link == "" && (d.Up || d.MTU != 0 || !d.MAC.IsZero()), d.Link != "" && (d.Name == "" || d.MAC.IsZero() || d.MAC[0]&1 != 0):
		return invalid("driver %q with link %q address %s mtu %d", d.Name, d.Link, d.MAC, d.MTU)
	case d.Link != "":
		return firstError(CheckName(d.Link), checkMTU(d.MTU), checkDriver(d.Name), checkDriver(d.Override))
	}
	return firstError(checkDriver(d.Name), checkDriver(d.Override))
}

// checkDriver takes names that a driver of the PCI bus can have, and none.
func checkDriver(name string) error {
	if len(name) > 63 || strings.HasPrefix(name, ".") || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
		return invalid("driver %q", name)
	}
	return nil
}

// SetDriver gives a network card to another driver: driverctl --nosave set-override PCI DRIVER. Its network device goes, and
// one that the new driver makes gets the name, address, size and state of Driver, in this namespace, wherever it appears.
// Was is what has the card before.
//
// A card that is not there, or is another one, is fs.ErrNotExist. One that the host uses is fs.ErrExist: its network
// device has addresses, carries macvtap devices, or is a part of something else, or of its IOMMU group a driver of the host has another device,
// which would then stand against handing it over. A driver that the machine does not have is errors.ErrUnsupported. It may be done
// twice, and takes up what was left half done.
type SetDriver struct {
	PCI         PCI
	Generation  uint64
	Driver, Was Driver
}

// Check refuses names that are none, and a change of nothing.
func (o SetDriver) Check() error {
	switch {
	case o.PCI.IsZero():
		return invalid("driver of no card")
	case o.Driver.Name == o.Was.Name:
		return invalid("driver of %s is %s (was %s)", o.PCI, o.Driver, o.Was)
	}
	return firstError(o.Driver.check(), o.Was.check())
}

// Inverse gives it back.
func (o SetDriver) Inverse() Op {
	o.Driver, o.Was = o.Was, o.Driver
	return o
}

// Scope is the card, and what its network device may carry.
func (o SetDriver) Scope() Scope { return Scope{PCI: []PCI{o.PCI}, Macvtaps: true} }

// Holds if the driver has the card, with the network device that is to be, of that address. Its size and state are the
// affair of who uses it.
func (o SetDriver) Holds(f *Facts) bool {
	fn := f.Function(o.PCI)
	if fn == nil || fn.Generation != o.Generation || fn.Driver != o.Driver.Name || fn.Override != o.Driver.Override {
		return false
	}
	if o.Driver.Link == "" {
		return true
	}
	l := f.Link(fn.Link)
	return l != nil && l.Name == o.Driver.Link && l.MAC == o.Driver.MAC
}

// Refusal says what stands against the operation on a machine with these facts; nil if nothing does.
func (o SetDriver) Refusal(f *Facts) error {
	fn := f.Function(o.PCI)
	if err := sameFunction(fn, o.PCI, o.Generation); err != nil || fn.Driver == o.Driver.Name {
		return err
	}
	if err := f.leftAlone(fn); err != nil {
		return err
	}
	if s, ok := fn.Shared(); ok && PassesThrough(o.Driver.Name) {
		return fmt.Errorf("%s is in IOMMU group %s with %s, which driver %s has: %w", fn.PCI, fn.Group, s.PCI, s.Driver, fs.ErrExist)
	}
	return nil
}

// leftAlone refuses a card that the host uses.
func (f *Facts) leftAlone(fn *Function) error {
	if why := f.uses(fn); why != "" {
		return fmt.Errorf("%s %s: %w", fn.PCI, why, fs.ErrExist)
	}
	return nil
}

// uses says what the host itself does with a card by its network device, in words that follow its name; empty if nothing.
// Addresses that the kernel made up do not count.
func (f *Facts) uses(fn *Function) string {
	l := f.Link(fn.Link)
	switch {
	case l == nil || fn.Link == "":
		return ""
	case l.Master != "":
		return "is a port of bridge " + l.Master
	case l.Member != "":
		return "is a part of " + l.Member
	}
	for _, upper := range f.Links {
		if upper.Lower == l.Name {
			return "carries " + upper.Name
		}
	}
	for _, a := range f.Addrs {
		if a.Link == l.Name && (a.Prefix.Addr().Is4() || !a.Prefix.Addr().IsLinkLocalUnicast()) {
			return fmt.Sprintf("is used by the host, which has address %s there", a.Prefix)
		}
	}
	return ""
}

func (o SetDriver) String() string {
	return fmt.Sprintf("driver of %s is %s (was %s)", o.PCI, o.Driver, o.Was)
}
