// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"slices"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/schema"
)

// Clone returns a copy that shares nothing with i that can be changed.
func (i *Interface) Clone() *Interface {
	c := *i
	c.Extra = schema.CloneExtra(i.Extra)
	c.MAC = cloneOf(i.MAC, func(m *MAC) { m.Extra = schema.CloneExtra(m.Extra) })
	c.Source = i.Source.clone()
	c.VLAN = i.VLAN.Clone()
	c.VirtualPort = i.VirtualPort.Clone()
	c.Bandwidth = i.Bandwidth.Clone()
	c.Port = i.Port.Clone()
	c.Actual = i.Actual.clone()
	c.IPs = cloneIPs(i.IPs)
	c.Routes = cloneRoutes(i.Routes)
	c.PortForwards = clonesOf(i.PortForwards, func(p *PortForward) {
		p.Extra = schema.CloneExtra(p.Extra)
		p.Ranges = clonesOf(p.Ranges, func(r *PortRange) { r.Extra = schema.CloneExtra(r.Extra) })
	})
	c.Script = i.Script.clone()
	c.Downscript = i.Downscript.clone()
	c.BackendDomain = cloneOf(i.BackendDomain, func(b *BackendDomain) { b.Extra = schema.CloneExtra(b.Extra) })
	c.Target = cloneOf(i.Target, func(t *Target) { t.Extra = schema.CloneExtra(t.Extra) })
	c.Guest = cloneOf(i.Guest, func(g *GuestDev) { g.Extra = schema.CloneExtra(g.Extra) })
	c.Model = cloneOf(i.Model, func(m *Model) { m.Extra = schema.CloneExtra(m.Extra) })
	c.Driver = i.Driver.clone()
	c.VirtioDriver = i.VirtioDriver.clone()
	c.Backend = cloneOf(i.Backend, func(b *Backend) { b.Extra = schema.CloneExtra(b.Extra) })
	c.FilterRef = i.FilterRef.clone()
	c.Tune = cloneOf(i.Tune, func(t *Tune) { t.Extra = schema.CloneExtra(t.Extra) })
	c.Teaming = cloneOf(i.Teaming, func(t *Teaming) { t.Extra = schema.CloneExtra(t.Extra) })
	c.Link = cloneOf(i.Link, func(l *Link) { l.Extra = schema.CloneExtra(l.Extra) })
	c.MTU = cloneOf(i.MTU, func(m *MTU) { m.Extra = schema.CloneExtra(m.Extra) })
	c.Coalesce = i.Coalesce.clone()
	c.Boot = cloneOf(i.Boot, func(b *Boot) { b.Extra = schema.CloneExtra(b.Extra) })
	c.Alias = cloneOf(i.Alias, func(a *Alias) { a.Extra = schema.CloneExtra(a.Extra) })
	c.ROM = cloneOf(i.ROM, func(r *ROM) { r.Extra = schema.CloneExtra(r.Extra) })
	c.ACPI = cloneOf(i.ACPI, func(a *ACPI) { a.Extra = schema.CloneExtra(a.Extra) })
	c.Address = i.Address.clone()
	c.PrivateData = cloneOf(i.PrivateData, func(p *PrivateData) { p.Extra = schema.CloneExtra(p.Extra) })
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

func cloneIPs(ips []IP) []IP {
	return clonesOf(ips, func(p *IP) { p.Extra = schema.CloneExtra(p.Extra) })
}

func cloneRoutes(routes []network.Route) []network.Route {
	return clonesOf(routes, func(r *network.Route) { r.Extra = schema.CloneExtra(r.Extra) })
}

func (s *Source) clone() *Source {
	return cloneOf(s, func(s *Source) {
		s.Reconnect = cloneOf(s.Reconnect, func(r *Reconnect) { r.Extra = schema.CloneExtra(r.Extra) })
		s.Local = cloneOf(s.Local, func(l *Local) { l.Extra = schema.CloneExtra(l.Extra) })
		s.Vendor = cloneOf(s.Vendor, func(u *USBID) { u.Extra = schema.CloneExtra(u.Extra) })
		s.Product = cloneOf(s.Product, func(u *USBID) { u.Extra = schema.CloneExtra(u.Extra) })
		s.Address = s.Address.clone()
		s.IPs = cloneIPs(s.IPs)
		s.Routes = cloneRoutes(s.Routes)
		s.Extra = schema.CloneExtra(s.Extra)
	})
}

func (a *Actual) clone() *Actual {
	return cloneOf(a, func(a *Actual) {
		a.Driver = a.Driver.clone()
		a.Source = a.Source.clone()
		a.Class = cloneOf(a.Class, func(c *Class) { c.Extra = schema.CloneExtra(c.Extra) })
		a.VLAN = a.VLAN.Clone()
		a.VirtualPort = a.VirtualPort.Clone()
		a.Bandwidth = a.Bandwidth.Clone()
		a.Port = a.Port.Clone()
		a.Extra = schema.CloneExtra(a.Extra)
	})
}

func (a *Address) clone() *Address {
	return cloneOf(a, func(a *Address) { a.Extra = schema.CloneExtra(a.Extra) })
}

func (s *Script) clone() *Script {
	return cloneOf(s, func(s *Script) { s.Extra = schema.CloneExtra(s.Extra) })
}

func (d *Driver) clone() *Driver {
	return cloneOf(d, func(d *Driver) {
		d.Host = cloneOf(d.Host, func(h *HostOffloads) { h.Extra = schema.CloneExtra(h.Extra) })
		d.Guest = cloneOf(d.Guest, func(g *GuestOffloads) { g.Extra = schema.CloneExtra(g.Extra) })
		d.Extra = schema.CloneExtra(d.Extra)
	})
}

func (f *FilterRef) clone() *FilterRef {
	return cloneOf(f, func(f *FilterRef) {
		f.Parameters = clonesOf(f.Parameters, func(p *Parameter) { p.Extra = schema.CloneExtra(p.Extra) })
		f.Extra = schema.CloneExtra(f.Extra)
	})
}

func (c *Coalesce) clone() *Coalesce {
	return cloneOf(c, func(c *Coalesce) {
		c.RX = cloneOf(c.RX, func(r *CoalesceRX) {
			r.Frames = cloneOf(r.Frames, func(f *Frames) { f.Extra = schema.CloneExtra(f.Extra) })
			r.Extra = schema.CloneExtra(r.Extra)
		})
		c.Extra = schema.CloneExtra(c.Extra)
	})
}
