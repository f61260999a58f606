// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// Validate checks i against all rules and returns all violations as [schema.Violations], nil when there
// are none. What only some hypervisors cannot do is for [Interface.ValidateOn].
func (i *Interface) Validate() error { return i.ValidateAs(schema.Rules{}) }

// ValidateAs checks i against the rules chosen. With Compat they are those by which libvirt 11.3 parses and
// defines an interface, apart from those that depend on the hypervisor, the host and the network. What is
// kept of a running guest is not looked at then, because a definition does not have it.
func (i *Interface) ValidateAs(rules schema.Rules) error {
	return i.ValidateOn(Hypervisor{}, rules)
}

func (i *Interface) check(c *schema.Check) {
	c.Deviates(i.Managed == 0 || i.Kind() == Hostdev, ManagedType, "@managed", "type %s has no device to be managed", i.Kind())
	if m := i.MAC; m != nil {
		c.In("mac", func() {
			c.Rule(!m.Address.IsMulticast(), "mac-unicast", "@address", "%s is a multicast address", m.Address)
		})
	}
	i.checkSource(c)
	i.checkPort(c)
	if i.Actual != nil && !c.Rules().Compat {
		c.In("actual", func() { i.checkActual(c) })
	}
	for n := range i.IPs {
		c.At("ip", n, func() { i.IPs[n].check(c) })
	}
	for n := range i.Routes {
		c.At("route", n, func() { i.Routes[n].Check(c) })
	}
	i.checkDevice(c)
	i.checkBackend(c)
	i.checkBoot(c)
}

// checkPort checks what i says about its port of the switch.
func (i *Interface) checkPort(c *schema.Check) {
	kind := i.Kind()
	if i.VLAN != nil {
		c.In("vlan", func() { i.VLAN.Check(c) })
		i.checkVLANType(c)
	}
	i.checkVirtualPort(c)
	if b := i.Bandwidth; b != nil {
		c.In("bandwidth", func() { b.Check(c, qos.Context{Floor: kind == Network}) })
		c.Deviates(shapes(kind) || b.Inbound == nil && b.Outbound == nil, BandwidthType, "bandwidth",
			"the traffic of type %s cannot be limited", kind)
	}
	if p := i.Port; p != nil && p.Isolated == schema.Yes {
		c.Rule(kind == Network || kind == Bridge, "port-isolated-type", "port/@isolated",
			"type %s has no port of a bridge that could be isolated", kind)
		c.Rule(i.VirtualPort == nil || i.VirtualPort.Type == 0, "port-isolated-virtualport", "port/@isolated",
			"only ports of a Linux bridge can be isolated")
	}
}

// shapes reports whether the traffic of the type can be limited.
func shapes(t Type) bool { return t == Network || t == Bridge || t == Direct || t == Ethernet }

// checkDevice checks the device itself, on the host and in the guest.
func (i *Interface) checkDevice(c *schema.Check) {
	if t := i.Target; t != nil {
		c.In("target", func() { t.check(c, i.Kind()) })
	}
	if g := i.Guest; g != nil && g.Dev != "" {
		c.Deviates(schema.IsDevice(g.Dev), GuestDevice, "guest/@dev", "%s is not %s", schema.Quote(g.Dev), schema.WantDevice)
	}
	if m := i.Model; m != nil {
		c.Deviates(!m.Type.unknown(), ModelUnknown, "model/@type", "unknown is no model; leave it out for the hypervisor to choose")
	}
	if d := i.Driver; d != nil {
		c.In("driver", func() { d.check(c, i.Kind(), i.Model.Virtio()) })
	}
	if t := i.Teaming; t != nil {
		c.In("teaming", func() { t.check(c) })
	}
	if m := i.MTU; m != nil {
		c.In("mtu", func() { m.check(c) })
	}
	c.Rule(i.Coalesce.frames() <= maxUint32, "coalesce-frames", "coalesce/rx/frames/@max",
		"%d is more than %d", i.Coalesce.frames(), uint32(maxUint32))
}

// maxUint32 is the largest number that many attributes take.
const maxUint32 = 1<<32 - 1

// checkBackend checks the programs and filters behind the device.
func (i *Interface) checkBackend(c *schema.Check) {
	kind, passt := i.Kind(), i.Backend.passt()
	if b := i.Backend; b != nil {
		c.Rule(!passt || kind == User || kind == VhostUser, "backend-passt-type", "backend/@type",
			"passt serves types user and vhostuser, not %s", kind)
		c.Deviates(!b.Vhost.Given() || i.Model.Virtio() && kind != Hostdev, VhostLost, "backend/@vhost",
			"vhost serves models of the virtio family")
	}
	for n := range i.PortForwards {
		c.At("portForward", n, func() { i.PortForwards[n].check(c) })
	}
	c.Rule(len(i.PortForwards) == 0 || passt, "portforward-passt", "portForward[1]", "ports are forwarded by the backend passt only")
	if f := i.FilterRef; f != nil {
		c.In("filterref", func() { f.check(c, kind) })
	}
}

// checkBoot checks what the firmware of the guest reads.
func (i *Interface) checkBoot(c *schema.Check) {
	if a := i.Address; a != nil {
		c.In("address", func() { a.checkGuest(c) })
		bus := i.Source.hostBus()
		c.Rule(i.Kind() != Hostdev || bus == "" || a.Type.String() == bus, "guest-address-hostdev", "address/@type",
			"a device on bus %s of the host is on a bus of that kind in the guest, not on %s", bus, schema.Quote(a.Type.String()))
	}
	if b := i.Boot; b != nil {
		c.In("boot", func() { b.check(c) })
		c.Rule(b.Order.Uint() > 0 && b.Order.Uint() <= maxUint32, "boot-order", "boot/@order", "%q is not a place in the order: from 1 on", b.Order)
	}
	if r := i.ROM; r != nil && r.Enabled == schema.No {
		c.Rule(r.Bar == 0 && !r.File.Given(), "rom-enabled", "rom/@enabled", "a ROM that is not enabled has no bar and no file")
	}
	if a := i.ACPI; a != nil && a.Index.Given() {
		if c.Rule(a.Index.Uint() > 0 && a.Index.Uint() <= maxUint32, "acpi-index", "acpi/@index", "%s is not a number of a device: from 1 on", a.Index) {
			c.Deviates(a.Index.Uint() <= maxACPI, ACPIIndex, "acpi/@index", "%s is more than %d", a.Index, maxACPI)
		}
	}
}

// maxACPI is the largest number that ACPI gives to a device.
const maxACPI = 16383
