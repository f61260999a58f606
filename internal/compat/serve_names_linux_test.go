// SPDX-License-Identifier: Apache-2.0

package compat

import (
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/servetest"
)

// names asks about all names that a server knows, and others.
func (l *asking) names() {
	s := l.server
	ask := func(kind, name string, types ...dnsmessage.Type) {
		if name = strings.TrimSuffix(name, ".") + "."; len(name) > 250 {
			return
		}
		for _, t := range types {
			q := servetest.DNSQuestion{Name: name, Type: t, Doubtful: strings.HasPrefix(name, "fail.")}
			l.add("DNS "+kind+" "+strings.TrimPrefix(t.String(), "Type"), name, func(st *stage) servetest.Answer {
				return servetest.AskDNS(st.t, st.ns, st.server.Subnets[0].Prefix.Addr(), q)
			})
		}
	}
	in := func(name string) string {
		if s.Domain == "" {
			return name
		}
		return name + "." + strings.TrimSuffix(s.Domain, ".")
	}
	both := []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA}
	known := func(name string, addr netip.Addr) {
		ask("known name", name, append(both, dnsmessage.TypeMX)...)
		if !strings.Contains(name, ".") {
			ask("known name", in(name), both...)
			ask("known name", strings.ToUpper(in(name)), both...)
		}
		ask("known address", reverse(addr), dnsmessage.TypePTR)
	}
	for _, h := range s.DNS.Hosts {
		for _, name := range h.Names {
			known(name, h.Addr)
		}
	}
	for i := range s.Subnets {
		for _, h := range s.Subnets[i].Hosts[:min(most, len(s.Subnets[i].Hosts))] {
			if h.Name != "" {
				known(h.Name, h.Addr)
			}
		}
		ask("unknown address of the network", reverse(s.Subnets[i].Prefix.Addr().Next().Next().Next()), dnsmessage.TypePTR)
	}
	for _, r := range s.DNS.TXT {
		ask("text", r.Name, dnsmessage.TypeTXT, dnsmessage.TypeA)
	}
	for _, r := range s.DNS.SRV {
		name := "_" + r.Service + "._" + r.Protocol
		if r.Domain != "" {
			name += "." + r.Domain
		} else {
			name = in(name)
		}
		ask("service", name, dnsmessage.TypeSRV, dnsmessage.TypeA)
	}
	for _, f := range s.DNS.Forwarders {
		if f.Domain != "" {
			ask("forwarded domain", "www."+f.Domain, append(both, dnsmessage.TypeTXT)...)
			ask("forwarded domain", f.Domain, both...)
			ask("forwarded domain", "nx."+f.Domain, both...)
		}
	}
	if s.Domain != "" {
		ask("unknown name of the domain", in("nobody"), append(both, dnsmessage.TypeTXT)...)
		ask("domain", s.Domain, both...)
	}
	ask("unknown plain name", "nobody", append(both, dnsmessage.TypeMX)...)
	ask("name of the machine", "localhost", both...)
	ask("foreign name", "www.example.org", append(both, dnsmessage.TypeTXT, dnsmessage.TypeMX)...)
	ask("foreign name", "nx.example.org", both...)
	if len(s.DNS.Forwarders) > 0 { // it takes its time, and is the same everywhere
		ask("foreign name that fails", "fail.example.org", dnsmessage.TypeA)
	}
	ask("long foreign name", "long.example.org", dnsmessage.TypeA)
	ask("foreign address", reverse(netip.MustParseAddr("198.51.100.7")), dnsmessage.TypePTR)
	ask("foreign address", reverse(netip.MustParseAddr("2001:db8:ffff::7")), dnsmessage.TypePTR)
}

// reverse is the name of an address.
func reverse(addr netip.Addr) string {
	var labels []string
	if addr = addr.Unmap(); addr.Is4() {
		for _, b := range addr.As4() {
			labels = append([]string{fmt.Sprint(b)}, labels...)
		}
		return strings.Join(labels, ".") + ".in-addr.arpa."
	}
	for _, digit := range fmt.Sprintf("%x", addr.AsSlice()) {
		labels = append([]string{string(digit)}, labels...)
	}
	return strings.Join(labels, ".") + ".ip6.arpa."
}
