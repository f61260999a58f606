// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A PCI is a place on the PCI bus. The zero PCI is none: there is no network card there.
type PCI struct{ Domain, Bus, Slot, Function uint32 }

// IsZero reports whether it is the zero PCI.
func (p PCI) IsZero() bool { return p == PCI{} }

// String is the name of the place in sysfs, such as 0000:04:10.2.
func (p PCI) String() string {
	return fmt.Sprintf("%04x:%02x:%02x.%x", p.Domain, p.Bus, p.Slot, p.Function)
}

// ParsePCI reads what String writes. The error wraps fs.ErrInvalid.
func ParsePCI(s string) (PCI, error) {
	var numbers [4]uint32
	rest := s
	for i, separator := range []string{":", ":", ".", ""} {
		digits, after, found := strings.Cut(rest, separator)
		if separator == "" {
			digits, found = rest, true
		}
		n, err := strconv.ParseUint(digits, 16, 32)
		if !found || err != nil {
			return PCI{}, invalid("%q is no place on the PCI bus: 0000:04:10.2 is one", s)
		}
		numbers[i], rest = uint32(n), after
	}
	return PCI{numbers[0], numbers[1], numbers[2], numbers[3]}, nil
}

// MarshalText returns the same text as String, and nothing for the zero PCI.
func (p PCI) MarshalText() ([]byte, error) {
	if p.IsZero() {
		return nil, nil
	}
	return []byte(p.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (p *PCI) UnmarshalText(text []byte) (err error) {
	*p = PCI{}
	if len(text) > 0 {
		*p, err = ParsePCI(string(text))
	}
	return err
}

func comparePCI(a, b PCI) int {
	return cmp.Or(cmp.Compare(a.Domain, b.Domain), cmp.Compare(a.Bus, b.Bus), cmp.Compare(a.Slot, b.Slot), cmp.Compare(a.Function, b.Function))
}

// A Function is a network card on the PCI bus as it was seen: one of the virtual functions of another, or a whole one.
type Function struct {
	PCI PCI
	// PF is the card whose virtual function it is, and Index its number there. A whole card has no PF.
	PF    string
	Index int
	// Generation tells it from others that were in the same place before: virtual functions go and come when somebody
	// changes their number. It is 0 if the machine does not tell.
	Generation uint64
	// Driver is the kernel's driver that has it, such as igbvf or vfio-pci; empty if none has.
	Driver string
	// Override is the one driver that may have it, by the word of an administrator; empty if any may that knows it.
	Override string
	// Link is its network device in the namespace that was looked at; empty if it has none there.
	Link string
	// Group is the number of its IOMMU group, which guests get as a whole; empty if the machine has no IOMMU. Siblings are
	// the other devices in it.
	Group    string
	Siblings []Sibling
	// Node is what the driver that passes it through calls it, such as vfio0; empty if none does, or does not tell.
	Node string
	// VF is what its card does for it, and Fixed that its network device got its address from the card, and did not make up
	// one. Both are told only of virtual functions, and if [Scope.VFs] asks for them.
	VF    VF
	Fixed bool
}

// A Sibling is another device of an IOMMU group, of whatever kind, with the driver that has it; empty is none.
type Sibling struct {
	PCI    PCI
	Driver string
}

// PassesThrough reports whether a driver hands devices over to guests: vfio-pci, or one of its variants for certain cards.
func PassesThrough(driver string) bool {
	return strings.HasSuffix(strings.ReplaceAll(driver, "_", "-"), "vfio-pci")
}

// Shared finds a device of the function's IOMMU group that stands against handing it over: one that a driver of the host
// has. Bridges of the bus, and what only keeps a device from others, do no harm.
func (n *Function) Shared() (Sibling, bool) {
	for _, s := range n.Siblings {
		if s.Driver != "" && s.Driver != "pcieport" && s.Driver != "pci-stub" && !PassesThrough(s.Driver) {
			return s, true
		}
	}
	return Sibling{}, false
}

// String is the function in one line.
func (n Function) String() string {
	s := n.PCI.String()
	if n.PF != "" {
		s += fmt.Sprintf(" of %s number %d", n.PF, n.Index)
	}
	for _, word := range []struct{ name, value string }{
		{"driver", n.Driver}, {"override", n.Override}, {"link", n.Link}, {"group", n.Group}, {"node", n.Node},
	} {
		if word.value != "" {
			s += " " + word.name + " " + word.value
		}
	}
	for _, sibling := range n.Siblings {
		s += " with " + sibling.PCI.String()
		if sibling.Driver != "" {
			s += " driver " + sibling.Driver
		}
	}
	if n.VF != (VF{}) {
		s += " " + n.VF.String()
	}
	if n.Fixed {
		s += " fixed"
	}
	return s
}

func compareFunctions(a, b Function) int {
	return cmp.Or(cmp.Compare(a.PF, b.PF), cmp.Compare(a.Index, b.Index), comparePCI(a.PCI, b.PCI))
}
