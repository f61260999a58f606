// SPDX-License-Identifier: Apache-2.0

package network

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// Validate checks n against all rules and returns all violations as [schema.Violations], nil when there
// are none.
func (n *Network) Validate() error { return n.ValidateAs(schema.Rules{}) }

// ValidateAs checks n against the rules chosen. With Compat they are those by which libvirt 11.3 parses and
// defines a network, apart from those that depend on the host and on other networks.
func (n *Network) ValidateAs(rules schema.Rules) error {
	c := schema.NewCheck("network", rules)
	n.checkName(c)
	n.checkChildren(c)
	n.checkMode(c)
	n.checkPortGroups(c)
	n.checkVLANs(c)
	return c.Err(n.Source)
}

// maxName is the longest name of a network in bytes: it is the base of file names.
const maxName = 200

func (n *Network) checkName(c *schema.Check) {
	if c.Rule(n.Name != "", "network-name", "name", "a network needs a name") {
		c.Rule(!strings.Contains(n.Name, "/"), "network-name-slash", "name", "%s has a slash", schema.Quote(n.Name))
		if c.Rule(!strings.Contains(n.Name, "\n"), "network-name-line", "name", "%s has a line end", schema.Quote(n.Name)) {
			c.Deviates(!schema.HasControl(n.Name) && n.Name != "." && n.Name != ".." && len(n.Name) <= maxName, SafeName, "name",
				"%s makes no sound file name: up to %d bytes without control characters, not . or ..", schema.Quote(n.Name), maxName)
		}
	}
	c.Rule(!strings.Contains(n.Title, "\n"), "title-line", "title", "a title is one line; several are for <description>")
}

// checkChildren checks each child of n by itself.
func (n *Network) checkChildren(c *schema.Check) {
	if n.Forward != nil {
		c.In("forward", func() { n.Forward.check(c) })
	}
	if n.Bridge != nil {
		c.In("bridge", func() { n.Bridge.check(c) })
	}
	if n.MTU != nil {
		c.In("mtu", func() { n.MTU.check(c) })
	}
	if n.MAC != nil {
		c.In("mac", func() {
			c.Rule(!n.MAC.Address.IsMulticast(), "mac-unicast", "@address", "%s is a multicast address", n.MAC.Address)
		})
	}
	if n.Domain != nil {
		c.In("domain", func() { n.Domain.check(c) })
	}
	if n.DNS != nil {
		c.In("dns", func() { n.DNS.check(c) })
	}
	if n.VLAN != nil {
		c.In("vlan", func() { n.VLAN.Check(c) })
	}
	if n.Bandwidth != nil {
		c.In("bandwidth", func() { n.Bandwidth.Check(c, qos.Context{}) })
	}
	for i := range n.IPs {
		c.At("ip", i, func() { n.IPs[i].check(c) })
	}
	n.checkSubnets(c)
	for i := range n.Routes {
		c.At("route", i, func() { n.Routes[i].check(c, n.IPs) })
	}
	if n.VirtualPort != nil {
		c.In("virtualport", func() { n.VirtualPort.Check(c, true) })
	}
	if n.DnsmasqOptions != nil {
		c.In("dnsmasq:options", func() { n.DnsmasqOptions.check(c) })
	}
	checkOwn(c, n.Extra, nil, []string{"forwards", "input"})
	c.In("virtnet:forwards", func() { n.checkPortForwards(c) })
	c.In("virtnet:input", func() { n.checkInput(c) })
}

func (o *DnsmasqOptions) check(c *schema.Check) {
	for i := range o.Options {
		value := o.Options[i].Value
		c.At("dnsmasq:option", i, func() {
			c.Rule(value.Given(), "dnsmasq-option-value", "@value", "an option needs a value")
			c.Deviates(!schema.HasControl(value.String()), OptionLine, "@value", "%s has control characters", schema.Quote(value.String()))
		})
	}
}
