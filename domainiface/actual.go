// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// An Actual is an <actual> element: what a network gave an interface of type network. It is found only in
// what is kept of a running guest.
//
//	<actual type='direct'>
//	  <source dev='eth1' mode='private'/>
//	</actual>
type Actual struct {
	// Type is one of network, bridge, direct and hostdev.
	Type                Type         `xml:"type,attr,omitempty"`
	Managed             schema.YesNo `xml:"managed,attr,omitempty"`
	TrustGuestRxFilters schema.YesNo `xml:"trustGuestRxFilters,attr,omitempty"`

	Driver *Driver `xml:"driver"`
	Source *Source `xml:"source"`
	// Class is the traffic class on the network of an interface with a floor.
	Class       *Class                   `xml:"class"`
	VLAN        *virtualport.VLAN        `xml:"vlan" doc:"open"`
	VirtualPort *virtualport.VirtualPort `xml:"virtualport"`
	Bandwidth   *qos.Bandwidth           `xml:"bandwidth" doc:"open"`
	Port        *virtualport.Port        `xml:"port"`
	schema.Extra
}

// A Class is a <class> element: a traffic class on the bridge of a network.
//
//	<class id='3'/>
type Class struct {
	ID schema.Number `xml:"id,attr,omitempty" doc:"blank"`
	schema.Extra
}
