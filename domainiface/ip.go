// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// An IP is an <ip> element: an address of the device inside the guest or, in <source>, on the host.
//
//	<ip address='192.0.2.5' family='ipv4' prefix='24' peer='192.0.2.1'/>
type IP struct {
	Address schema.Addr `xml:"address,attr"`
	// Family is that of the Address when absent.
	Family network.Family `xml:"family,attr,omitempty"`
	// PrefixLen is how large the subnet is. Absent and 0 are the natural length.
	PrefixLen schema.Number `xml:"prefix,attr,omitempty"`
	// Peer is the other end of a point-to-point device.
	Peer schema.Addr `xml:"peer,attr"`
	schema.Extra
}
