// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/xml"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// A Port is a <networkport> document: the record that ties one interface of a guest to a network.
//
//	<networkport>
//	  <uuid>7f7a3a4c-5d6e-4f70-8192-a3b4c5d6e7f8</uuid>
//	  <owner>
//	    <name>web</name>
//	    <uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid>
//	  </owner>
//	  <mac address='52:54:00:00:00:01'/>
//	  <plug type='network' bridge='virbr0'/>
//	</networkport>
type Port struct {
	XMLName xml.Name `xml:"networkport"`

	UUID  schema.UUID `xml:"uuid"`
	Owner *Owner      `xml:"owner"`
	// Group is the port group that the interface asked for.
	Group       string                   `xml:"group,omitempty"`
	MAC         *MAC                     `xml:"mac"`
	VirtualPort *virtualport.VirtualPort `xml:"virtualport"`
	Bandwidth   *qos.Bandwidth           `xml:"bandwidth" doc:"open"`
	VLAN        *virtualport.VLAN        `xml:"vlan" doc:"open"`
	Port        *virtualport.Port        `xml:"port"`
	RxFilters   *RxFilters               `xml:"rxfilters"`
	// Plug is what the interface was given. Nil before that.
	Plug *Plug `xml:"plug"`

	schema.Extra
	Source schema.Source `xml:"-"`
}

// An Owner is the <owner> of a port: the guest.
//
//	<owner>
//	  <name>web</name>
//	  <uuid>0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9</uuid>
//	</owner>
type Owner struct {
	Name string      `xml:"name"`
	UUID schema.UUID `xml:"uuid"`
	schema.Extra
}

// RxFilters is an <rxfilters> element: whether the host follows when the guest changes its MAC address or
// its filters.
//
//	<rxfilters trustGuest='yes'/>
type RxFilters struct {
	TrustGuest schema.YesNo `xml:"trustGuest,attr,omitempty"`
	schema.Extra
}

// A Plug is a <plug> element: the device of the host that the interface is plugged into. Which of its
// fields are used depends on Type.
//
//	<plug type='network' bridge='virbr0' macTableManager='libvirt'/>
//	<plug type='bridge' bridge='br0'/>
//	<plug type='direct' dev='eth0' mode='vepa'/>
//	<plug type='hostdev-pci' managed='yes'>
//	  <driver name='vfio'/>
//	  <address domain='0x0000' bus='0x04' slot='0x10' function='0x2'/>
//	</plug>
type Plug struct {
	Type            PlugType               `xml:"type,attr,omitempty"`
	Bridge          schema.Text            `xml:"bridge,attr,omitempty"`
	MACTableManager schema.MACTableManager `xml:"macTableManager,attr,omitempty"`
	Dev             schema.Text            `xml:"dev,attr,omitempty"`
	// Mode is vepa when absent.
	Mode    schema.MacvtapMode `xml:"mode,attr,omitempty"`
	Managed schema.YesNo       `xml:"managed,attr,omitempty"`
	Driver  *hostdev.Driver    `xml:"driver"`
	Address *hostdev.Address   `xml:"address"`
	schema.Extra
}

// A PlugType is a kind of [Plug]. The zero PlugType is absent: nothing is plugged in.
type PlugType uint8

// The kinds.
const (
	PlugNone       PlugType = iota + 1
	PlugNetwork             // the bridge that the network made
	PlugBridge              // a bridge of the host
	PlugDirect              // a macvtap device on a network device
	PlugHostdevPCI          // a PCI network device
)

var plugTypeWords = []string{"", "none", "network", "bridge", "direct", "hostdev-pci"}

// String returns the word of the document, "" when absent.
func (t PlugType) String() string { return schema.Word(plugTypeWords, t) }

// MarshalText returns the same text as String.
func (t PlugType) MarshalText() ([]byte, error) { return schema.MarshalWord(plugTypeWords, t) }

// UnmarshalText accepts the words of the document.
func (t *PlugType) UnmarshalText(text []byte) error {
	return schema.UnmarshalWord(plugTypeWords, text, t)
}
