// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"encoding/xml"
	"slices"
	"strconv"
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
	if !rules.Compat {
		defer schema.KeepFirsts(i.Clone(), i)
	}
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
	i.Address.normalizeGuest()
	i.VLAN.Normalize(rules)
	i.VirtualPort = i.VirtualPort.Normalize(rules)
	i.Bandwidth = i.Bandwidth.Normalize(rules)
	if i.Port != nil && i.Port.Isolated == 0 && schema.IsBare(i.Port.Extra) {
		i.Port = nil
	}
	for n := range i.IPs {
		i.IPs[n].normalize()
	}
	for n := range i.PortForwards {
		i.PortForwards[n].normalize()
	}
	if i.BackendDomain != nil && i.BackendDomain.Name == "" && schema.IsBare(i.BackendDomain.Extra) {
		i.BackendDomain = nil
	}
	for _, s := range []**Script{&i.Script, &i.Downscript} {
		if *s != nil && (*s).Path == "" && schema.IsBare((*s).Extra) {
			*s = nil
		}
	}
	i.normalizeDevice(rules)
	i.normalizeTuning()
}

func (i *Interface) normalizeSource() {
	if i.Source == nil && i.Type == VhostUser {
		i.Source = new(Source)
	}
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
		if !i.Backend.passt() {
			s.normalizeSocket()
		}
	case VDS:
		s.normalizeVDS()
	case Server, Client, MCast, UDP:
		s.normalizePorts()
	}
	if k, ok := s.Address.PCI(); ok {
		s.Address.normalize(k)
	} else if i.Type == Hostdev {
		s.normalizeUSB()
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
		s.MACTableManager == 0 && s.Mode == 0 && s.WriteFiltering == 0 && !s.StartupPolicy.Given() && !s.GuestReset.Given() && s.Reconnect == nil && s.Local == nil &&
		s.Vendor == nil && s.Product == nil && s.Address == nil
}

// unixSocket is the type of the sockets of type vhostuser.
const unixSocket = "unix"

func (s *Source) normalizeSocket() {
	s.Type = unixSocket
	if s.Mode == 0 {
		s.Mode = ModeClient
	}
	if r := s.Reconnect; r != nil {
		if r.Enabled != schema.Yes {
			r.Timeout = schema.Number{}
		}
		if r.Enabled == 0 && schema.IsBare(r.Extra) {
			s.Reconnect = nil
		}
	}
}

func (s *Source) normalizeVDS() {
	if id, err := schema.ParseUUID(s.SwitchID.String()); err == nil {
		s.SwitchID = schema.Text(id.String())
	}
	for _, text := range []*schema.Text{&s.PortID, &s.ConnectionID} {
		if n, err := longOf(*text); err == nil {
			*text = schema.Text(strconv.FormatInt(n, 10))
		}
	}
}

func (s *Source) normalizePorts() {
	if s.Local != nil {
		s.Local.Port = canonicalPort(s.Local.Port)
	}
	s.PortNumber = canonicalPort(s.PortNumber)
}

// canonicalPort returns the number of a port in decimal; what is none as it is.
func canonicalPort(text schema.Text) schema.Text {
	if n, ok := numberOf(text); ok && text.Given() {
		return schema.Text(strconv.Itoa(n))
	}
	return text
}

func (s *Source) normalizeUSB() {
	for _, id := range []*USBID{s.Vendor, s.Product} {
		if id == nil {
			continue
		}
		if n, ok := (addressNumber{text: id.ID}).read(); ok && id.ID.Given() {
			id.ID = schema.Text(hostdev.Hex4(n).String())
		}
	}
	a := s.Address
	if a == nil {
		return
	}
	if a.Type.String() == "" {
		a.Type = usbBus
	}
	if n, ok := (addressNumber{text: a.Bus}).read(); ok && a.Bus.Given() {
		a.Bus = schema.Text(strconv.FormatUint(uint64(n), 10))
	}
	for k := range a.Attrs {
		if a.Attrs[k].Name == deviceAttr {
			if n, ok := (addressNumber{text: schema.Text(a.Attrs[k].Value)}).read(); ok {
				a.Attrs[k].Value = strconv.FormatUint(uint64(n), 10)
			}
		}
	}
}

// deviceAttr is the number of a device on a USB bus.
var deviceAttr = xml.Name{Local: "device"}

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
		if !t.Dev.Given() && t.Managed == 0 && schema.IsBare(t.Extra) {
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

// cleanPath returns the path of a file without doubled slashes, but for just two at its beginning, and without a slash at
// its end.
func cleanPath(path schema.Text) schema.Text {
	s := string(path)
	begin := ""
	if rest, ok := strings.CutPrefix(s, "//"); ok && !strings.HasPrefix(rest, "/") {
		begin, s = "/", s[1:]
	}
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	if len(s) > 1 {
		s = strings.TrimSuffix(s, "/")
	}
	return schema.Text(begin + s)
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
	if b := i.Boot; b != nil && b.LoadParm.Given() {
		b.LoadParm = schema.Text(strings.ToUpper(string(b.LoadParm)))
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
