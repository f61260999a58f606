// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"slices"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// ValidateIn checks i against its network n, before it is attached: what [Interface.Resolve] and [Interface.ValidatePort]
// refuse. n is nil for an interface on no network. Each of both documents has to be valid by itself.
func (i *Interface) ValidateIn(n *network.Network, on Hypervisor, rules schema.Rules) error {
	r, err := i.Resolve(n, rules, nil)
	if err != nil {
		return err
	}
	return i.ValidatePort(r, on, rules)
}

// ValidatePort checks what i gets from its network: whether what it is plugged into can do what all of them say together.
// Some of that depends on the hypervisor. It returns all violations as [schema.Violations], nil when there are none. With
// Compat they are those by which libvirt 11.3 refuses to start a guest.
func (i *Interface) ValidatePort(r *network.Resolution, on Hypervisor, rules schema.Rules) error {
	c := schema.NewCheck("interface", rules)
	kind := typeOf(r.Port.Plug)
	if kind == 0 {
		kind = i.Kind()
	}
	checkPortVLAN(c, r, kind)
	checkPortBandwidth(c, r, kind)
	p := r.Port
	if isolated := p.Port != nil && p.Port.Isolated == schema.Yes; isolated {
		from := decidedBy(r, "isolated")
		c.Rule(kind == Network || kind == Bridge, "attach-isolated-type", "port/@isolated",
			"type %s has no port of a bridge that could be isolated%s", kind, from)
		c.Rule(switchType(p.VirtualPort) == 0, "attach-isolated-virtualport", "port/@isolated",
			"only ports of a Linux bridge can be isolated%s", from)
	}
	on.checkAttached(c, i, p.VirtualPort, kind)
	return c.Err(i.Origin)
}

// decidedBy tells in a message who decided a setting, if that was not the interface.
func decidedBy(r *network.Resolution, name string) string {
	for _, s := range r.Settings {
		if s.Name == name && s.Path != "" && s.Layer != schema.ByInterface {
			return " (" + s.Path + " says so)"
		}
	}
	return ""
}

// checkPortVLAN checks that the port can be put in its VLAN.
func checkPortVLAN(c *schema.Check, r *network.Resolution, kind Type) {
	p := r.Port
	if p.VLAN == nil {
		return
	}
	from, t := decidedBy(r, "vlan"), switchType(p.VirtualPort)
	can, untagged := false, false
	switch kind {
	case Hostdev:
		can, untagged = true, true
		c.Rule(p.VirtualPort == nil, "attach-vlan-profile", "vlan", "the profile in <virtualport> decides about VLANs%s", from)
	case Direct:
		can = p.Plug != nil && p.Plug.Mode == schema.MacvtapPassthrough
		untagged = can
		if t == virtualport.Qbg && p.VLAN.Single() != 0 && !c.Skips(AssociationVLAN) {
			can, untagged = true, false // the association names it
		}
	case Bridge:
		can = p.VirtualPort == nil || t == virtualport.OpenVSwitch
	}
	c.Rule(can, "attach-vlan-type", "vlan",
		"a guest can be put in a VLAN only by type hostdev, type direct in mode passthrough, a Linux bridge of the host or Open vSwitch%s", from)
	c.Rule(!untagged || !p.VLAN.IsTrunk(), "attach-vlan-trunk", "vlan", "a virtual function is in one VLAN%s", from)
}

// checkPortBandwidth checks that the traffic of the port can be limited as it is to be.
func checkPortBandwidth(c *schema.Check, r *network.Resolution, kind Type) {
	b := r.Port.Bandwidth
	if b == nil || b.Inbound == nil && b.Outbound == nil {
		return
	}
	for _, direction := range []struct {
		name string
		rate *qos.Rate
	}{{"inbound", b.Inbound}, {"outbound", b.Outbound}} {
		if direction.rate == nil {
			continue
		}
		where := "bandwidth/" + direction.name
		from := decidedBy(r, "bandwidth "+direction.name)
		c.Rule(kind != Hostdev, "attach-bandwidth-type", where, "the traffic of type hostdev cannot be limited%s", from)
		c.Rule(direction.rate.Possible(), "attach-bandwidth-limit", where, "traffic control can express %d kB/s, and bursts of %d KiB%s",
			uint64(qos.MaxRate), qos.MaxBurst, from)
	}
}

// checkAttached checks i, whose plug is of the type kind, against what the hypervisor cannot do.
func (h *Hypervisor) checkAttached(c *schema.Check, i *Interface, v *virtualport.VirtualPort, kind Type) {
	i = &Interface{
		Type: i.Type, Actual: &Actual{Type: kind}, VirtualPort: v, Model: i.Model, Driver: i.Driver, FilterRef: i.FilterRef,
		Backend: i.Backend, Teaming: i.Teaming, MTU: i.MTU, Coalesce: i.Coalesce,
	}
	if d := i.Driver; d != nil && i.Model.Virtio() {
		c.Rule(d.Queues.Uint() < 2 || h.Queues.allows(i), "attach-queues", "driver/@queues", cannot, kind)
	}
	if i.FilterRef != nil {
		c.Rule(h.FilterRef.allows(i), "attach-filterref", "filterref", cannot, kind)
		c.Rule(h.FilterRef == nil || switchType(v) == 0, "attach-filterref-virtualport", "filterref", "the hypervisor filters only on a Linux bridge")
	}
	c.Rule(i.Backend == nil || !i.Backend.Tap.Given() || h.BackendTap.allows(i), "attach-backend-tap", "backend/@tap", cannot, kind)
	if t := i.Teaming; t != nil && t.Type == TeamingTransient {
		// A limit to Network is for what a network may turn out to give; a bridge is not taken away.
		c.Rule(h.Transient == nil || kind != Network && slices.Contains(h.Transient.Types, kind), "attach-teaming-transient", "teaming/@type", cannot, kind)
	}
	c.Deviates(i.MTU == nil || i.MTU.Size.Uint() == 0 || h.MTU.allows(i), PluggedMTU, "mtu", cannot, kind)
	c.Deviates(i.Coalesce.frames() == 0 || h.Coalesce.allows(i), PluggedCoalesce, "coalesce", cannot, kind)
}
