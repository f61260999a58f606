// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/virtualport"
)

// HostScope names the facts that [Interface.ValidateHost] looks at.
func (i *Interface) HostScope() host.Scope {
	if dev := i.lower(); dev != "" {
		return host.Scope{Links: []string{dev}}
	}
	return host.Scope{}
}

// ValidateHost checks i against what can be known only on a host, in the facts of [Interface.HostScope]: that the
// device of an interface of type direct exists and can carry guests, and that a switch of kind 802.1Qbg is told about a
// VLAN. It returns all violations as [schema.Violations], nil when there are none. Other rules are for
// [Interface.Validate].
func (i *Interface) ValidateHost(f *host.Facts, rules schema.Rules) error {
	c := schema.NewCheck("interface", rules)
	if dev := i.lower(); dev != "" {
		i.checkLower(c, dev, f.Link(dev))
	}
	return c.Err(i.Origin)
}

// lower is the device of the host that macvtap devices of i stand on; empty when there is none or it is not known yet.
func (i *Interface) lower() string {
	s := i.Source
	if i.Kind() == Network && i.Actual != nil && i.Actual.Type == Direct {
		s = i.Actual.Source
	} else if i.Kind() != Direct {
		return ""
	}
	if s == nil {
		return ""
	}
	return s.Dev.String()
}

// checkLower checks the device l of that name, nil when the host has none.
func (i *Interface) checkLower(c *schema.Check, dev string, l *host.Link) {
	const where = "source/@dev"
	if !c.Rule(l != nil, "lower-device", where, "the host has no device %s", dev) {
		return
	}
	c.Rule(l.Master == "", "lower-device-port", where, "%s is a port of %s: a device below macvtap devices belongs to nobody else", dev, l.Master)
	v, vlan := i.VirtualPort, i.VLAN
	if i.Actual != nil {
		v, vlan = i.Actual.VirtualPort, i.Actual.VLAN
	}
	if v != nil && v.Type == virtualport.Qbg {
		c.Deviates(l.VLAN != 0 || vlan.Single() != 0, AssociationVLAN, where,
			"%s is in no VLAN: 802.1Qbg takes a VLAN device, such as %s, or a <vlan> with one tag", dev, exampleVLAN(dev))
	}
}

// exampleVLAN is how a VLAN device on dev could be called.
func exampleVLAN(dev string) string {
	if name := dev + ".2"; schema.IsDevice(name) {
		return name
	}
	return "eth0.2"
}
