// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/netip"
	"slices"
	"strings"

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
	// aliases, pointers and texts are what options say.
	aliases  map[string]string
	pointers map[string]string
	texts    map[string][][]string
	// ttl is for how long others may remember what is known here, in seconds.
	ttl uint32
	// machine are the names that the machine knows of its neighbours, as they change; nil for none.
	machine func() *machineNames
	// leased are names of guests that have an address, as long as they have it.
	leased   map[string][]netip.Addr
	leasedOf map[netip.Addr]string
	// owned are the names that the document has for addresses, where a name is known only while it is leased.
	owned map[netip.Addr]string
}

// canonical is a name as it is compared: in small letters, with the dot of the root.
func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, ".")) + "."
}

// newNames reads what a server is given, and what options say besides. Without DNS it is nil.
func newNames(s *host.Server, d *dnsDirectives) *names {
	if s.DNS == nil {
		return nil
	}
	n := &names{
		addrs: map[string][]netip.Addr{}, reverse: map[netip.Addr]string{}, txt: map[string][]string{},
		srv: map[string][]host.SRVRecord{}, leased: map[string][]netip.Addr{}, leasedOf: map[netip.Addr]string{},
		aliases: d.aliases, pointers: d.reverse, texts: d.texts, ttl: d.ttl,
	}
	if s.Domain != "" {
		n.domain = canonical(s.Domain)
	}
	for _, r := range s.DNS.Hosts {
		n.add(r.Addr, r.Names...)
	}
	for i := range s.Subnets {
		for _, h := range s.Subnets[i].Hosts {
			switch {
			case h.Name == "":
			case s.DNS.LeasedNames:
				label, _, _ := strings.Cut(h.Name, ".")
				n.owned = with(n.owned, h.Addr, canonical(label))
			default:
				n.add(h.Addr, h.Name)
			}
		}
	}
	for _, r := range d.records {
		for _, name := range r.Names {
			n.enter(r.Addr.Unmap(), canonical(name))
		}
	}
	for _, r := range s.DNS.TXT {
		n.txt[canonical(r.Name)] = append(n.txt[canonical(r.Name)], r.Value)
	}
	for _, r := range s.DNS.SRV {
		name := n.service(r)
		n.srv[name] = append(n.srv[name], r)
	}
	n.route(s, d)
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
	for _, name := range list {
		n.enter(addr.Unmap(), n.full(name)...)
	}
}

// enter makes names of an address known, the first of which is the one it goes by.
func (n *names) enter(addr netip.Addr, all ...string) {
	for _, name := range all {
		if !slices.Contains(n.addrs[name], addr) {
			n.addrs[name] = append(n.addrs[name], addr)
		}
	}
	if _, ok := n.reverse[addr]; !ok {
		n.reverse[addr] = all[0]
	}
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
	if n.owned[addr] == canonical(name) {
		n.disown(name, addr)
	}
	n.leasedOf[addr] = name
	for _, name := range n.full(name) {
		n.leased[name] = append(n.leased[name], addr)
	}
}

// disown takes a name from other guests with an address of the same family.
func (n *names) disown(name string, addr netip.Addr) {
	for other, old := range n.leasedOf {
		if other.Is4() == addr.Is4() && canonical(old) == canonical(name) {
			n.lease("", other, false)
		}
	}
}

// anothers reports whether the document has a name for another address of the same family, though it may not be known now.
func (n *names) anothers(name string, addr netip.Addr) bool {
	for other, own := range n.owned {
		if other.Is4() == addr.Is4() && slices.Contains(n.full(own), name) {
			return true
		}
	}
	return false
}

// taken reports whether a name is another's: the document's, one that the machine knows, or that of a guest with an address of
// the same family.
func (n *names) taken(name string, addr netip.Addr) bool {
	for _, name := range n.full(name) {
		if list, ok := n.neighbours().addrsOf(n, name); ok && !slices.Contains(list, addr) {
			return true
		}
		if list, ok := n.addrs[name]; ok && !slices.Contains(list, addr) {
			return true
		}
		if n.owned[addr] != "" && strings.HasPrefix(name, n.owned[addr]) {
			continue
		}
		if n.anothers(name, addr) {
			return true
		}
		if slices.ContainsFunc(n.leased[name], func(a netip.Addr) bool { return a.Is4() == addr.Is4() }) {
			return true
		}
	}
	return false
}
