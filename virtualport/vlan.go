// SPDX-License-Identifier: Apache-2.0

package virtualport

import (
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A VLAN is a <vlan> element: the VLANs whose traffic the guest gets. With one plain tag the guest sees
// untagged frames; a trunk passes tagged frames to the guest.
//
//	<vlan trunk='yes'>
//	  <tag id='42' nativeMode='untagged'/>
//	  <tag id='123'/>
//	</vlan>
type VLAN struct {
	// Trunk is implied by more than one tag.
	Trunk schema.YesNo `xml:"trunk,attr,omitempty" doc:"blank,anycase"`
	Tags  []Tag        `xml:"tag"`
	schema.Extra
}

// IsTrunk reports whether tagged frames pass to the guest.
func (v *VLAN) IsTrunk() bool { return v != nil && (v.Trunk == schema.Yes || len(v.Tags) > 1) }

// Single returns the number of the VLAN that all of the guest's frames are in, and 0 when there is none or more than one.
func (v *VLAN) Single() int {
	if v == nil || v.IsTrunk() || len(v.Tags) != 1 {
		return 0
	}
	return int(v.Tags[0].ID.Uint())
}

// A Tag is a <tag> element: one VLAN.
//
//	<tag id='42' nativeMode='untagged'/>
type Tag struct {
	// ID is the number of the VLAN. It must be given; 1 to 4094 are usable.
	ID schema.Number `xml:"id,attr,omitempty"`
	// NativeMode marks the one VLAN of a trunk that untagged frames of the guest belong to.
	NativeMode NativeMode `xml:"nativeMode,attr,omitempty"`
	schema.Extra
}

// A NativeMode says how the native VLAN of a trunk leaves towards the guest. The zero NativeMode is
// absent: the tag is not the native one.
type NativeMode uint8

// The modes.
const (
	Tagged NativeMode = iota + 1
	Untagged
)

var nativeModeWords = []string{"", "tagged", "untagged"}

// String returns the word of the document, "" when absent.
func (m NativeMode) String() string { return schema.Word(nativeModeWords, m) }

// MarshalText returns the same text as String.
func (m NativeMode) MarshalText() ([]byte, error) { return schema.MarshalWord(nativeModeWords, m) }

// UnmarshalText accepts the two words of the document.
func (m *NativeMode) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(nativeModeWords, text, m)
}

// Clone returns a copy that shares nothing with v, nil for nil.
func (v *VLAN) Clone() *VLAN {
	if v == nil {
		return nil
	}
	c := *v
	c.Extra = schema.CloneExtra(v.Extra)
	c.Tags = slices.Clone(v.Tags)
	for i := range c.Tags {
		c.Tags[i].Extra = schema.CloneExtra(c.Tags[i].Extra)
	}
	return &c
}
