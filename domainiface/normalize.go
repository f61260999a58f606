// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/hostdev"
	"github.com/go-virtnet/virtnet/network/schema"
)

// Normalize brings i to the form in which libvirt tells the interface of an inactive guest: the type and the mode
// of a macvtap device are written out, what says nothing is gone, and so is what is told of running guests only:
// the <actual>, the identity of a port, and the names that are made up (vnet0, macvtap0). The document means the
// same as before. With Compat it also loses what libvirt 11.3 loses.
//
// What is chosen for a guest, such as its MAC address, is not filled in; see [Interface.Complete].
func (i *Interface) Normalize(rules schema.Rules) {
	i.Type = i.Kind()
	if i.Managed == schema.No {
		i.Managed = 0
	}
	if i.MAC != nil {
		i.MAC.CurrentAddress = schema.MAC{}
	}
	i.Actual, i.PrivateData = nil, nil
	if rules.Compat {
		i.lose()
	}
	i.normalizeSource()
	i.VLAN.Normalize(rules)
	i.VirtualPort = i.VirtualPort.Normalize(rules)
	i.Bandwidth = i.Bandwidth.Normalize(rules)
	if i.Port != nil && i.Port.Isolated == 0 && schema.IsBare(i.Port.Extra) {
		i.Port = nil
	}
	for n := range i.IPs {
		i.IPs[n].normalize()
	}
	i.normalizeDevice(rules)
	i.normalizeTuning()
}

func (i *Interface) normalizeSource() {
	s := i.Source
	if s == nil {
		return
	}
	s.MACTableManager = 0
	if i.Type != VDS {
		s.PortID = ""
	}
	switch i.Type {
	case Direct:
		s.Mode = SourceMode(s.Mode.Macvtap())
	case VhostUser:
		if s.Mode == 0 {
			s.Mode = ModeClient
		}
	}
	if k, ok := s.Address.PCI(); ok {
		s.Address.normalize(k)
	}
	for n := range s.IPs {
		s.IPs[n].normalize()
	}
	if s.isEmpty() {
		i.Source = nil
	}
}

// isEmpty reports whether s says nothing.
func (s *Source) isEmpty() bool {
	return len(s.IPs)+len(s.Routes) == 0 && schema.IsBare(s.Extra) &&
		!slices.ContainsFunc([]schema.Text{s.Network, s.PortGroup, s.SwitchID, s.PortID, s.PortGroupID, s.ConnectionID, s.Bridge,
			s.Name, s.Type, s.Path, s.Dev, s.Host, s.PortNumber}, schema.Text.Given) &&
		s.MACTableManager == 0 && s.Mode == 0 && s.WriteFiltering == 0 && s.Reconnect == nil && s.Local == nil &&
		s.Vendor == nil && s.Product == nil && s.Address == nil
}

func (a *Address) normalize(k hostdev.Key) {
	n := NewAddress(k)
	n.Extra = a.Extra
	*a = *n
}

func (p *IP) normalize() {
	if p.PrefixLen.Uint() == 0 {
		p.PrefixLen = schema.Number{}
	}
	if p.Family == 0 && p.Address.Given() {
		p.Family = familyOf(p.Address)
	}
}

func (i *Interface) normalizeDevice(rules schema.Rules) {
	if t := i.Target; t != nil {
		if t.Managed != schema.No && isMadeUp(t.Dev.String(), rules.Compat) {
			t.Dev = ""
		}
		if t.Dev.String() == "" && t.Managed == 0 && schema.IsBare(t.Extra) {
			i.Target = nil
		}
	}
	if g := i.Guest; g != nil && g.Dev == "" && g.Actual == "" && schema.IsBare(g.Extra) {
		i.Guest = nil
	}
	if m := i.Model; m != nil && m.Type == "" && schema.IsBare(m.Extra) {
		i.Model = nil
	}
	if d := i.Driver; d != nil {
		d.normalize()
		if d.isEmpty() {
			i.Driver = nil
		}
	}
	if b := i.Backend; b != nil {
		if b.Type == BackendDefault {
			b.Type = 0
		}
		b.Tap, b.Vhost = cleanPath(b.Tap), cleanPath(b.Vhost)
		if b.Type == 0 && !b.Tap.Given() && !b.Vhost.Given() && !b.LogFile.Given() && schema.IsBare(b.Extra) {
			i.Backend = nil
		}
	}
	if f := i.FilterRef; f != nil {
		slices.SortStableFunc(f.Parameters, func(a, b Parameter) int {
			return strings.Compare(a.Name.String(), b.Name.String())
		})
	}
}

// madeUp are what the names of devices start with that are made up when a guest starts.
var madeUp = []string{"vnet", "macvtap", "macvlan"}

// isMadeUp reports whether a name is made up when a guest starts. libvirt takes everything that starts like such a
// name for one.
func isMadeUp(name string, compat bool) bool {
	for _, prefix := range madeUp {
		rest, ok := strings.CutPrefix(name, prefix)
		if ok && (compat || rest == "%d" || rest != "" && strings.Trim(rest, "0123456789") == "") {
			return true
		}
	}
	return false
}

// cleanPath returns the path of a file without doubled slashes.
func cleanPath(path schema.Text) schema.Text {
	s := string(path)
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return schema.Text(s)
}

func (d *Driver) normalize() {
	if d.Queues.Uint() < 2 {
		d.Queues = schema.Number{}
	}
	for _, n := range []*schema.Number{&d.RXQueueSize, &d.TXQueueSize} {
		if n.Uint() == 0 {
			*n = schema.Number{}
		}
	}
	if h := d.Host; h != nil && h.CSum|h.GSO|h.TSO4|h.TSO6|h.ECN|h.UFO|h.MrgRXBuf == 0 && schema.IsBare(h.Extra) {
		d.Host = nil
	}
	if g := d.Guest; g != nil && g.CSum|g.TSO4|g.TSO6|g.ECN|g.UFO == 0 && schema.IsBare(g.Extra) {
		d.Guest = nil
	}
}

// isEmpty reports whether d says nothing.
func (d *Driver) isEmpty() bool {
	return d.Name == 0 && !d.Model.Given() && !d.forVirtio() && d.IOMMU|d.ATS|d.Packed|d.PagePerVQ == 0 && schema.IsBare(d.Extra)
}

func (i *Interface) normalizeTuning() {
	if t := i.Tune; t != nil && !t.Sndbuf.Given() && schema.IsBare(t.Extra) {
		i.Tune = nil
	}
	if t := i.Teaming; t != nil && t.Type == 0 && t.Persistent == "" && schema.IsBare(t.Extra) {
		i.Teaming = nil
	}
	if l := i.Link; l != nil && l.State == 0 && schema.IsBare(l.Extra) {
		i.Link = nil
	}
	if m := i.MTU; m != nil && m.Size.Uint() == 0 && schema.IsBare(m.Extra) {
		i.MTU = nil
	}
	if o := i.Coalesce; o.frames() == 0 && o.isBare() {
		i.Coalesce = nil
	}
	if a := i.Alias; a != nil && !a.own() && schema.IsBare(a.Extra) {
		i.Alias = nil
	}
	if r := i.ROM; r != nil && r.Enabled == 0 && r.Bar == 0 && !r.File.Given() && schema.IsBare(r.Extra) {
		i.ROM = nil
	}
	if a := i.ACPI; a != nil && !a.Index.Given() && schema.IsBare(a.Extra) {
		i.ACPI = nil
	}
}

// isBare reports whether c has no unknown content.
func (c *Coalesce) isBare() bool {
	switch {
	case c == nil:
		return true
	case !schema.IsBare(c.Extra):
		return false
	case c.RX == nil:
		return true
	}
	return schema.IsBare(c.RX.Extra) && (c.RX.Frames == nil || schema.IsBare(c.RX.Frames.Extra))
}
