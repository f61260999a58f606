// SPDX-License-Identifier: Apache-2.0

package virtualport

import "github.com/go-virtnet/virtnet/network/schema"

// A VirtualPort is a <virtualport> element: the kind of switch and the profile that the switch keeps
// for the guest.
//
//	<virtualport type='802.1Qbg'>
//	  <parameters managerid='11' typeid='1193047' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/>
//	</virtualport>
type VirtualPort struct {
	// Type is absent where another element it is merged with gives it.
	Type       Type        `xml:"type,attr,omitempty"`
	Parameters *Parameters `xml:"parameters" doc:"anyns"`
	schema.Extra
}

// A Type is a kind of switch. The zero Type is absent.
type Type uint8

// The kinds of switch.
const (
	Qbg         Type = iota + 1 // 802.1Qbg: a switch that is told by VDP
	Qbh                         // 802.1Qbh: a port extender
	OpenVSwitch                 // an Open vSwitch bridge on the host
	Midonet                     // a Midonet agent on the host
)

var typeWords = []string{"", "802.1Qbg", "802.1Qbh", "openvswitch", "midonet"}

// String returns the word of the document, "" when absent.
func (t Type) String() string { return schema.Word(typeWords, t) }

// MarshalText returns the same text as String.
func (t Type) MarshalText() ([]byte, error) { return schema.MarshalWord(typeWords, t) }

// UnmarshalText accepts the four words of the document.
func (t *Type) UnmarshalText(text []byte) error { return schema.UnmarshalWord(typeWords, text, t) }

// Parameters are the <parameters> of a profile. Which of them are allowed depends on the type.
//
//	<parameters interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f' profileid='web'/>
type Parameters struct {
	// ManagerID is the database of profiles, 0 to 255 (802.1Qbg).
	ManagerID schema.CNumber32 `xml:"managerid,attr,omitempty"`
	// TypeID is the profile in that database, 0 to 16777215 (802.1Qbg).
	TypeID schema.CNumber32 `xml:"typeid,attr,omitempty"`
	// TypeIDVersion is the version of the profile, 0 to 255 (802.1Qbg).
	TypeIDVersion schema.CNumber32 `xml:"typeidversion,attr,omitempty"`
	// InstanceID names the guest's interface for the switch (802.1Qbg).
	InstanceID schema.UUID `xml:"instanceid,attr,omitempty"`
	// InterfaceID names the guest's interface for the switch (openvswitch, midonet).
	InterfaceID schema.UUID `xml:"interfaceid,attr,omitempty"`
	// ProfileID is the name of the profile, at most 39 bytes (802.1Qbh, openvswitch).
	ProfileID string `xml:"profileid,attr,omitempty"`
	schema.Extra
}

// Clone returns a copy that shares nothing with v, nil for nil.
func (v *VirtualPort) Clone() *VirtualPort {
	if v == nil {
		return nil
	}
	c := *v
	c.Extra = schema.CloneExtra(v.Extra)
	if v.Parameters != nil {
		p := *v.Parameters
		p.Extra = schema.CloneExtra(v.Parameters.Extra)
		c.Parameters = &p
	}
	return &c
}
