// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

// dhcpParent returns the <ip> that is meant, and its index.
func (e *edit) dhcpParent() (*IP, int, error) {
	ips := e.n.IPs
	if e.IP > 0 {
		if e.IP > len(ips) {
			return nil, 0, e.refuse(fs.ErrNotExist, "update-ip", "", "the network has no <ip> number %d, but %d", e.IP, len(ips))
		}
		return &ips[e.IP-1], e.IP - 1, nil
	}
	for _, is := range []func(*IP) bool{
		(*IP).hasDHCP,
		func(p *IP) bool { return p.Family != IPv6 },
		func(*IP) bool { return true },
	} {
		if found := indexes(ips, is); len(found) > 0 {
			return &ips[found[0]], found[0], nil
		}
	}
	return nil, 0, e.refuse(fs.ErrNotExist, "update-ip", "", "the network has no <ip>")
}

// hasDHCP reports whether p has ranges or hosts.
func (p *IP) hasDHCP() bool { return p.DHCP != nil && len(p.DHCP.Ranges)+len(p.DHCP.Hosts) > 0 }

// checkOnly refuses to add DHCP to an <ip> if another one of its family has it.
func (e *edit) checkOnly(p *IP) error {
	for i := range e.n.IPs {
		other := &e.n.IPs[i]
		if other != p && (other.Family == IPv6) == (p.Family == IPv6) && other.hasDHCP() {
			return e.refuse(fs.ErrExist, "update-dhcp-once", "", "one subnet of a family can have DHCP, and /network/ip[%d] has it", i+1)
		}
	}
	return nil
}

// makeDHCP gives p a <dhcp> if it has none.
func (p *IP) makeDHCP() *DHCP {
	if p.DHCP == nil {
		p.DHCP = new(DHCP)
	}
	return p.DHCP
}

// trimDHCP takes away a <dhcp> in which nothing is left.
func (p *IP) trimDHCP() {
	if d := p.DHCP; d != nil && !p.hasDHCP() && d.Bootp == nil && schema.IsBare(d.Extra) {
		p.DHCP = nil
	}
}

func (e *edit) dhcpHost() error {
	var h Host
	if err := e.read(&h); err != nil {
		return err
	}
	p, index, err := e.dhcpParent()
	if err != nil {
		return err
	}
	if err := e.checkHost(&h, p); err != nil {
		return err
	}
	d := p.makeDHCP()
	defer p.trimDHCP()
	var found []int
	if e.Command == CommandDelete {
		found = first(indexes(d.Hosts, func(o *Host) bool { return e.deletes(&h, o) }))
	} else {
		found = first(indexes(d.Hosts, h.collides))
	}
	if e.Command.adds() {
		if err := e.checkOnly(p); err != nil {
			return err
		}
	}
	return apply(e, &d.Hosts, h, found, fmt.Sprintf("/network/ip[%d]/dhcp", index+1), h.key())
}

// checkHost checks what is not checked with the whole network.
func (e *edit) checkHost(h *Host, p *IP) error {
	if e.Command != CommandDelete {
		if h.IP.Given() && h.IP.Is4() != p.Address.Is4() {
			return e.refuse(fs.ErrInvalid, "update-family", "@ip", "%s is not of the family of %s", h.IP, p.Address)
		}
		return nil
	}
	if err := e.checkKey(func(c *schema.Check) { h.checkWords(c, p) }); err != nil {
		return err
	}
	if h.MAC == "" && !h.Name.Given() && !h.IP.Given() {
		return e.refuse(fs.ErrInvalid, "update-key", "", "a mac, a name or an ip has to say which <host> is meant")
	}
	return nil
}

// collides reports whether two hosts have the same mac, name or ip.
func (h *Host) collides(o *Host) bool {
	return h.MAC != "" && o.MAC != "" && sameMAC(h.MAC, o.MAC) || h.Name.Given() && h.Name == o.Name || h.IP.Given() && h.IP == o.IP
}

// deletes reports whether o is the host meant by h.
func (e *edit) deletes(h, o *Host) bool {
	mac := h.MAC == "" || o.MAC != "" && sameMAC(h.MAC, o.MAC) || o.MAC == "" && e.skips(UpdateHostMAC)
	return mac && (!h.Name.Given() || h.Name == o.Name) && (!h.IP.Given() || h.IP == o.IP)
}

// key says in messages what h is known by.
func (h *Host) key() string {
	var parts []string
	for _, part := range []struct{ name, value string }{{"mac", string(h.MAC)}, {"name", h.Name.String()}, {"ip", h.IP.String()}} {
		if part.value != "" {
			parts = append(parts, part.name+" "+schema.Quote(part.value))
		}
	}
	return strings.Join(parts, ", ")
}

// sameMAC reports whether two addresses are the same, whatever the case of their letters and however their zeros are
// written, and whatever follows them is too.
func sameMAC(a, b schema.MACText) bool {
	digits := func(t schema.MACText) string {
		s := strings.ToLower(string(t))
		var kept []byte
		for i := range len(s) {
			if s[i] != '0' || i+1 == len(s) || !onlyHex(s[i+1:i+2]) || s[i+1] == ':' {
				kept = append(kept, s[i])
			}
		}
		return string(kept)
	}
	return digits(a) == digits(b)
}

func (e *edit) dhcpRange() error {
	var r Range
	if err := e.read(&r); err != nil {
		return err
	}
	if e.Command == CommandModify {
		return e.unsupported("delete, add-last or add-first")
	}
	p, index, err := e.dhcpParent()
	if err != nil {
		return err
	}
	if e.Command == CommandDelete {
		if err := e.checkKey(func(c *schema.Check) { r.check(c, p) }); err != nil {
			return err
		}
	}
	if e.Command.adds() {
		if err := e.checkOnly(p); err != nil {
			return err
		}
	}
	d := p.makeDHCP()
	defer p.trimDHCP()
	found := first(indexes(d.Ranges, func(o *Range) bool { return o.Start == r.Start && o.End == r.End }))
	return apply(e, &d.Ranges, r, found, fmt.Sprintf("/network/ip[%d]/dhcp", index+1), fmt.Sprintf("start %s and end %s", r.Start, r.End))
}
