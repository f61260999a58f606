// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Source is a <source> element: what an interface is connected to. Which of its fields are used depends
// on the type of the interface.
//
//	<source network='default' portgroup='sales'/>                                           network
//	<source bridge='br0'/>                                                                  bridge
//	<source dev='eth0' mode='bridge'/>                                                      direct
//	<source>                                                                                hostdev
//	  <address type='pci' domain='0x0000' bus='0x04' slot='0x10' function='0x2'/>
//	</source>
//	<source>                                                                                ethernet
//	  <ip address='192.0.2.1' prefix='24'/>
//	</source>
//	<source type='unix' path='/run/switch/vhost.sock' mode='client'/>                       vhostuser
type Source struct {
	// Network is the name of the network (network).
	Network schema.Text `xml:"network,attr,omitempty"`
	// PortGroup is the class of guests on it. Absent is its default class (network).
	PortGroup schema.Text `xml:"portgroup,attr,omitempty"`
	// SwitchID is the UUID of the switch (vds).
	SwitchID schema.Text `xml:"switchid,attr,omitempty"`
	// PortID is the UUID of the port that the network gave, only in what is told of a running guest
	// (network), or the number of the port (vds).
	PortID       schema.Text `xml:"portid,attr,omitempty"`
	PortGroupID  schema.Text `xml:"portgroupid,attr,omitempty"`  // vds
	ConnectionID schema.Text `xml:"connectionid,attr,omitempty"` // vds
	// Bridge is the device (bridge).
	Bridge schema.Text `xml:"bridge,attr,omitempty"`
	// MACTableManager is who fills the forwarding table of the bridge, only in what is told of a running
	// guest.
	MACTableManager schema.MACTableManager `xml:"macTableManager,attr,omitempty"`
	Name            schema.Text            `xml:"name,attr,omitempty"` // internal
	// Type is always unix (vhostuser).
	Type schema.Text `xml:"type,attr,omitempty"`
	// Path is the socket (vhostuser).
	Path schema.Text `xml:"path,attr,omitempty"`
	// Dev is the network device (direct), or the device file (vdpa).
	Dev schema.Text `xml:"dev,attr,omitempty"`
	// Mode is vepa when absent (direct), or client (vhostuser).
	Mode SourceMode `xml:"mode,attr,omitempty" doc:"alias"`
	// Host and PortNumber are the other end, or the end to listen at (server, client, mcast, udp).
	Host       schema.Text `xml:"address,attr,omitempty"`
	PortNumber schema.Text `xml:"port,attr,omitempty"`
	// WriteFiltering keeps the guest from writing to some registers of the device (hostdev). Absent is yes.
	WriteFiltering schema.YesNo `xml:"writeFiltering,attr,omitempty"`
	// StartupPolicy says what is to be done when a USB device is missing: mandatory, requisite, optional. GuestReset says
	// whether the guest may reset it: off, uninitialized, on (hostdev).
	StartupPolicy schema.Text `xml:"startupPolicy,attr,omitempty"`
	GuestReset    schema.Text `xml:"guestReset,attr,omitempty"`

	Reconnect *Reconnect `xml:"reconnect"`
	Local     *Local     `xml:"local"`
	// Vendor and Product are what kind of USB device it is (hostdev).
	Vendor  *USBID `xml:"vendor"`
	Product *USBID `xml:"product"`
	// Address is the device of the host (hostdev).
	Address *Address `xml:"address" doc:"opaque,keep"`
	// IPs and Routes are those of the device on the host (ethernet).
	IPs    []IP            `xml:"ip"`
	Routes []network.Route `xml:"route"`
	schema.Extra
}

// A SourceMode says how macvtap devices on one lower device reach each other, or which end of a socket
// connects. The zero SourceMode is absent.
type SourceMode uint8

// The modes. The first four are those of [schema.MacvtapMode].
const (
	ModeVEPA        = SourceMode(schema.MacvtapVEPA)
	ModePrivate     = SourceMode(schema.MacvtapPrivate)
	ModeBridge      = SourceMode(schema.MacvtapBridge)
	ModePassthrough = SourceMode(schema.MacvtapPassthrough)
	ModeClient      = ModePassthrough + 1 // the hypervisor connects (vhostuser)
	ModeServer      = ModeClient + 1      // the hypervisor listens (vhostuser)
)

var sourceModeWords = []string{"", "vepa", "private", "bridge", "passthrough", "client", "server"}

// String returns the word of the document, "" when absent.
func (m SourceMode) String() string { return schema.Word(sourceModeWords, m) }

// MarshalText returns the same text as String.
func (m SourceMode) MarshalText() ([]byte, error) { return schema.MarshalWord(sourceModeWords, m) }

// UnmarshalText accepts the words of the document.
func (m *SourceMode) UnmarshalText(text []byte) error {
	return schema.HintMode(text, schema.UnmarshalWord(sourceModeWords, text, m))
}

// UnmarshalAlias accepts also what [schema.ModeAlias] does.
func (m *SourceMode) UnmarshalAlias(text []byte) error {
	if alias := schema.ModeAlias(string(text)); alias != 0 {
		*m = SourceMode(alias)
		return nil
	}
	return m.UnmarshalText(text)
}

// Macvtap returns the mode of an interface of type direct: vepa when absent.
func (m SourceMode) Macvtap() schema.MacvtapMode {
	switch m {
	case ModePrivate, ModeBridge, ModePassthrough:
		return schema.MacvtapMode(m)
	}
	return schema.MacvtapVEPA
}

// A Reconnect is a <reconnect> element: whether the hypervisor connects again to a socket that was closed.
//
//	<reconnect enabled='yes' timeout='10'/>
type Reconnect struct {
	Enabled schema.YesNo `xml:"enabled,attr,omitempty"`
	// Timeout is in seconds, and must be given when Enabled.
	Timeout schema.Number `xml:"timeout,attr,omitempty"`
	schema.Extra
}

// A Local is a <local> element: the end of a UDP connection on this host.
//
//	<local address='127.0.0.1' port='5557'/>
type Local struct {
	Address schema.Text `xml:"address,attr,omitempty"`
	Port    schema.Text `xml:"port,attr,omitempty"`
	schema.Extra
}

// A USBID is a <vendor> or <product> element: a kind of USB device.
//
//	<vendor id='0x0bda'/>
type USBID struct {
	ID schema.Text `xml:"id,attr,omitempty"`
	schema.Extra
}
