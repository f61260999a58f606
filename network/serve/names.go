// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/dnsmasq"
	"github.com/go-virtnet/virtnet/network/host"
)

// names is what a server knows of names by itself, and whom it asks about others. What a document says does not change; what
// guests call themselves does, under the eyes of who uses it.
type names struct {
	domain  string
	addrs   map[string][]netip.Addr
	reverse map[netip.Addr]string
	txt     map[string][]string
	srv     map[string][]host.SRVRecord
	routes  []route
	// leased are names of guests that have an address, as long as they have it.
	leased   map[string][]netip.Addr
	leasedOf map[netip.Addr]string
}

// A route says who knows names: those of a domain, or all for the empty one.
type route struct {
	domain string
	// local names are known here or not at all.
	local bool
	// servers are asked in their order. None are those of the machine.
	servers []netip.Addr
}

// canonical is a name as it is compared: in small letters, with the dot of the root.
func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, ".")) + "."
}

// newNames reads what a server is given. Without DNS it is nil.
func newNames(s *host.Server) *names {
	if s.DNS == nil {
		return nil
	}
	n := &names{
		addrs: map[string][]netip.Addr{}, reverse: map[netip.Addr]string{}, txt: map[string][]string{},
		srv: map[string][]host.SRVRecord{}, leased: map[string][]netip.Addr{}, leasedOf: map[netip.Addr]string{},
	}
	if s.Domain != "" {
		n.domain = canonical(s.Domain)
	}
	for _, r := range s.DNS.Hosts {
		n.add(r.Addr, r.Names...)
	}
	for i := range s.Subnets {
		for _, h := range s.Subnets[i].Hosts {
			if h.Name != "" && !s.DNS.LeasedNames {
				n.add(h.Addr, h.Name)
			}
		}
	}
	for _, r := range s.DNS.TXT {
		n.txt[canonical(r.Name)] = append(n.txt[canonical(r.Name)], r.Value)
	}
	for _, r := range s.DNS.SRV {
		name := n.service(r)
		n.srv[name] = append(n.srv[name], r)
	}
	n.route(s)
	return n
}

// service is the name of a service record.
func (n *names) service(r host.SRVRecord) string {
	name := "_" + r.Service + "._" + r.Protocol
	switch {
	case r.Domain != "":
		name += "." + r.Domain
	case n.domain != "":
		name += "." + n.domain
	}
	return canonical(name)
}

// full are the names by which a name is known: a plain one in the domain as well, which then comes first.
func (n *names) full(name string) []string {
	name = canonical(name)
	if n.domain != "" && strings.Count(name, ".") == 1 {
		return []string{name + n.domain, name}
	}
	return []string{name}
}

func (n *names) add(addr netip.Addr, list ...string) {
	addr = addr.Unmap()
	for _, name := range list {
		all := n.full(name)
		for _, name := range all {
			if !slices.Contains(n.addrs[name], addr) {
				n.addrs[name] = append(n.addrs[name], addr)
			}
		}
		if _, ok := n.reverse[addr]; !ok {
			n.reverse[addr] = all[0]
		}
	}
}

// route reads who is asked about what.
func (n *names) route(s *host.Server) {
	if s.LocalDomain {
		n.routes = append(n.routes, route{domain: n.domain, local: true})
	}
	for _, prefix := range s.DNS.LocalZones {
		if zone, err := dnsmasq.ReverseZone(prefix); err == nil {
			n.routes = append(n.routes, route{domain: canonical(zone), local: true})
		}
	}
	rest := route{local: s.DNS.NoForward}
	for _, f := range s.DNS.Forwarders {
		if f.Domain == "" {
			rest.local = false
			rest.servers = append(rest.servers, f.Addr)
			continue
		}
		domain := canonical(f.Domain)
		at := slices.IndexFunc(n.routes, func(r route) bool { return r.domain == domain && !r.local })
		if at < 0 {
			at = len(n.routes)
			n.routes = append(n.routes, route{domain: domain})
		}
		if f.Addr.IsValid() {
			n.routes[at].servers = append(n.routes[at].servers, f.Addr)
		}
	}
	// The longest domain that fits decides, and of two that are as long the one that asks others.
	slices.SortStableFunc(n.routes, func(a, b route) int {
		if len(a.domain) != len(b.domain) {
			return len(b.domain) - len(a.domain)
		}
		return len(b.servers) - len(a.servers)
	})
	n.routes = append(n.routes, rest)
}

// whom finds who knows a name that is not known here.
func (n *names) whom(name string, keepPlain bool) route {
	if keepPlain && strings.Count(name, ".") <= 1 {
		return route{local: true}
	}
	for _, r := range n.routes {
		if r.domain == "" || name == r.domain || strings.HasSuffix(name, "."+r.domain) {
			return r
		}
	}
	return route{local: true}
}

// lease makes the name of a guest known that has an address, or forgets the name of the address. A name that the document or
// another guest has is not a guest's to take.
func (n *names) lease(name string, addr netip.Addr, has bool) {
	if old, ok := n.leasedOf[addr]; ok {
		delete(n.leasedOf, addr)
		for _, name := range n.full(old) {
			n.leased[name] = slices.DeleteFunc(n.leased[name], func(a netip.Addr) bool { return a == addr })
			if len(n.leased[name]) == 0 {
				delete(n.leased, name)
			}
		}
	}
	if name == "" || !has || n.taken(name, addr) {
		return
	}
	n.leasedOf[addr] = name
	for _, name := range n.full(name) {
		n.leased[name] = append(n.leased[name], addr)
	}
}

// taken reports whether a name is another's: the document's, or that of a guest with an address of the same family.
func (n *names) taken(name string, addr netip.Addr) bool {
	for _, name := range n.full(name) {
		if list, ok := n.addrs[name]; ok && !slices.Contains(list, addr) {
			return true
		}
		if slices.ContainsFunc(n.leased[name], func(a netip.Addr) bool { return a.Is4() == addr.Is4() }) {
			return true
		}
	}
	return false
}

// known are the addresses of a name, and whether the name is known at all.
func (n *names) known(name string) ([]netip.Addr, bool) {
	if list, ok := n.addrs[name]; ok {
		return list, true
	}
	list, ok := n.leased[name]
	return list, ok
}

// nameOf is the name of an address.
func (n *names) nameOf(addr netip.Addr) (string, bool) {
	if name, ok := n.reverse[addr]; ok {
		return name, true
	}
	if name, ok := n.leasedOf[addr]; ok {
		return n.full(name)[0], true
	}
	return "", false
}

// find are the records that are known here of a name; ok is false if others have to be asked.
func (n *names) find(name string, kind dnsmessage.Type) (found []dnsmessage.ResourceBody, ok bool) {
	switch kind {
	case dnsmessage.TypeA, dnsmessage.TypeAAAA:
		list, ok := n.known(name)
		for _, a := range list {
			if a.Is4() && kind == dnsmessage.TypeA {
				found = append(found, &dnsmessage.AResource{A: a.As4()})
			}
			if a.Is6() && kind == dnsmessage.TypeAAAA {
				found = append(found, &dnsmessage.AAAAResource{AAAA: a.As16()})
			}
		}
		return found, ok
	case dnsmessage.TypePTR:
		addr, ok := reverseAddr(name)
		if !ok {
			return nil, false
		}
		text, ok := n.nameOf(addr)
		if !ok {
			return nil, false
		}
		target, err := dnsmessage.NewName(text)
		return []dnsmessage.ResourceBody{&dnsmessage.PTRResource{PTR: target}}, err == nil
	case dnsmessage.TypeTXT:
		list, ok := n.txt[name]
		for _, text := range list {
			found = append(found, &dnsmessage.TXTResource{TXT: pieces(text)})
		}
		return found, ok
	case dnsmessage.TypeSRV:
		list, ok := n.srv[name]
		for _, r := range list {
			if b, err := serviceBody(r); err == nil {
				found = append(found, b)
			}
		}
		return found, ok
	}
	return nil, false
}

// serviceBody is a service record. Without a target it says that there is no such service: RFC 2782.
func serviceBody(r host.SRVRecord) (*dnsmessage.SRVResource, error) {
	target, err := dnsmessage.NewName(canonical(r.Target))
	if err != nil {
		return nil, err
	}
	b := &dnsmessage.SRVResource{Priority: uint16(r.Priority), Weight: uint16(r.Weight), Port: uint16(r.Port), Target: target}
	if r.Target != "" && r.Port == 0 {
		b.Port = 1
	}
	return b, nil
}

// pieces parts a text into strings of 255 bytes.
func pieces(text string) []string {
	const most = 255
	list := []string{}
	for len(text) > most {
		list, text = append(list, text[:most]), text[most:]
	}
	return append(list, text)
}
