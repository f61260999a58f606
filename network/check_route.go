// SPDX-License-Identifier: Apache-2.0

package network

import (
	"math"
	"net/netip"

	"github.com/go-virtnet/virtnet/network/schema"
)

// check checks r, the element that c stands in, as a route of a network with the subnets ips.
func (r *Route) check(c *schema.Check, ips []IP) {
	if r.Check(c) {
		c.Rule(reachable(r.Gateway, ips), "route-gateway-reachable", "@gateway", "%s is in no subnet of the network", r.Gateway)
	}
}

// Check checks r, the element that c stands in, as a route of any document. It reports whether the gateway can
// be one.
func (r *Route) Check(c *schema.Check) bool {
	c.Rule(!r.Metric.Given() || r.Metric.Uint() > 0 && r.Metric.Uint() <= math.MaxUint32, "route-metric", "@metric",
		"%s is not a metric: 1 to %d", r.Metric, uint32(math.MaxUint32))
	address := c.Rule(r.Address.Given(), "route-address", "@address", "a route needs an address")
	gateway := c.Rule(r.Gateway.Given(), "route-gateway", "@gateway", "a route needs a gateway")
	if address && c.Rule(r.Family.has(r.Address), "route-family", "@address", "%s is not of the family %s", r.Address, r.Family.or4()) {
		r.checkSize(c)
	}
	return gateway && c.Rule(r.Family.has(r.Gateway), "route-gateway-family", "@gateway", "%s is not of the family %s", r.Gateway, r.Family.or4())
}

// or4 returns f, IPv4 when absent.
func (f Family) or4() Family {
	if f == 0 {
		return IPv4
	}
	return f
}

// checkSize checks the size of the destination, and that the address is the first of it.
func (r *Route) checkSize(c *schema.Check) {
	most := uint64(r.Address.BitLen())
	if !c.Rule(r.PrefixLen.Uint() <= most, "route-prefix", "@prefix", "%s is more than %d", r.PrefixLen, most) {
		return
	}
	if !r.Netmask.Given() {
		bits := int(r.PrefixLen.Uint())
		if r.natural() && !c.Skips(NaturalRoute) {
			natural, ok := naturalBits(r.Address)
			if !c.Rule(ok, "route-prefix-natural", "@address", "%s needs a prefix", r.Address) {
				return
			}
			bits = natural
		}
		p := netip.PrefixFrom(r.Address.WithZone(""), bits)
		c.Rule(p.Masked() == p, "route-host-bits", "@address", "%s is not the first address of a destination of %d bits", r.Address, p.Bits())
		return
	}
	if r.Family == IPv6 {
		c.Rule(false, "route-netmask-ipv6", "@netmask", "an IPv6 route takes a prefix, not a netmask")
		return
	}
	c.Rule(!r.PrefixLen.Given(), "route-netmask-or-prefix", "@prefix", "a route has a netmask or a prefix, not both")
	if c.Rule(r.Netmask.Is4(), "route-netmask-family", "@netmask", "%s is not an IPv4 netmask", r.Netmask) {
		checkMask(c, r.Netmask)
		c.Rule(masked4(r.Address, r.Netmask), "route-host-bits", "@address", "%s has bits outside the netmask %s", r.Address, r.Netmask)
	}
}

// masked4 reports whether the IPv4 address a has no bits outside mask, contiguous or not.
func masked4(a, mask schema.Addr) bool {
	x, m := a.As4(), mask.As4()
	for i := range x {
		if x[i]&^m[i] != 0 {
			return false
		}
	}
	return true
}

// reachable reports whether a lies in the subnet of one of ips.
func reachable(a schema.Addr, ips []IP) bool {
	for i := range ips {
		if p, ok := ips[i].Prefix(); ok && p.Contains(a.WithZone("")) {
			return true
		}
	}
	return false
}
