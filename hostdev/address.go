// SPDX-License-Identifier: Apache-2.0

package hostdev

import (
	"fmt"

	"github.com/go-virtnet/virtnet/network/schema"
)

// An Address is an <address> element that names a device on the PCI bus of the host. Absent numbers
// are 0.
//
//	<address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x2'/>
type Address struct {
	Type          AddressType  `xml:"type,attr,omitempty"`
	Domain        Hex4         `xml:"domain,attr"`
	Bus           Hex2         `xml:"bus,attr"`
	Slot          Hex2         `xml:"slot,attr"`
	Function      Hex1         `xml:"function,attr"`
	Multifunction schema.OnOff `xml:"multifunction,attr,omitempty"`
	schema.Extra
}

// An AddressType is the bus of an [Address]. The zero AddressType is absent.
type AddressType uint8

// The buses. Only PCI can be used.
const (
	PCI AddressType = iota + 1
	NoAddress
	NetDev
)

var addressTypeWords = []string{"", "pci", "none", "netdev"}

// String returns the word of the document, "" when absent.
func (t AddressType) String() string { return schema.Word(addressTypeWords, t) }

// MarshalText returns the same text as String.
func (t AddressType) MarshalText() ([]byte, error) { return schema.MarshalWord(addressTypeWords, t) }

// UnmarshalText accepts the words of the document.
func (t *AddressType) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(addressTypeWords, text, t)
}

// Key is the device that an [Address] names, comparable.
type Key struct{ Domain, Bus, Slot, Function uint32 }

// String returns the name of the device in sysfs: 0000:04:10.2.
func (k Key) String() string {
	return fmt.Sprintf("%04x:%02x:%02x.%x", k.Domain, k.Bus, k.Slot, k.Function)
}

// Key returns the device.
func (a *Address) Key() Key {
	return Key{uint32(a.Domain), uint32(a.Bus), uint32(a.Slot), uint32(a.Function)}
}

// NewAddress returns the element that names the device k.
func NewAddress(k Key) Address {
	return Address{Type: PCI, Domain: Hex4(k.Domain), Bus: Hex2(k.Bus), Slot: Hex2(k.Slot), Function: Hex1(k.Function)}
}

// String returns the name of the device in sysfs: 0000:04:10.2.
func (a *Address) String() string { return a.Key().String() }

// Clone returns a copy that shares nothing with a, nil for nil.
func (a *Address) Clone() *Address {
	if a == nil {
		return nil
	}
	c := *a
	c.Extra = schema.CloneExtra(a.Extra)
	return &c
}
