// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/xml"
	"math"
	"slices"
	"strconv"

	"github.com/go-virtnet/virtnet/network/schema"
)

// Normalize brings n to the form in which libvirt tells an inactive network: the mode of a <forward> and the
// switches of a bridge are written out, its device and its list of devices agree, and what says nothing is
// gone, as is what is told of running networks only. The document means the same as before. With Compat it
// also loses what libvirt 11.3 loses.
//
// What is chosen for a host, such as the name of a bridge, is not filled in.
func (n *Network) Normalize(rules schema.Rules) {
	if !rules.Compat {
		defer schema.KeepFirsts(n.Clone(), n)
	}
	n.Connections = schema.Number{}
	if n.IPv6 == schema.No {
		n.IPv6 = 0
	}
	if rules.Compat {
		n.lose()
	}
	n.normalizeForward()
	n.normalizeBridge()
	if rules.Compat {
		n.Bridge.wrapDelay()
	}
	if n.Domain != nil && n.Domain.Name == "" && n.Domain.LocalOnly == 0 && n.Domain.Register == 0 && schema.IsBare(n.Domain.Extra) {
		n.Domain = nil
	}
	if n.DNS != nil {
		n.DNS.normalize()
		if n.DNS.isEmpty() && schema.IsBare(n.DNS.Extra) {
			n.DNS = nil
		}
	}
	n.VLAN.Normalize(rules)
	n.Bandwidth = n.Bandwidth.Normalize(rules)
	if n.Port != nil && n.Port.Isolated == 0 && schema.IsBare(n.Port.Extra) {
		n.Port = nil
	}
	for i := range n.IPs {
		n.IPs[i].normalize()
	}
	n.VirtualPort = n.VirtualPort.Normalize(rules)
	for i := range n.PortGroups {
		g := &n.PortGroups[i]
		if g.Default == schema.No {
			g.Default = 0
		}
		g.VLAN.Normalize(rules)
		g.VirtualPort = g.VirtualPort.Normalize(rules)
		g.Bandwidth = g.Bandwidth.Normalize(rules)
	}
	if n.DnsmasqOptions != nil && len(n.DnsmasqOptions.Options) == 0 && schema.IsBare(n.DnsmasqOptions.Extra) {
		n.DnsmasqOptions = nil
	}
	if n.PortForwards != nil && len(n.PortForwards.Forwards) == 0 && schema.IsBare(n.PortForwards.Extra) {
		n.PortForwards = nil
	}
}

// Normalize brings p to the form in which libvirt tells a port: the mode of a macvtap device is written out, and
// what says nothing is gone.
func (p *Port) Normalize() {
	defer schema.KeepFirsts(p.Clone(), p)
	p.Bandwidth = p.Bandwidth.Normalize(schema.Rules{Compat: true})
	p.VLAN.Normalize(schema.Rules{})
	p.VirtualPort = p.VirtualPort.Normalize(schema.Rules{})
	if p.Port != nil && p.Port.Isolated == 0 && schema.IsBare(p.Port.Extra) {
		p.Port = nil
	}
	if p.RxFilters != nil && p.RxFilters.TrustGuest == 0 && schema.IsBare(p.RxFilters.Extra) {
		p.RxFilters = nil
	}
	switch g := p.Plug; {
	case g == nil:
	case g.Type == 0 || g.Type == PlugNone:
		if schema.IsBare(g.Extra) {
			p.Plug = nil
		}
	case g.Type == PlugDirect && g.Mode == 0:
		g.Mode = schema.MacvtapVEPA
	}
}

func (n *Network) normalizeForward() {
	f := n.Forward
	switch {
	case f == nil:
		return
	case f.Mode == 0:
		f.Mode = ForwardNAT
	case f.Mode == ForwardNone && schema.IsBare(f.Extra):
		n.Forward = nil
		return
	}
	if f.Driver != nil && f.Driver.Name == 0 && f.Driver.Model == "" && schema.IsBare(f.Driver.Extra) {
		f.Driver = nil
	}
	if f.Mode != ForwardHostdev {
		f.Managed = 0
	} else if f.Managed == 0 {
		f.Managed = schema.No
	}
	if t := f.NAT; t != nil {
		if t.Port != nil && t.Port.Start.Uint() == 0 && t.Port.End.Uint() == 0 && schema.IsBare(t.Port.Extra) {
			t.Port = nil
		}
		if t.IPv6 == 0 && t.Address == nil && t.Port == nil && schema.IsBare(t.Extra) {
			f.NAT = nil
		}
	}
	if len(f.Interfaces) == 0 && f.Dev != "" {
		f.Interfaces = []Interface{{Dev: schema.Text(f.Dev)}}
	}
	for i := range f.Interfaces {
		f.Interfaces[i].Connections = schema.Number{}
	}
	if len(f.Interfaces) > 0 && f.PF == nil {
		f.Dev = f.Interfaces[0].Dev.String()
	}
}

func (n *Network) normalizeBridge() {
	switch b := n.Bridge; {
	case n.Managed():
		if b == nil {
			b = new(Bridge)
			n.Bridge = b
		}
		if b.STP == 0 {
			b.STP = schema.On
		}
		if !b.Delay.Given() {
			b.Delay = schema.Num(0)
		}
	case b != nil:
		b.STP, b.Delay = 0, schema.Number{}
		if b.Name == "" && b.MACTableManager == 0 && schema.IsBare(b.Extra) {
			n.Bridge = nil
		}
	}
	if n.MTU != nil && n.MTU.Size.Uint() == 0 && schema.IsBare(n.MTU.Extra) {
		n.MTU = nil
	}
	if m := n.MAC; m != nil && m.Address.IsZero() {
		if zeros := m.zeros(); zeros != nil {
			zeros.Value = m.Address.String()
		} else if schema.IsBare(m.Extra) {
			n.MAC = nil
		}
	}
}

// wrapDelay writes a delay above all numbers with a sign of 64 bits as libvirt does, which writes it with a sign.
func (b *Bridge) wrapDelay() {
	if b == nil {
		return
	}
	name := xml.Name{Local: "delay"}
	if d := b.Delay.Uint(); d > math.MaxInt64 {
		b.Attrs = append(b.Attrs, xml.Attr{Name: name, Value: strconv.FormatInt(int64(d), 10)})
	}
	if slices.ContainsFunc(b.Attrs, func(a xml.Attr) bool { return a.Name == name }) {
		b.Delay = schema.Number{}
	}
}

func (d *DNS) normalize() {
	for i := range d.SRVs {
		s := &d.SRVs[i]
		if s.Priority.Uint() == 0 {
			s.Priority = schema.Number{}
		}
		if s.Weight.Uint() == 0 {
			s.Weight = schema.Number{}
		}
	}
}

// isEmpty reports whether d says nothing.
func (d *DNS) isEmpty() bool {
	return d.Enable == 0 && d.ForwardPlainNames == 0 && len(d.Forwarders)+len(d.TXTs)+len(d.SRVs)+len(d.Hosts) == 0
}

func (p *IP) normalize() {
	if p.PrefixLen.Uint() == 0 {
		p.PrefixLen = schema.Number{}
	}
	d := p.DHCP
	if d == nil {
		return
	}
	for i := range d.Ranges {
		d.Ranges[i].Lease.normalize()
	}
	for i := range d.Hosts {
		d.Hosts[i].Lease.normalize()
	}
	if len(d.Ranges)+len(d.Hosts) == 0 && d.Bootp == nil && schema.IsBare(d.Extra) {
		p.DHCP = nil
	}
}

func (l *Lease) normalize() {
	switch {
	case l == nil || !l.Expiry.Given():
	case l.Expiry.Uint() == 0:
		l.Unit = 0
	case l.Unit == 0:
		l.Unit = Minutes
	}
}

// lose drops what libvirt reads but does not write again. The rules that libvirt does not have refuse all of it.
func (n *Network) lose() {
	if m := n.Metadata; m != nil {
		n.Metadata = m.lose()
	}
	if f := n.Forward; f != nil {
		f.Nodes = nil
		f.nameEmpty()
		switch {
		case f.Dev != "" || len(f.Interfaces) > 0:
			f.Addresses, f.PF = nil, nil
		case len(f.Addresses) > 0:
			f.PF = nil
		}
	}
	if n.Domain != nil && n.Domain.Name == "" {
		n.Domain = nil
	}
	n.dropOwn()
	for i := range n.IPs {
		n.IPs[i].lose()
	}
}

// nameEmpty names the first device in an attribute if its name is empty, as libvirt does.
func (f *Forward) nameEmpty() {
	dev := xml.Attr{Name: xml.Name{Local: "dev"}}
	if f.Mode != ForwardNone && len(f.Interfaces) > 0 && f.Interfaces[0].Dev == schema.Empty && !slices.Contains(f.Attrs, dev) {
		f.Attrs = append(f.Attrs, dev)
	}
}

// lose drops children without a namespace and all but the first of a namespace; nil when there were none.
func (m *Metadata) lose() *Metadata {
	elements := 0
	seen := map[string]bool{"": true}
	m.Nodes = slices.DeleteFunc(m.Nodes, func(x schema.Node) bool {
		if x.IsText() {
			return true
		}
		elements++
		drop := seen[x.Name.Space]
		seen[x.Name.Space] = true
		return drop
	})
	if elements == 0 {
		return nil
	}
	return m
}

func (p *IP) lose() {
	if p.TFTP != nil && p.TFTP.Root == "" {
		p.TFTP = nil
	}
	d := p.DHCP
	if d == nil {
		return
	}
	if p.Family == IPv6 || len(d.Ranges)+len(d.Hosts) == 0 {
		d.Bootp = nil
	}
	for i := range d.Ranges {
		if l := d.Ranges[i].Lease; l != nil && !l.Expiry.Given() {
			d.Ranges[i].Lease = nil
		}
	}
	for i := range d.Hosts {
		if l := d.Hosts[i].Lease; l != nil && !l.Expiry.Given() {
			d.Hosts[i].Lease = nil
		}
	}
}

// dropOwn drops what is not of libvirt.
func (n *Network) dropOwn() { n.PortForwards, n.Input = nil, nil }
