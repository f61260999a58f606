// SPDX-License-Identifier: Apache-2.0

package domainiface

import "github.com/go-virtnet/virtnet/network/schema"

// A MAC is a <mac> element: the hardware address of the device in the guest.
//
//	<mac address='52:54:00:0a:0b:0c'/>
type MAC struct {
	// Address that is absent or all zeros is left to [Interface.Complete].
	Address schema.MAC `xml:"address,attr" doc:"lax"`
	// Type and Check are of VMware.
	Type  MACType      `xml:"type,attr,omitempty"`
	Check schema.YesNo `xml:"check,attr,omitempty"`
	// CurrentAddress is what a trusted guest changed its address to: only in what is told of a running
	// guest.
	CurrentAddress schema.MAC `xml:"currentAddress,attr"`
	schema.Extra
}

// A MACType says where an address comes from, for VMware. The zero MACType is absent.
type MACType uint8

// The words for it.
const (
	MACGenerated MACType = iota + 1
	MACStatic
)

var macTypeWords = []string{"", "generated", "static"}

// String returns the word of the document, "" when absent.
func (t MACType) String() string { return schema.Word(macTypeWords, t) }

// MarshalText returns the same text as String.
func (t MACType) MarshalText() ([]byte, error) { return schema.MarshalWord(macTypeWords, t) }

// UnmarshalText accepts the two words of the document.
func (t *MACType) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(macTypeWords, text, t)
}
