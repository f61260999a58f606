// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"

	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
	"github.com/go-virtnet/virtnet/virtualport"
)

// checkPortGroups checks the port groups, each by itself and against the others and the network.
func (n *Network) checkPortGroups(c *schema.Check) {
	seen := make(map[string]int, len(n.PortGroups))
	preset := -1
	for i := range n.PortGroups {
		g := &n.PortGroups[i]
		c.At("portgroup", i, func() {
			g.check(c, n)
			if first, twice := seen[g.Name]; g.Name != "" && !c.Rule(!twice, "portgroup-once", "@name", "group number %d has the same name", first+1) {
				return
			}
			seen[g.Name] = i
			if g.Default == schema.Yes {
				c.Rule(preset < 0, "portgroup-default", "@default", "one group can be the default, and number %d is", preset+1)
				preset = i
			}
		})
	}
}

func (g *PortGroup) check(c *schema.Check, n *Network) {
	if c.Rule(g.Name != "", "portgroup-name", "@name", "a port group needs a name") {
		c.Deviates(!schema.HasControl(g.Name), GroupName, "@name", "%s has control characters", schema.Quote(g.Name))
	}
	if g.VLAN != nil {
		c.In("vlan", func() { g.VLAN.Check(c) })
	}
	if g.VirtualPort != nil {
		c.In("virtualport", func() { g.VirtualPort.Check(c, false) })
		g.checkVirtualPort(c, n)
	}
	if b := g.Bandwidth; b != nil {
		c.In("bandwidth", func() { b.Check(c, qos.Context{LateLimits: true}) })
		if b.Inbound != nil || b.Outbound != nil {
			c.Rule(n.Managed() || n.HostBridge(), "portgroup-bandwidth-mode", "bandwidth",
				"guests on a network of mode %s%s cannot be limited", n.Mode(), n.withoutBridge())
		}
	}
}

// checkVirtualPort checks the <virtualport> of g against the network.
func (g *PortGroup) checkVirtualPort(c *schema.Check, n *Network) {
	_, err := virtualport.Merge(c.Rules(),
		virtualport.Source{Layer: schema.ByNetwork, Path: "/network/virtualport", Profile: n.VirtualPort},
		virtualport.Source{Layer: schema.ByPortGroup, Path: c.Path("virtualport"), Profile: g.VirtualPort})
	var conflict *virtualport.ConflictError
	var foreign *schema.Violation
	switch {
	case errors.As(err, &conflict):
		c.Deviates(false, VirtualPortMerge, "virtualport", "the network has another %s", conflict.Parameter)
		return
	case errors.As(err, &foreign):
		c.Deviates(false, VirtualPortMerge, "virtualport", "%s", foreign.Msg)
		return
	}
	if n.Managed() {
		c.Deviates(false, VirtualPortMode, "virtualport", "a network of mode %s has no switch that takes a profile", n.Mode())
		return
	}
	n.checkVirtualPortMode(c, n.switchOf(g), "virtualport/@type")
}

// checkManagedVirtualPort refuses a <virtualport> on a network that makes its own bridge.
func (n *Network) checkManagedVirtualPort(c *schema.Check) {
	c.Deviates(n.VirtualPort == nil, VirtualPortMode, "virtualport", "a network of mode %s has no switch that takes a profile", n.Mode())
}

// checkVirtualPortMode checks that guests on n can be plugged into a switch of the type.
func (n *Network) checkVirtualPortMode(c *schema.Check, t virtualport.Type, where string) {
	var ok bool
	switch {
	case t == 0:
		ok = true
	case n.HostBridge():
		ok = t == virtualport.OpenVSwitch
	case n.Mode() == ForwardHostdev:
		ok = t == virtualport.Qbh
	default:
		ok = t == virtualport.Qbg || t == virtualport.Qbh
	}
	c.Deviates(ok, VirtualPortMode, where, "a network of mode %s%s has no use for a port of type %s", n.Mode(), n.withoutBridge(), t)
}

// switchOf returns the type of switch that guests of the group are plugged into; g may be nil.
func (n *Network) switchOf(g *PortGroup) virtualport.Type {
	if n.VirtualPort != nil && n.VirtualPort.Type != 0 {
		return n.VirtualPort.Type
	}
	if g != nil && g.VirtualPort != nil {
		return g.VirtualPort.Type
	}
	return 0
}

// checkVLANs checks that guests on n can be put in a VLAN where the document says so.
func (n *Network) checkVLANs(c *schema.Check) {
	preset := false
	for i := range n.PortGroups {
		g := &n.PortGroups[i]
		preset = preset || g.Default == schema.Yes
		if n.VLAN != nil || g.VLAN != nil {
			c.At("portgroup", i, func() { n.checkVLAN(c, g, n.vlanOf(g)) })
		}
	}
	if n.VLAN != nil && !preset {
		n.checkVLAN(c, nil, "vlan")
	}
}

// checkVLAN checks that guests on n can be put in a VLAN: those of the group, or of none when g is nil.
func (n *Network) checkVLAN(c *schema.Check, g *PortGroup, where string) {
	const why = "guests cannot be put in a VLAN: that takes mode hostdev or passthrough, or mode bridge with a Linux bridge or Open vSwitch"
	libvirt := n.libvirtTakesVLAN(g)
	switch merged := n.takesVLAN(g); {
	case merged && !libvirt:
		c.Rule(!c.Skips(VLANMerged), "vlan-mode", where, why)
	case !merged && libvirt:
		c.Deviates(false, VLANMerged, where, why)
	default:
		c.Rule(merged, "vlan-mode", where, why)
	}
}

// vlanOf returns where in the group a VLAN is asked for: "" when only the network does.
func (n *Network) vlanOf(g *PortGroup) string {
	if g.VLAN != nil {
		return "vlan"
	}
	return ""
}

// takesVLAN reports whether guests can be put in a VLAN, judged by the switch that network and group name
// together.
func (n *Network) takesVLAN(g *PortGroup) bool {
	switch n.Mode() {
	case ForwardHostdev, ForwardPassthrough:
		return true
	case ForwardBridge:
		t := n.switchOf(g)
		return n.HostBridge() && (t == 0 || t == virtualport.OpenVSwitch)
	}
	return false
}

// libvirtTakesVLAN is takesVLAN as libvirt judges: by the group alone if it has a <virtualport>, and without a
// look at the bridge.
func (n *Network) libvirtTakesVLAN(g *PortGroup) bool {
	mode := n.Mode()
	if g != nil && g.VirtualPort != nil {
		return mode == ForwardBridge && g.VirtualPort.Type == virtualport.OpenVSwitch
	}
	switch mode {
	case ForwardHostdev, ForwardPassthrough:
		return true
	case ForwardBridge:
		return n.VirtualPort == nil || n.VirtualPort.Type == virtualport.OpenVSwitch
	}
	return false
}
