// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxName is the longest name of a Linux network device, in bytes (IFNAMSIZ less its end).
const MaxName = 15

// A Kind is what a link is, in the word of "ip link ... type".
type Kind string

// The kinds that operations of this package make. Other links carry the kernel's own word, or none if they are
// hardware.
const (
	Bridge Kind = "bridge"
	Tap    Kind = "tap"
	Veth   Kind = "veth"
)

// The kinds that stand on another device and take a part of its traffic, or all of it, by hardware address.
const (
	Macvtap Kind = "macvtap"
	Macvlan Kind = "macvlan"
)

// A Link is a network device as it was seen.
type Link struct {
	Name string
	Kind Kind
	MAC  MAC
	MTU  int
	// Up is the administrative state, not the carrier.
	Up bool
	// Owner is our mark on the device (IFLA_IFALIAS); empty on a device that is not ours.
	Owner string
	// Master is the bridge it is plugged into; empty if none.
	Master string
	// Lower is the device that it stands on, of a VLAN or macvtap device; empty on others, and where that is in another
	// namespace.
	Lower string
	// VLAN is the number of a VLAN device; 0 on others.
	VLAN int
	// Member is the bond, VRF or other device that is no bridge and has this one as its part; empty if none.
	Member string
	// Mode is how a macvtap or macvlan device reaches others on the device below, in the word of "ip link ... mode":
	// private, vepa, bridge, passthru, source. Empty on others.
	Mode string
	// PCI is where a network card is on the PCI bus; the zero PCI on others.
	PCI PCI
	// STP and ForwardDelay are those of a bridge, in hundredths of a second.
	STP          bool
	ForwardDelay int
	// VLANFiltering is whether a bridge keeps VLANs apart.
	VLANFiltering bool
	// Isolated, NoLearning and NoFlood are the flags of a bridge port, and VLANs those it is in. [Facts.Stations] are its
	// stations.
	Isolated, NoLearning, NoFlood bool
	VLANs                         VLANs `json:",omitzero"`
	// Hairpin says that a port reflects, see [Reflect].
	Hairpin bool
}

// String is the link in one line.
func (l Link) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s type %s mac %s mtu %d", l.Name, cmpOr(string(l.Kind), "-"), l.MAC, l.MTU)
	flag := func(on bool, text string) {
		if on {
			b.WriteString(" " + text)
		}
	}
	flag(l.Up, "up")
	flag(l.Master != "", "master "+l.Master)
	flag(l.Lower != "", "on "+l.Lower)
	flag(l.VLAN != 0, fmt.Sprintf("vlan %d", l.VLAN))
	flag(l.Member != "", "member of "+l.Member)
	flag(l.Mode != "", "mode "+l.Mode)
	flag(!l.PCI.IsZero(), "pci "+l.PCI.String())
	flag(l.Kind == Bridge, fmt.Sprintf("stp %s delay %d", onOff(l.STP), l.ForwardDelay))
	flag(l.VLANFiltering, "vlan filtering")
	flag(l.Isolated, "isolated")
	flag(l.NoLearning, "learning off")
	flag(l.NoFlood, "flood off")
	flag(l.Hairpin, "hairpin on")
	flag(!l.VLANs.IsZero(), l.VLANs.String())
	flag(l.Owner != "", fmt.Sprintf("owner %q", l.Owner))
	return b.String()
}

// CheckName says whether name can be the name of a network device: 1 to 15 bytes, no slash, colon, blank or control
// character, and neither "." nor "..". A percent sign is refused as well, because the kernel takes it for a template.
// The error wraps fs.ErrInvalid.
func CheckName(name string) error {
	switch {
	case name == "":
		return invalid("device name is empty")
	case len(name) > MaxName:
		return invalid("device name %q has %d bytes, at most %d are allowed", name, len(name), MaxName)
	case name == "." || name == "..":
		return invalid("device name %q", name)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("/:%\"\\", c) >= 0 {
			return invalid("device name %q has the character %q", name, c)
		}
	}
	return nil
}

// checkNames is CheckName of several.
func checkNames(names ...string) error {
	for _, name := range names {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// checkMTU takes 0, which leaves the size to the kernel, and what an Ethernet device can have.
func checkMTU(mtu int) error {
	if mtu != 0 && (mtu < 68 || mtu > 65535) {
		return invalid("mtu %d is not between 68 and 65535", mtu)
	}
	return nil
}

// checkOwner keeps the mark within what the kernel stores (IFALIASZ), one line, and what JSON gives back.
func checkOwner(owner string) error {
	if len(owner) > 255 || !utf8.ValidString(owner) || strings.ContainsFunc(owner, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return invalid("owner %q", owner)
	}
	return nil
}

// SetUp switches a link on: ip link set LINK up.
type SetUp struct{ Link string }

// SetDown switches a link off: ip link set LINK down. The kernel then forgets the routes of the link and its IPv6
// addresses.
type SetDown struct{ Link string }

// Check refuses a name that is none.
func (o SetUp) Check() error { return CheckName(o.Link) }

// Inverse switches it off.
func (o SetUp) Inverse() Op { return SetDown(o) }

// Scope is the link.
func (o SetUp) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the link is there and up.
func (o SetUp) Holds(f *Facts) bool { l := f.Link(o.Link); return l != nil && l.Up }

func (o SetUp) String() string { return "link set " + o.Link + " up" }

// Check refuses a name that is none.
func (o SetDown) Check() error { return CheckName(o.Link) }

// Inverse switches it on.
func (o SetDown) Inverse() Op { return SetUp(o) }

// Scope is the link.
func (o SetDown) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the link is down or not there.
func (o SetDown) Holds(f *Facts) bool { l := f.Link(o.Link); return l == nil || !l.Up }

func (o SetDown) String() string { return "link set " + o.Link + " down" }

// SetMTU changes the largest packet of a link: ip link set LINK mtu MTU. Was is what it replaces.
type SetMTU struct {
	Link     string
	MTU, Was int
}

// Check refuses sizes that no Ethernet device has.
func (o SetMTU) Check() error {
	if o.MTU == 0 || o.Was == 0 {
		return invalid("mtu of %s is %d (was %d)", o.Link, o.MTU, o.Was)
	}
	return firstError(CheckName(o.Link), checkMTU(o.MTU), checkMTU(o.Was))
}

// Inverse puts the old size back.
func (o SetMTU) Inverse() Op { return SetMTU{Link: o.Link, MTU: o.Was, Was: o.MTU} }

// Scope is the link.
func (o SetMTU) Scope() Scope { return Scope{Links: []string{o.Link}} }

// Holds if the link has that size.
func (o SetMTU) Holds(f *Facts) bool { l := f.Link(o.Link); return l != nil && l.MTU == o.MTU }

func (o SetMTU) String() string {
	return fmt.Sprintf("link set %s mtu %d (was %d)", o.Link, o.MTU, o.Was)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func cmpOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
