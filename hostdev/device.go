// SPDX-License-Identifier: Apache-2.0

package hostdev

// A Device is a network device of the host that can be given to a guest: by its name, by its place on the PCI bus, or by
// both. A Device without a name is one of the PCI bus, whatever its Key is.
type Device struct {
	Name string
	// PCI is the zero Key where it is not known, or not on the PCI bus.
	PCI Key
}

// IsZero reports whether d names nothing.
func (d Device) IsZero() bool { return d == Device{} }

// OnPCI reports whether the place on the PCI bus is known.
func (d Device) OnPCI() bool { return d.PCI != Key{} || d.Name == "" }

// String returns the name, with the place on the PCI bus in parentheses, or whichever of them is known.
func (d Device) String() string {
	switch {
	case d.Name == "":
		return d.PCI.String()
	case d.OnPCI():
		return d.Name + " (" + d.PCI.String() + ")"
	}
	return d.Name
}
