// SPDX-License-Identifier: Apache-2.0

package network

import (
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// A PortGroup is a <portgroup> element: a class of guests, which an interface names.
//
//	<portgroup name='sales' default='yes'>
//	  <vlan>
//	    <tag id='42'/>
//	  </vlan>
//	  <virtualport type='openvswitch'>
//	    <parameters profileid='sales'/>
//	  </virtualport>
//	  <bandwidth>
//	    <inbound average='500'/>
//	  </bandwidth>
//	</portgroup>
type PortGroup struct {
	Name string `xml:"name,attr,omitempty"`
	// Default makes it the group of the interfaces that name none. Absent is no.
	Default schema.YesNo `xml:"default,attr,omitempty" doc:"blank,lax"`
	// TrustGuestRxFilters lets the host follow when a guest changes its MAC address or its filters.
	// Absent is what the network says.
	TrustGuestRxFilters schema.YesNo `xml:"trustGuestRxFilters,attr,omitempty"`

	VLAN        *virtualport.VLAN        `xml:"vlan" doc:"open"`
	VirtualPort *virtualport.VirtualPort `xml:"virtualport"`
	Bandwidth   *qos.Bandwidth           `xml:"bandwidth" doc:"open"`
	schema.Extra
}
