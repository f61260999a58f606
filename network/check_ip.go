// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"

	"github.com/go-virtnet/virtnet/network/schema"
)

func (p *IP) check(c *schema.Check) {
	if c.Rule(p.Address.Given(), "ip-address", "@address", "an <ip> needs an address") {
		p.checkSize(c)
		p.checkHost(c)
	}
	if p.TFTP != nil {
		c.Rule(p.Family != IPv6, "tftp-family", "tftp", "there is no TFTP in an IPv6 subnet")
		c.Deviates(isFileWord(p.TFTP.Root), TFTPRoot, "tftp/@root", "%s is not a folder: not empty, no control characters, no comma", schema.Quote(p.TFTP.Root))
	}
	if p.DHCP != nil {
		c.In("dhcp", func() { p.checkDHCP(c) })
	}
}

// isFileWord reports whether s can stand for a file in the configuration of a server.
func isFileWord(s string) bool { return s != "" && !schema.HasControl(s) && onlyOf(s, ',') }

// onlyOf reports whether s is without the byte not.
func onlyOf(s string, not byte) bool {
	for i := range len(s) {
		if s[i] == not {
			return false
		}
	}
	return true
}

// checkSize checks the family of the address and the size of its subnet.
func (p *IP) checkSize(c *schema.Check) {
	if p.Family == IPv6 {
		c.Rule(p.Address.Is6(), "ip-family", "@address", "%s is not an IPv6 address", p.Address)
		c.Rule(!p.Netmask.Given(), "ip-netmask-ipv6", "@netmask", "an IPv6 address takes a prefix, not a netmask")
		c.Rule(p.PrefixLen.Uint() <= 128, "ip-prefix", "@prefix", "%s is more than 128", p.PrefixLen)
		return
	}
	c.Rule(p.Address.Is4(), "ip-family", "@address", "%s is not an IPv4 address; family='ipv6' is missing", p.Address)
	if p.Netmask.Given() {
		if c.Rule(p.Netmask.Is4(), "ip-netmask-family", "@netmask", "%s is not an IPv4 netmask", p.Netmask) {
			checkMask(c, p.Netmask)
		}
		c.Rule(p.PrefixLen.Uint() == 0, "ip-netmask-or-prefix", "@prefix", "a subnet has a netmask or a prefix, not both")
		return
	}
	c.Rule(p.PrefixLen.Uint() <= 32, "ip-prefix", "@prefix", "%s is more than 32", p.PrefixLen)
}

// checkMask checks an IPv4 netmask.
func checkMask(c *schema.Check, mask schema.Addr) {
	_, ok := schema.MaskLen(mask.Addr)
	c.Deviates(ok, ContiguousMask, "@netmask", "%s is not contiguous", mask)
}

// checkHost checks that a host can have the address.
func (p *IP) checkHost(c *schema.Check) {
	a := p.Address
	if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.Zone() != "" {
		c.Deviates(false, HostAddress, "@address", "%s is not the address of a host", a)
		return
	}
	subnet, ok := p.Prefix()
	if !ok {
		c.Deviates(p.Netmask.Given() || p.PrefixLen.Uint() > 0, NaturalPrefix, "@address", "%s needs a prefix", a)
		return
	}
	if a.Is4() && subnet.Bits() < 31 {
		c.Deviates(a.Addr != subnet.Masked().Addr() && a.Addr != lastOf(subnet), HostAddress, "@address",
			"%s is the address or the broadcast address of its subnet %s", a, subnet.Masked())
	}
}

// lastOf returns the last address of a prefix: with IPv4 the broadcast address.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := range b {
		if host := (i+1)*8 - p.Bits(); host >= 8 {
			b[i] = 0xff
		} else if host > 0 {
			b[i] |= 1<<host - 1
		}
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// rangeSize returns how many addresses there are from start to end, both included and of one family, as far as
// 32 bits go.
func rangeSize(start, end netip.Addr) uint64 {
	a, b := start.AsSlice(), end.AsSlice()
	tail := func(s []byte) (n uint64) {
		for _, octet := range s[len(s)-4:] {
			n = n<<8 | uint64(octet)
		}
		return n
	}
	if string(a[:len(a)-4]) != string(b[:len(b)-4]) {
		return 1 << 32
	}
	return tail(b) - tail(a) + 1
}

// checkSubnets checks the subnets of a network against each other: that they do not overlap, and that at most
// one of each family has DHCP.
func (n *Network) checkSubnets(c *schema.Check) {
	served := map[bool]int{}
	for i := range n.IPs {
		p := &n.IPs[i]
		if d := p.DHCP; d != nil && len(d.Ranges)+len(d.Hosts) > 0 {
			six := p.Family == IPv6
			if first, twice := served[six]; twice {
				c.At("ip", i, func() {
					c.Rule(false, "dhcp-once", "dhcp", "one subnet of a family can have DHCP, and <ip> number %d has it", first)
				})
			} else {
				served[six] = i + 1
			}
		}
	}
	n.checkOverlap(c)
}
