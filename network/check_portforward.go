// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// maxForwarded is how many ports of the host a network may have: each takes a place in a map of the kernel.
const maxForwarded = 16384

func (n *Network) checkPortForwards(c *schema.Check) {
	p := n.PortForwards
	if p == nil || c.Rules().Compat {
		return
	}
	if !c.Deviates(n.Managed(), PortForwardMode, "", "mode %s leads to no guests of the host", n.Mode()) {
		return
	}
	checkOwn(c, p.Extra, nil, []string{"forward"})
	ports := 0
	for i := range p.Forwards {
		c.At("virtnet:forward", i, func() { p.Forwards[i].check(c, n) })
		ports += p.Forwards[i].Ports.count()
	}
	c.Deviates(ports <= maxForwarded, PortForwardMany, "", "%d ports are forwarded, of which %d are allowed", ports, maxForwarded)
	n.checkForwardedOnce(c)
}

func (p *PortForward) check(c *schema.Check, n *Network) {
	checkOwn(c, p.Extra, []string{"proto", "address", "port", "to", "toport"}, nil)
	c.Deviates(p.Proto != 0, PortForwardProto, "@proto", "a forward needs a proto: tcp, udp or sctp")
	if c.Deviates(p.Ports.Given(), PortForwardPort, "@port", "a forward needs a port, or a range such as 8000-8010") && p.ToPorts.Given() {
		c.Deviates(p.ToPorts.count() == p.Ports.count(), PortForwardToPort, "@toport", "%s are %d ports, not %d as %s", p.ToPorts, p.ToPorts.count(), p.Ports.count(), p.Ports)
	}
	to := c.Deviates(p.To.Given(), PortForwardTo, "@to", "a forward needs the address of a guest in to")
	if to && p.To.Given() {
		p.checkTarget(c, n)
	}
	if !p.Address.Given() {
		name := ownService(p.Proto, p.Ports)
		c.Deviates(name == "", PortForwardService, "@port", "guests ask the host for %s at %s: an address has to say at which else", name, p.Ports)
		return
	}
	a := p.Address.Addr
	c.Deviates(!a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && !a.Is4In6() && a.Zone() == "", PortForwardAddress,
		"@address", "%s is not an address that others could connect to; without one it is every address of the host", a)
	c.Deviates(!to || a.Is4() == p.To.Is4(), PortForwardFamily, "@address", "%s is not of the family of %s", a, p.To)
}

// checkTarget checks the address of the guest.
func (p *PortForward) checkTarget(c *schema.Check, n *Network) {
	subnet, ok := n.subnetOf(p.To.WithZone(""))
	if !c.Deviates(ok && p.To.Zone() == "", PortForwardTarget, "@to", "%s is in no subnet of the network", p.To) || !ok {
		return
	}
	ends := subnet.Addr().Is4() && subnet.Bits() < 31 && (p.To.Addr == subnet.Masked().Addr() || p.To.Addr == lastOf(subnet))
	c.Deviates(p.To.Addr != subnet.Addr() && !ends, PortForwardTarget, "@to", "%s is not the address of a guest", p.To)
}

// ownService names what guests ask any address of the host for at one of the ports.
func ownService(proto PortProto, ports Ports) string {
	for _, s := range []struct {
		port uint16
		name string
		tcp  bool
	}{{53, "names", true}, {67, "addresses", false}, {69, "files", false}, {547, "addresses", false}} {
		if ports.First <= s.port && s.port <= ports.Last && (proto == PortUDP || s.tcp && proto == PortTCP) {
			return s.name
		}
	}
	return ""
}

// checkForwardedOnce checks that no port of an address is forwarded twice. It takes n log n steps.
func (n *Network) checkForwardedOnce(c *schema.Check) {
	type claimed struct {
		host.PortForward
		index int
	}
	var all []claimed
	for i := range n.PortForwards.Forwards {
		all = append(all, claimed{n.PortForwards.Forwards[i].host(), i})
	}
	place := func(a claimed) (host.Proto, host.Family, netip.Addr) { return a.Proto, host.FamilyOf(a.To), a.Addr }
	slices.SortStableFunc(all, func(a, b claimed) int {
		ap, af, aa := place(a)
		bp, bf, ba := place(b)
		return cmp.Or(cmp.Compare(ap, bp), cmp.Compare(af, bf), aa.Compare(ba), cmp.Compare(a.Ports.From, b.Ports.From), cmp.Compare(a.index, b.index))
	})
	for i := 1; i < len(all); i++ {
		before, at := &all[i-1], &all[i]
		if at.Ports.From == 0 || !at.Overlaps(before.PortForward) {
			continue
		}
		later, earlier := max(at.index, before.index), min(at.index, before.index)
		c.At("virtnet:forward", later, func() {
			c.Deviates(false, PortForwardOnce, "@port", "forward number %d has the port too", earlier+1)
		})
		// What ends later counts for those that follow.
		if before.Ports.To > at.Ports.To {
			at.Ports.To, at.index = before.Ports.To, before.index
		}
	}
}
