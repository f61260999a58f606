// SPDX-License-Identifier: Apache-2.0

package network

import (
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// Validate checks p against all rules and returns all violations as [schema.Violations], nil when there
// are none.
func (p *Port) Validate() error { return p.ValidateAs(schema.Rules{}) }

// ValidateAs checks p against the rules chosen. With Compat they are those by which libvirt 11.3 reads a
// port.
func (p *Port) ValidateAs(rules schema.Rules) error {
	c := schema.NewCheck("networkport", rules)
	if c.Skips(PortUUID) {
		c.Rule(!p.UUID.IsZero(), "port-uuid", "uuid", "a port needs a uuid")
	}
	if c.Rule(p.Owner != nil, "port-owner", "owner", "a port needs an owner") {
		c.Rule(p.Owner.Name != "", "port-owner-name", "owner/name", "an owner needs a name")
		if c.Skips(OwnerUUID) {
			c.Rule(!p.Owner.UUID.IsZero(), "port-owner-uuid", "owner/uuid", "an owner needs a uuid")
		}
	}
	if c.Rule(p.MAC != nil, "port-mac", "mac", "a port needs the MAC address of the guest") {
		c.Deviates(!p.MAC.Address.IsMulticast(), PortMAC, "mac/@address", "%s is a multicast address", p.MAC.Address)
	}
	if p.VirtualPort != nil {
		c.In("virtualport", func() { p.VirtualPort.Check(c, false) })
	}
	if p.Bandwidth != nil {
		c.In("bandwidth", func() { p.Bandwidth.Check(c, qos.Context{Floor: true, ClassID: true, LateLimits: true}) })
	}
	if p.VLAN != nil {
		c.In("vlan", func() { p.VLAN.Check(c) })
	}
	if p.Plug != nil {
		c.In("plug", func() { p.Plug.check(c) })
	}
	return c.Err(p.Source)
}

func (p *Plug) check(c *schema.Check) {
	switch p.Type {
	case PlugNetwork, PlugBridge:
		if c.Rule(p.Bridge.Given(), "plug-bridge", "@bridge", "a plug of type %s needs a bridge", p.Type) {
			c.Deviates(schema.IsDevice(p.Bridge.String()), PlugDevice, "@bridge", "%s is not %s", schema.Quote(p.Bridge.String()), schema.WantDevice)
		}
	case PlugDirect:
		if c.Rule(p.Dev.Given(), "plug-dev", "@dev", "a plug of type direct needs a dev") {
			c.Deviates(schema.IsDevice(p.Dev.String()), PlugDevice, "@dev", "%s is not %s", schema.Quote(p.Dev.String()), schema.WantDevice)
		}
	case PlugHostdevPCI:
		if p.Driver != nil {
			c.In("driver", func() { p.Driver.Check(c) })
		}
		if c.Rule(p.Address != nil, "plug-address", "address", "a plug of type hostdev-pci needs an address") {
			c.In("address", func() { p.Address.Check(c) })
		}
	}
}
