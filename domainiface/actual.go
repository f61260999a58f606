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

// checkActual checks the <actual> of i, the element that c stands in.
func (i *Interface) checkActual(c *schema.Check) {
	a := i.Actual
	c.Deviates(i.Kind() == Network, ActualType, "", "an interface of type %s is on no network that gives it anything", i.Kind())
	if !c.Rule(a.Type >= Network && a.Type <= Hostdev, "actual-type", "@type", "it is one of network, bridge, direct and hostdev") {
		return
	}
	s := a.Source
	if s == nil {
		s = new(Source)
	}
	c.In("source", func() {
		switch a.Type {
		case Bridge:
			c.Rule(s.Bridge.String() != "", "actual-bridge", "@bridge", "type bridge needs a bridge")
		case Direct:
			c.Rule(s.Dev.String() != "", "actual-dev", "@dev", "type direct needs a device")
			s.checkMode(c, a.Type)
		case Hostdev:
			s.checkHostdev(c)
		}
	})
	if d := a.Driver; d != nil {
		c.In("driver", func() { d.check(c, a.Type, false) })
	}
	if a.VLAN != nil {
		c.In("vlan", func() { a.VLAN.Check(c) })
	}
	if v := a.VirtualPort; v != nil && c.Rule(a.Type != Network, "actual-virtualport", "virtualport", "the bridge of a network takes no profile") {
		c.In("virtualport", func() {
			v.Check(c, true)
			checkComplete(c, v, false)
		})
	}
	if b := a.Bandwidth; b != nil {
		c.In("bandwidth", func() { b.Check(c, qos.Context{Floor: a.Type == Network}) })
	}
}
