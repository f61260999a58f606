// SPDX-License-Identifier: Apache-2.0

package network

import (
	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Forward is a <forward> element: how the network reaches the outside, and by which devices. The
// devices are one of Dev or Interfaces, Addresses, PF.
//
//	<forward mode='nat' dev='eth0'>
//	  <nat>
//	    <port start='1024' end='65535'/>
//	  </nat>
//	</forward>
type Forward struct {
	// Dev is the only device in the modes nat and route, and the first of Interfaces in others.
	Dev string `xml:"dev,attr,omitempty"`
	// Mode is nat when absent.
	Mode ForwardMode `xml:"mode,attr,omitempty" doc:"blank,alias"`
	// Managed says whether a device of mode hostdev is taken from its driver on the host and given back.
	Managed schema.YesNo `xml:"managed,attr,omitempty" doc:"blank,lax"`

	Driver     *hostdev.Driver   `xml:"driver"`
	NAT        *NAT              `xml:"nat" doc:"keep"`
	PF         *PF               `xml:"pf" doc:"keep"`
	Interfaces []Interface       `xml:"interface"`
	Addresses  []hostdev.Address `xml:"address"`
	schema.Extra
}

// A ForwardMode is how a network reaches the outside. The zero ForwardMode is absent, which in a
// <forward> element means nat.
type ForwardMode uint8

// The modes. In the first four the network is a bridge of its own with addresses of its own; in the
// others guests are plugged into something that exists on the host.
const (
	ForwardNone        ForwardMode = iota + 1 // "none": isolated, not at all
	ForwardNAT                                // with the addresses of the host
	ForwardRoute                              // with their own addresses
	ForwardOpen                               // as ForwardRoute, without any packet filter
	ForwardBridge                             // a bridge of the host, or macvtap devices that reach each other
	ForwardPrivate                            // macvtap devices that do not reach each other
	ForwardVEPA                               // macvtap devices that reach each other by the switch outside
	ForwardPassthrough                        // a macvtap device on a network device of its own
	ForwardHostdev                            // a PCI network device of its own
)

var forwardModeWords = []string{"", "none", "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev"}

// String returns the word of the document, "" when absent.
func (m ForwardMode) String() string { return schema.Word(forwardModeWords, m) }

// MarshalText returns the same text as String.
func (m ForwardMode) MarshalText() ([]byte, error) { return schema.MarshalWord(forwardModeWords, m) }

// UnmarshalText accepts the words of the document.
func (m *ForwardMode) UnmarshalText(text []byte) error {
	return schema.HintMode(text, schema.UnmarshalWord(forwardModeWords, text, m))
}

// UnmarshalAlias accepts also what [schema.ModeAlias] does.
func (m *ForwardMode) UnmarshalAlias(text []byte) error {
	if alias := schema.ModeAlias(string(text)); alias != 0 {
		*m = forwardModeOf(alias)
		return nil
	}
	return m.UnmarshalText(text)
}

// forwardModeOf returns the mode of a network whose guests get macvtap devices of mode m.
func forwardModeOf(m schema.MacvtapMode) ForwardMode {
	switch m {
	case schema.MacvtapVEPA:
		return ForwardVEPA
	case schema.MacvtapPrivate:
		return ForwardPrivate
	case schema.MacvtapBridge:
		return ForwardBridge
	case schema.MacvtapPassthrough:
		return ForwardPassthrough
	}
	return 0
}

// A PF is a <pf> element: the physical function whose virtual functions are the devices of the network.
//
//	<pf dev='eth0'/>
type PF struct {
	Dev schema.Text `xml:"dev,attr,omitempty"`
	schema.Extra
}

// An Interface is an <interface> element inside <forward>: a network device of the host.
//
//	<interface dev='eth1'/>
type Interface struct {
	Dev schema.Text `xml:"dev,attr,omitempty"`
	// Connections is how many guests use the device: only in what is told of a running network.
	Connections schema.Number `xml:"connections,attr,omitempty"`
	schema.Extra
}

// A NAT is a <nat> element: how addresses are translated in mode nat.
//
//	<nat ipv6='yes'>
//	  <address start='192.0.2.10' end='192.0.2.12'/>
//	  <port start='1024' end='65535'/>
//	</nat>
type NAT struct {
	// IPv6 translates IPv6 too, which otherwise is routed.
	IPv6 schema.YesNo `xml:"ipv6,attr,omitempty"`
	// Address is what guests appear as. Nil is the address of the device they leave by.
	Address *NATAddress `xml:"address" doc:"keep"`
	// Port is the range of ports they appear from. Nil leaves the ports to the kernel.
	Port *NATPort `xml:"port" doc:"keep"`
	schema.Extra
}

// A NATAddress is an <address> element inside <nat>: a range of IPv4 addresses, both ends included.
//
//	<address start='192.0.2.10' end='192.0.2.12'/>
type NATAddress struct {
	Start schema.Addr `xml:"start,attr"`
	End   schema.Addr `xml:"end,attr"`
	schema.Extra
}

// A NATPort is a <port> element inside <nat>: a range of ports, both ends included.
//
//	<port start='1024' end='65535'/>
type NATPort struct {
	Start schema.Number `xml:"start,attr,omitempty" doc:"blank"`
	End   schema.Number `xml:"end,attr,omitempty" doc:"blank"`
	schema.Extra
}
