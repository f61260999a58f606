// SPDX-License-Identifier: Apache-2.0

package network

import (
	"strings"

	"github.com/go-virtnet/virtnet/network/schema"
)

func (d *Domain) check(c *schema.Check) {
	c.Rule(d.Register != schema.Yes || d.LocalOnly == schema.Yes, "domain-register", "@register", "a domain that is registered has to be localOnly='yes'")
	c.Deviates(schema.IsDNSName(d.Name.String()), DomainName, "@name", "%s is not %s", schema.Quote(d.Name.String()), schema.WantDNSName)
}

func (d *DNS) check(c *schema.Check) {
	for i := range d.Forwarders {
		c.At("forwarder", i, func() { d.Forwarders[i].check(c) })
	}
	for i := range d.TXTs {
		c.At("txt", i, func() { d.TXTs[i].check(c) })
	}
	for i := range d.SRVs {
		c.At("srv", i, func() { d.SRVs[i].check(c) })
	}
	for i := range d.Hosts {
		c.At("host", i, func() { d.Hosts[i].check(c) })
	}
	records := len(d.Forwarders) + len(d.TXTs) + len(d.SRVs) + len(d.Hosts)
	c.Rule(d.Enable != schema.No || records == 0, "dns-disabled", "@enable", "a DNS server that is switched off has no records and no forwarders")
}

// checkDNSName checks the name of a record.
func checkDNSName(c *schema.Check, name, where string) {
	c.Deviates(schema.IsDNSName(name), DNSName, where, "%s is not %s", schema.Quote(name), schema.WantDNSName)
}

func (f *Forwarder) check(c *schema.Check) {
	c.Rule(f.Addr.Given() || f.Domain.Given(), "dns-forwarder", "", "a <forwarder> needs an addr or a domain")
	if f.Domain.Given() {
		checkDNSName(c, f.Domain.String(), "@domain")
	}
}

func (t *TXT) check(c *schema.Check) {
	t.checkName(c)
	t.checkValue(c, true)
}

func (t *TXT) checkName(c *schema.Check) {
	if c.Rule(t.Name.Given(), "txt-name", "@name", "a TXT record needs a name") &&
		c.Rule(!strings.ContainsAny(string(t.Name), " ,"), "txt-name-chars", "@name", "%s has a space or a comma", schema.Quote(t.Name.String())) {
		checkDNSName(c, t.Name.String(), "@name")
	}
}

// checkValue checks the value, which may be absent unless it is needed.
func (t *TXT) checkValue(c *schema.Check, needed bool) {
	if c.Rule(t.Value.Given() || !needed, "txt-value", "@value", "a TXT record needs a value") &&
		c.Rule(!strings.ContainsAny(string(t.Value), "\r\n"), "txt-value-line", "@value", "%s has a line end", schema.Quote(t.Value.String())) {
		c.Deviates(!schema.HasControl(t.Value.String()), DNSText, "@value", "%s has control characters", schema.Quote(t.Value.String()))
	}
}

// maxService is the longest service of a SRV record in bytes.
const maxService = 482

func (s *SRV) check(c *schema.Check) {
	s.checkKey(c, true)
	if s.Domain.Given() {
		checkDNSName(c, s.Domain.String(), "@domain")
	}
	if s.Target.Given() && s.Target != "." { // the root says that there is no such service
		checkDNSName(c, s.Target.String(), "@target")
	}
}

// checkKey checks the service, the protocol and the numbers. Service and protocol may be absent unless they are needed.
func (s *SRV) checkKey(c *schema.Check, needed bool) {
	if c.Rule(s.Service.Given() || !needed, "srv-service", "@service", "a SRV record needs a service") {
		service := s.Service.String()
		c.Rule(len(service) <= maxService, "srv-service-length", "@service", "the service is longer than %d bytes", maxService)
		c.Rule(onlyWords(service, "_-+/*"), "srv-service-chars", "@service", "%s has more than letters, digits and _-+/*", schema.Quote(service))
		c.Deviates(service != "" || !s.Service.Given(), SRVEmpty, "@service", "the service is empty")
	}
	if c.Rule(s.Protocol.Given() || !needed, "srv-protocol", "@protocol", "a SRV record needs a protocol") {
		protocol := s.Protocol.String()
		c.Rule(onlyWords(protocol, "-+/"), "srv-protocol-chars", "@protocol", "%s has more than letters, digits and -+/", schema.Quote(protocol))
		c.Deviates(protocol != "" || !s.Protocol.Given(), SRVEmpty, "@protocol", "the protocol is empty")
	}
	s.checkNumber(c, s.Port, "@port", 1)
	s.checkNumber(c, s.Priority, "@priority", 0)
	s.checkNumber(c, s.Weight, "@weight", 0)
}

func (s *SRV) checkNumber(c *schema.Check, n schema.Number, where string, least uint64) {
	if n.Given() {
		c.Rule(s.Target.Given(), "srv-target", where, "the number needs a target")
		c.Rule(n.Uint() >= least && n.Uint() <= maxPort, "srv-number", where, "%s is not %d to %d", n, least, maxPort)
	}
}

// onlyWords reports whether s has only letters and digits of ASCII and the bytes of more.
func onlyWords(s, more string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(more, c) >= 0) {
			return false
		}
	}
	return true
}

func (h *DNSHost) check(c *schema.Check) {
	c.Rule(h.IP.Given(), "dns-host-ip", "@ip", "a <host> needs an ip")
	c.Rule(len(h.Hostnames) > 0, "dns-host-name", "", "a <host> needs at least one <hostname>")
	h.checkNames(c)
}

func (h *DNSHost) checkNames(c *schema.Check) {
	for i, name := range h.Hostnames {
		c.At("hostname", i, func() {
			if c.Rule(name != "", "dns-hostname", "", "the name is empty") {
				checkDNSName(c, name, "")
			}
		})
	}
}
