// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/xml"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// A Network is a <network> document: a virtual network that guests are plugged into. Name is all that
// it must have; without a <forward> it is isolated.
//
//	<network>
//	  <name>default</name>
//	  <forward mode='nat'/>
//	  <bridge name='virbr0' stp='on' delay='0'/>
//	  <ip address='192.168.122.1' netmask='255.255.255.0'>
//	    <dhcp>
//	      <range start='192.168.122.2' end='192.168.122.254'/>
//	    </dhcp>
//	  </ip>
//	</network>
type Network struct {
	XMLName xml.Name `xml:"network"`

	// Connections is how many interfaces are plugged in: only in what is told of a running network.
	Connections schema.Number `xml:"connections,attr,omitempty"`
	// IPv6 allows IPv6 between guests on a network that has no IPv6 address of its own.
	IPv6 schema.YesNo `xml:"ipv6,attr,omitempty" doc:"blank"`
	// TrustGuestRxFilters lets the host follow when a guest changes its MAC address or its filters.
	TrustGuestRxFilters schema.YesNo `xml:"trustGuestRxFilters,attr,omitempty"`

	Name        string      `xml:"name"`
	UUID        schema.UUID `xml:"uuid"`
	Title       string      `xml:"title,omitempty"`       // one line for people
	Description string      `xml:"description,omitempty"` // as many as they like
	Metadata    *Metadata   `xml:"metadata" doc:"opaque"`

	Forward        *Forward                 `xml:"forward"`
	Bridge         *Bridge                  `xml:"bridge"`
	MTU            *MTU                     `xml:"mtu" doc:"merge"`
	MAC            *MAC                     `xml:"mac"`
	Domain         *Domain                  `xml:"domain"`
	DNS            *DNS                     `xml:"dns"`
	VLAN           *virtualport.VLAN        `xml:"vlan" doc:"open"`
	Bandwidth      *qos.Bandwidth           `xml:"bandwidth" doc:"open"`
	Port           *virtualport.Port        `xml:"port"`
	IPs            []IP                     `xml:"ip" doc:"open"`
	Routes         []Route                  `xml:"route"`
	VirtualPort    *virtualport.VirtualPort `xml:"virtualport"`
	PortGroups     []PortGroup              `xml:"portgroup" doc:"open"`
	DnsmasqOptions *DnsmasqOptions          `xml:"http://libvirt.org/schemas/network/dnsmasq/1.0 options" doc:"merge,prefix=dnsmasq"`
	PortForwards   *PortForwards            `xml:"https://go-virtnet.github.io/schemas/network/1.0 forwards" doc:"merge,prefix=virtnet,ours"`
	Input          *Input                   `xml:"https://go-virtnet.github.io/schemas/network/1.0 input" doc:"merge,prefix=virtnet,ours"`

	schema.Extra
	Source schema.Source `xml:"-"`
}

// Mode returns how the network reaches the outside; [ForwardNone] without a <forward>.
func (n *Network) Mode() ForwardMode {
	switch {
	case n.Forward == nil:
		return ForwardNone
	case n.Forward.Mode == 0:
		return ForwardNAT
	}
	return n.Forward.Mode
}

// Managed reports whether the network is one of the host's own making, a bridge with addresses, DHCP
// and DNS as the document says: its mode is isolated, nat, route or open.
func (n *Network) Managed() bool {
	switch n.Mode() {
	case ForwardNone, ForwardNAT, ForwardRoute, ForwardOpen:
		return true
	}
	return false
}

// HostBridge reports whether the network is a bridge of the host that exists without it.
func (n *Network) HostBridge() bool {
	return n.Mode() == ForwardBridge && n.Bridge != nil && n.Bridge.Name != ""
}
