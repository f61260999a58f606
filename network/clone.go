// SPDX-License-Identifier: Apache-2.0

package network

import (
	"slices"

	"github.com/go-virtnet/virtnet/network/schema"
)

// Clone returns a copy that shares nothing with n that can be changed.
func (n *Network) Clone() *Network {
	c := *n
	c.Extra = schema.CloneExtra(n.Extra)
	c.Metadata = cloneOf(n.Metadata, func(m *Metadata) { m.Extra = schema.CloneExtra(m.Extra) })
	c.Forward = n.Forward.clone()
	c.Bridge = cloneOf(n.Bridge, func(b *Bridge) { b.Extra = schema.CloneExtra(b.Extra) })
	c.MTU = cloneOf(n.MTU, func(m *MTU) { m.Extra = schema.CloneExtra(m.Extra) })
	c.MAC = n.MAC.clone()
	c.Domain = cloneOf(n.Domain, func(d *Domain) { d.Extra = schema.CloneExtra(d.Extra) })
	c.DNS = n.DNS.clone()
	c.VLAN = n.VLAN.Clone()
	c.Bandwidth = n.Bandwidth.Clone()
	c.Port = n.Port.Clone()
	c.IPs = clonesOf(n.IPs, (*IP).detach)
	c.Routes = clonesOf(n.Routes, func(r *Route) { r.Extra = schema.CloneExtra(r.Extra) })
	c.VirtualPort = n.VirtualPort.Clone()
	c.PortGroups = clonesOf(n.PortGroups, (*PortGroup).detach)
	c.DnsmasqOptions = cloneOf(n.DnsmasqOptions, (*DnsmasqOptions).detach)
	c.PortForwards = cloneOf(n.PortForwards, (*PortForwards).detach)
	c.Input = cloneOf(n.Input, (*Input).detach)
	return &c
}

// Clone returns a copy that shares nothing with p that can be changed.
func (p *Port) Clone() *Port {
	c := *p
	c.Extra = schema.CloneExtra(p.Extra)
	c.Owner = cloneOf(p.Owner, func(o *Owner) { o.Extra = schema.CloneExtra(o.Extra) })
	c.MAC = p.MAC.clone()
	c.VirtualPort = p.VirtualPort.Clone()
	c.Bandwidth = p.Bandwidth.Clone()
	c.VLAN = p.VLAN.Clone()
	c.Port = p.Port.Clone()
	c.RxFilters = cloneOf(p.RxFilters, func(r *RxFilters) { r.Extra = schema.CloneExtra(r.Extra) })
	c.Plug = cloneOf(p.Plug, func(p *Plug) {
		p.Driver, p.Address = p.Driver.Clone(), p.Address.Clone()
		p.Extra = schema.CloneExtra(p.Extra)
	})
	return &c
}

// cloneOf copies what p points to; detach then copies what the copy shares with it.
func cloneOf[T any](p *T, detach func(*T)) *T {
	if p == nil {
		return nil
	}
	c := *p
	detach(&c)
	return &c
}

// clonesOf is cloneOf for every element of a slice.
func clonesOf[T any](s []T, detach func(*T)) []T {
	c := slices.Clone(s)
	for i := range c {
		detach(&c[i])
	}
	return c
}

func (m *MAC) clone() *MAC {
	return cloneOf(m, func(m *MAC) { m.Extra = schema.CloneExtra(m.Extra) })
}

func (f *Forward) clone() *Forward {
	return cloneOf(f, func(f *Forward) {
		f.Driver = f.Driver.Clone()
		f.NAT = cloneOf(f.NAT, (*NAT).detach)
		f.PF = cloneOf(f.PF, func(p *PF) { p.Extra = schema.CloneExtra(p.Extra) })
		f.Interfaces = clonesOf(f.Interfaces, func(i *Interface) { i.Extra = schema.CloneExtra(i.Extra) })
		f.Addresses = slices.Clone(f.Addresses)
		for i := range f.Addresses {
			f.Addresses[i].Extra = schema.CloneExtra(f.Addresses[i].Extra)
		}
		f.Extra = schema.CloneExtra(f.Extra)
	})
}

func (n *NAT) detach() {
	n.Address = cloneOf(n.Address, func(a *NATAddress) { a.Extra = schema.CloneExtra(a.Extra) })
	n.Port = cloneOf(n.Port, func(p *NATPort) { p.Extra = schema.CloneExtra(p.Extra) })
	n.Extra = schema.CloneExtra(n.Extra)
}

func (d *DNS) clone() *DNS {
	return cloneOf(d, func(d *DNS) {
		d.Forwarders = clonesOf(d.Forwarders, func(f *Forwarder) { f.Extra = schema.CloneExtra(f.Extra) })
		d.TXTs = clonesOf(d.TXTs, func(t *TXT) { t.Extra = schema.CloneExtra(t.Extra) })
		d.SRVs = clonesOf(d.SRVs, func(s *SRV) { s.Extra = schema.CloneExtra(s.Extra) })
		d.Hosts = clonesOf(d.Hosts, func(h *DNSHost) {
			h.Hostnames = slices.Clone(h.Hostnames)
			h.Extra = schema.CloneExtra(h.Extra)
		})
		d.Extra = schema.CloneExtra(d.Extra)
	})
}

func (p *IP) detach() {
	p.TFTP = cloneOf(p.TFTP, func(t *TFTP) { t.Extra = schema.CloneExtra(t.Extra) })
	p.DHCP = cloneOf(p.DHCP, (*DHCP).detach)
	p.Extra = schema.CloneExtra(p.Extra)
}

func (d *DHCP) detach() {
	d.Ranges = clonesOf(d.Ranges, func(r *Range) {
		r.Lease, r.Extra = r.Lease.clone(), schema.CloneExtra(r.Extra)
	})
	d.Hosts = clonesOf(d.Hosts, func(h *Host) {
		h.Lease, h.Extra = h.Lease.clone(), schema.CloneExtra(h.Extra)
	})
	d.Bootp = cloneOf(d.Bootp, func(b *Bootp) { b.Extra = schema.CloneExtra(b.Extra) })
	d.Extra = schema.CloneExtra(d.Extra)
}

func (l *Lease) clone() *Lease {
	return cloneOf(l, func(l *Lease) { l.Extra = schema.CloneExtra(l.Extra) })
}

func (g *PortGroup) detach() {
	g.VLAN = g.VLAN.Clone()
	g.VirtualPort = g.VirtualPort.Clone()
	g.Bandwidth = g.Bandwidth.Clone()
	g.Extra = schema.CloneExtra(g.Extra)
}

func (o *DnsmasqOptions) detach() {
	o.Options = clonesOf(o.Options, func(o *DnsmasqOption) { o.Extra = schema.CloneExtra(o.Extra) })
	o.Extra = schema.CloneExtra(o.Extra)
}

func (p *PortForwards) detach() {
	p.Forwards = clonesOf(p.Forwards, func(f *PortForward) { f.Extra = schema.CloneExtra(f.Extra) })
	p.Extra = schema.CloneExtra(p.Extra)
}
