// SPDX-License-Identifier: Apache-2.0

package network

import (
	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// devices returns how many devices f names; those that libvirt drops do not count, nor does a <pf>.
func (f *Forward) devices() int {
	switch {
	case len(f.Interfaces) > 0:
		return len(f.Interfaces)
	case f.Dev != "":
		return 1
	}
	return len(f.Addresses)
}

// usesAddresses reports whether the devices of f are PCI addresses.
func (f *Forward) usesAddresses() bool {
	return f.Dev == "" && len(f.Interfaces) == 0 && len(f.Addresses) > 0
}

func (f *Forward) check(c *schema.Check) {
	if f.Driver != nil {
		c.In("driver", func() { f.Driver.Check(c) })
	}
	f.checkNAT(c)
	c.Rule(f.Dev == "" || len(f.Addresses) == 0 && f.PF == nil, "forward-dev-or-pool", "@dev",
		"a device cannot be given together with an <address> or a <pf>")
	kinds := 0
	for _, has := range []bool{len(f.Interfaces) > 0, len(f.Addresses) > 0, f.PF != nil} {
		if has {
			kinds++
		}
	}
	c.Deviates(kinds < 2, OneKindOfDevice, "", "the devices are of several kinds: <interface>, <address> or <pf>")
	switch {
	case f.Dev != "" || len(f.Interfaces) > 0:
		f.checkInterfaces(c)
	case len(f.Addresses) > 0:
		f.checkAddresses(c)
	case f.PF != nil:
		f.checkPF(c)
	}
	c.Deviates(f.Managed == 0 || f.Mode == ForwardHostdev, ManagedMode, "@managed", "only devices of mode hostdev are managed")
	c.Deviates(f.Mode != ForwardNone || f.devices() == 0 && f.PF == nil && f.Driver == nil, IsolatedForward, "",
		"an isolated network uses no devices")
}

func (f *Forward) checkInterfaces(c *schema.Check) {
	if f.Dev != "" {
		checkDevice(c, f.Dev, "@dev")
		if len(f.Interfaces) > 0 {
			c.Rule(f.Dev == f.Interfaces[0].Dev.String(), "forward-dev-first", "@dev",
				"%s is not the first <interface>, %s", schema.Quote(f.Dev), schema.Quote(f.Interfaces[0].Dev.String()))
		}
	}
	seen := make(map[schema.Text]bool, len(f.Interfaces))
	for i := range f.Interfaces {
		dev := f.Interfaces[i].Dev
		c.At("interface", i, func() {
			if c.Rule(dev.Given(), "forward-interface-dev", "@dev", "an <interface> needs a dev") {
				checkDevice(c, dev.String(), "@dev")
				c.Rule(!seen[dev], "forward-interface-once", "@dev", "%s is given twice", schema.Quote(dev.String()))
			}
		})
		seen[dev] = true
	}
}

// checkDevice checks the name of a device of the host.
func checkDevice(c *schema.Check, name, where string) {
	c.Deviates(schema.IsDevice(name), ForwardDevice, where, "%s is not %s", schema.Quote(name), schema.WantDevice)
}

func (f *Forward) checkAddresses(c *schema.Check) {
	seen := make(map[hostdev.Key]bool, len(f.Addresses))
	for i := range f.Addresses {
		a := &f.Addresses[i]
		c.At("address", i, func() {
			c.Rule(a.Type == hostdev.PCI, "forward-address-type", "@type", "the type of an address has to be pci")
			a.Check(c)
			c.Rule(!seen[a.Key()], "forward-address-once", "", "%s is given twice", a)
		})
		seen[a.Key()] = true
	}
}

func (f *Forward) checkPF(c *schema.Check) {
	c.Rule(!f.HasNode("pf"), "forward-pf-once", "pf[2]", "a network has one <pf>")
	c.In("pf", func() {
		if c.Rule(f.PF.Dev.Given(), "forward-pf-dev", "@dev", "a <pf> needs a dev") {
			checkDevice(c, f.PF.Dev.String(), "@dev")
		}
	})
	switch f.Mode {
	case ForwardBridge, ForwardPrivate, ForwardVEPA, ForwardPassthrough, ForwardHostdev:
	default:
		c.Deviates(false, PFMode, "pf", "only networks of macvtap devices and of mode hostdev have a use for a <pf>")
	}
}

func (f *Forward) checkNAT(c *schema.Check) {
	if f.NAT == nil {
		return
	}
	c.Rule(!f.HasNode("nat"), "forward-nat-once", "nat[2]", "a <forward> has one <nat>")
	c.Rule(f.Mode == 0 || f.Mode == ForwardNAT, "nat-mode", "nat", "mode %s does not translate addresses", f.Mode)
	c.In("nat", func() {
		c.Rule(!f.NAT.HasNode("address"), "nat-address-once", "address[2]", "a <nat> has one <address>")
		c.Rule(!f.NAT.HasNode("port"), "nat-port-once", "port[2]", "a <nat> has one <port>")
		if f.NAT.Address != nil {
			c.In("address", func() { f.NAT.Address.check(c) })
		}
		if f.NAT.Port != nil {
			c.In("port", func() { f.NAT.Port.check(c) })
		}
	})
}

// maxAddresses is the largest range of addresses.
const maxAddresses = 1 << 16

func (a *NATAddress) check(c *schema.Check) {
	start := c.Rule(a.Start.Given(), "nat-address-start", "@start", "a range needs a start")
	end := c.Rule(a.End.Given(), "nat-address-end", "@end", "a range needs an end")
	if !start || !end {
		return
	}
	start = c.Rule(a.Start.Is4(), "nat-address-start-ipv4", "@start", "%s is not an IPv4 address", a.Start)
	end = c.Rule(a.End.Is4(), "nat-address-end-ipv4", "@end", "%s is not an IPv4 address", a.End)
	if start && end && c.Rule(!a.End.Less(a.Start.Addr), "nat-address-order", "@end", "the end %s comes before the start %s", a.End, a.Start) {
		c.Rule(rangeSize(a.Start.Addr, a.End.Addr) <= maxAddresses, "nat-address-size", "", "the range has more than %d addresses", maxAddresses)
	}
}

// maxPort is the largest number of a port.
const maxPort = 1<<16 - 1

func (p *NATPort) check(c *schema.Check) {
	start := c.Rule(p.Start.Given(), "nat-port-start", "@start", "a range needs a start") &&
		c.Rule(p.Start.Uint() <= maxPort, "nat-port-start-range", "@start", "%s is more than %d", p.Start, maxPort)
	end := c.Rule(p.End.Given(), "nat-port-end", "@end", "a range needs an end") &&
		c.Rule(p.End.Uint() <= maxPort, "nat-port-end-range", "@end", "%s is more than %d", p.End, maxPort)
	if start && end {
		c.Rule(p.End.Uint() >= p.Start.Uint(), "nat-port-order", "@end", "the end %s comes before the start %s", p.End, p.Start)
		c.Deviates(p.Start.Uint() > 0, NATPortZero, "@start", "ports begin with 1")
	}
}
