// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"

	"github.com/go-virtnet/virtnet/network/schema"
)

// checkDHCP checks the <dhcp> of p.
func (p *IP) checkDHCP(c *schema.Check) {
	d := p.DHCP
	for i := range d.Ranges {
		c.At("range", i, func() { d.Ranges[i].check(c, p) })
	}
	d.checkRangeOverlap(c)
	seen := hostKeys{}
	for i := range d.Hosts {
		c.At("host", i, func() {
			d.Hosts[i].check(c, p)
			seen.check(c, &d.Hosts[i], i)
		})
	}
	if d.Bootp != nil {
		c.In("bootp", func() { d.Bootp.check(c, p) })
	}
}

func (r *Range) check(c *schema.Check, p *IP) {
	if r.Lease != nil {
		c.In("lease", func() { r.Lease.check(c) })
	}
	start := c.Rule(r.Start.Given(), "dhcp-range-start", "@start", "a range needs a start")
	end := c.Rule(r.End.Given(), "dhcp-range-end", "@end", "a range needs an end")
	if !start || !end || !p.Address.Given() {
		return
	}
	if !c.Rule(r.Start.BitLen() == p.Address.BitLen(), "dhcp-range-family", "@start", "%s is not of the family of %s", r.Start, p.Address) ||
		!c.Rule(r.End.BitLen() == p.Address.BitLen(), "dhcp-range-family", "@end", "%s is not of the family of %s", r.End, p.Address) {
		return
	}
	subnet, ok := p.Prefix()
	if !c.Rule(ok, "dhcp-range-subnet", "", "the subnet of %s has no size", p.Address) {
		return
	}
	r.checkEnds(c, p, subnet)
}

// checkEnds checks where the range lies, and its size.
func (r *Range) checkEnds(c *schema.Check, p *IP, subnet netip.Prefix) {
	start, end := r.Start.WithZone(""), r.End.WithZone("")
	c.Rule(subnet.Contains(start), "dhcp-range-in-subnet", "@start", "%s is not in %s", r.Start, subnet.Masked())
	c.Rule(subnet.Contains(end), "dhcp-range-in-subnet", "@end", "%s is not in %s", r.End, subnet.Masked())
	if start.Is4() {
		c.Rule(start != subnet.Masked().Addr(), "dhcp-range-network", "@start", "%s is the address of the subnet itself", r.Start)
		c.Rule(end != lastOf(subnet), "dhcp-range-broadcast", "@end", "%s is the broadcast address of the subnet", r.End)
	}
	if !c.Rule(!end.Less(start), "dhcp-range-order", "@end", "the end %s comes before the start %s", r.End, r.Start) {
		return
	}
	if c.Skips(LargeRange) {
		c.Rule(rangeSize(start, end) <= maxAddresses && sameBits(start, end, 112), "dhcp-range-size", "",
			"the range has more than %d addresses or, with IPv6, differs before the last 16 bits", maxAddresses)
	} else {
		c.Rule(sameBits(start, end, 64), "dhcp-range-size", "", "the range differs in the first 64 bits: no guest can be given them")
	}
	own := p.Address.Addr
	c.Deviates(own.Less(start) || end.Less(own), RangeGateway, "", "the range contains %s, the address of the network itself", p.Address)
}

// sameBits reports whether two IPv6 addresses are the same in the first bits; IPv4 addresses may differ anywhere.
func sameBits(a, b netip.Addr, bits int) bool {
	return a.Is4() || netip.PrefixFrom(a, bits).Contains(b)
}

// minLease is the shortest lease in seconds.
const minLease = 120

func (l *Lease) check(c *schema.Check) {
	if !l.Expiry.Given() {
		c.Deviates(false, LeaseExpiry, "@expiry", "a lease needs an expiry")
		return
	}
	least := uint64(minLease / 60)
	switch l.Unit {
	case Seconds:
		least = minLease
	case Hours:
		least = 1
	}
	c.Rule(l.Expiry.Uint() == 0 || l.Expiry.Uint() >= least, "lease-expiry-least", "@expiry", "a lease lasts at least %d seconds, or for ever with 0", minLease)
}

func (h *Host) check(c *schema.Check, p *IP) {
	h.checkWords(c, p)
	if p.Family == IPv6 {
		c.Rule(h.ID.Given() || h.Name.Given(), "dhcp-host-key", "", "a host of an IPv6 subnet needs an id or a name")
	} else {
		c.Rule(h.MAC != "" || h.Name.Given(), "dhcp-host-key", "", "a host needs a mac or a name")
	}
	if !c.Rule(h.IP.Given(), "dhcp-host-ip", "@ip", "a host needs an ip") {
		return
	}
	if subnet, ok := p.Prefix(); ok {
		c.Deviates(subnet.Contains(h.IP.Addr), HostInSubnet, "@ip", "%s is not in %s", h.IP, subnet.Masked())
		c.Deviates(h.IP != p.Address, HostInSubnet, "@ip", "%s is the address of the network itself", h.IP)
	}
}

// checkWords checks what h has, whatever it may lack.
func (h *Host) checkWords(c *schema.Check, p *IP) {
	if h.Lease != nil {
		c.In("lease", func() { h.Lease.check(c) })
	}
	c.Rule(p.Family != IPv6 || h.MAC == "", "dhcp-host-mac-ipv6", "@mac", "a host of an IPv6 subnet is known by its id or name, not by a MAC")
	if h.MAC != "" {
		c.Rule(!h.MAC.MAC().IsMulticast(), "dhcp-host-mac-unicast", "@mac", "%s is a multicast address", h.MAC)
		err := new(schema.MAC).UnmarshalText([]byte(h.MAC))
		c.Deviates(err == nil, HostMAC, "@mac", "%s has more than a MAC address", schema.Quote(string(h.MAC)))
	}
	c.Rule(onlyHex(h.ID.String()), "dhcp-host-id", "@id", "%s is not a DUID: hexadecimal digits and colons", schema.Quote(h.ID.String()))
	if h.Name.Given() {
		name := h.Name.String()
		if c.Rule(name != "" && onlyWords(name[:1], ""), "dhcp-host-name-start", "@name", "%s does not begin with a letter or a digit", schema.Quote(name)) {
			c.Deviates(schema.IsDNSName(name), HostName, "@name", "%s is not %s", schema.Quote(name), schema.WantDNSName)
		}
	}
}

// onlyHex reports whether s has only hexadecimal digits and colons.
func onlyHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || c == ':') {
			return false
		}
	}
	return true
}

// hostKeys are what the hosts of a subnet met so far are known by, each with the index of its host.
type hostKeys map[string]int

// check checks that no other host is known by anything that h is.
func (k hostKeys) check(c *schema.Check, h *Host, index int) {
	if c.Skips(HostOnce) {
		return
	}
	if h.MAC != "" {
		k.once(c, "@mac", h.MAC.MAC().String(), index)
	}
	k.once(c, "@id", h.ID.String(), index)
	k.once(c, "@name", h.Name.String(), index)
	k.once(c, "@ip", h.IP.String(), index)
}

func (k hostKeys) once(c *schema.Check, where, value string, index int) {
	if value == "" {
		return
	}
	first, twice := k[where+value]
	c.Deviates(!twice, HostOnce, where, "host number %d has the same %s", first+1, where[1:])
	if !twice {
		k[where+value] = index
	}
}

func (b *Bootp) check(c *schema.Check, p *IP) {
	if p.Family == IPv6 {
		c.Deviates(false, BootpLost, "", "there is no BOOTP in an IPv6 subnet")
		return
	}
	if c.Rule(b.File.Given(), "bootp-file", "@file", "a <bootp> needs a file") {
		c.Deviates(isFileWord(b.File.String()), BootpFile, "@file", "%s is not a file: not empty, no control characters, no comma", schema.Quote(b.File.String()))
	}
	c.Deviates(len(p.DHCP.Ranges)+len(p.DHCP.Hosts) > 0, BootpLost, "", "without a range and a host nobody boots from it")
}
