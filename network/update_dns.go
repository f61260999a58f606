// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

const dnsPath = "/network/dns"

// makeDNS gives n a <dns> if it has none.
func (n *Network) makeDNS() *DNS {
	if n.DNS == nil {
		n.DNS = new(DNS)
	}
	return n.DNS
}

// trimDNS takes away a <dns> in which nothing is left.
func (n *Network) trimDNS() {
	if n.DNS != nil && n.DNS.isEmpty() && schema.IsBare(n.DNS.Extra) {
		n.DNS = nil
	}
}

func (e *edit) dnsHost() error {
	var h DNSHost
	if err := e.read(&h); err != nil {
		return err
	}
	if e.Command.adds() {
		if vs := e.check(func(c *schema.Check) { h.check(c) }); vs != nil {
			return vs
		}
	} else if err := e.checkKey(h.checkNames); err != nil {
		return err
	} else if !h.IP.Given() && len(h.Hostnames) == 0 {
		return e.refuse(fs.ErrInvalid, "update-key", "", "an ip or a <hostname> has to say which <host> is meant")
	}
	d := e.n.makeDNS()
	defer e.n.trimDNS()
	found := indexes(d.Hosts, func(o *DNSHost) bool {
		return h.IP.Given() && h.IP == o.IP ||
			e.Command == CommandDelete && slices.ContainsFunc(h.Hostnames, func(name string) bool { return slices.Contains(o.Hostnames, name) })
	})
	return apply(e, &d.Hosts, h, found, dnsPath, h.key(e.Command))
}

// key says in messages what h is known by.
func (h *DNSHost) key(c Command) string {
	var parts []string
	if h.IP.Given() {
		parts = append(parts, "ip "+h.IP.String())
	}
	if c == CommandDelete {
		for _, name := range h.Hostnames {
			parts = append(parts, "hostname "+schema.Quote(name))
		}
	}
	if len(parts) == 0 {
		return "no ip"
	}
	return strings.Join(parts, " or ")
}

func (e *edit) dnsTXT() error {
	var t TXT
	if err := e.read(&t); err != nil {
		return err
	}
	if err := e.checkKey(func(c *schema.Check) { t.checkName(c); t.checkValue(c, e.Command.adds()) }); err != nil {
		return err
	}
	d := e.n.makeDNS()
	defer e.n.trimDNS()
	found := first(indexes(d.TXTs, func(o *TXT) bool { return o.Name == t.Name }))
	if e.Command == CommandModify && len(found) > 0 {
		if !t.Value.Given() {
			return e.refuse(fs.ErrInvalid, "update-key", "", "a value has to say what becomes of the record")
		}
		value := t.Value
		t = d.TXTs[found[0]]
		t.Value = value
	}
	return apply(e, &d.TXTs, t, found, dnsPath, "name "+schema.Quote(t.Name.String()))
}

func (e *edit) dnsSRV() error {
	var s SRV
	if err := e.read(&s); err != nil {
		return err
	}
	if e.Command == CommandModify {
		return e.unsupported("delete, add-last or add-first")
	}
	if err := e.checkKey(func(c *schema.Check) { s.checkKey(c, e.Command.adds()) }); err != nil {
		return err
	}
	d := e.n.makeDNS()
	defer e.n.trimDNS()
	found := indexes(d.SRVs, s.covers)
	return apply(e, &d.SRVs, s, found, dnsPath, s.key())
}

// covers reports whether o has everything that s gives of what a record is known by.
func (s *SRV) covers(o *SRV) bool {
	same := func(key, has schema.Text) bool { return !key.Given() || key == has }
	return same(s.Service, o.Service) && same(s.Protocol, o.Protocol) && same(s.Domain, o.Domain) && same(s.Target, o.Target)
}

// key says in messages what s is known by.
func (s *SRV) key() string {
	var parts []string
	for _, part := range []struct {
		name  string
		value schema.Text
	}{{"service", s.Service}, {"protocol", s.Protocol}, {"domain", s.Domain}, {"target", s.Target}} {
		if part.value.Given() {
			parts = append(parts, part.name+" "+schema.Quote(part.value.String()))
		}
	}
	if len(parts) == 0 {
		return "anything"
	}
	return strings.Join(parts, ", ")
}
