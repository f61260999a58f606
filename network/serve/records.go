// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/network/host"
)

// A record is a part of an answer.
type record struct {
	// name is whose it is; empty is what was asked for.
	name string
	body dnsmessage.ResourceBody
	// ttl is for how long it may be remembered, in seconds.
	ttl uint32
	// more is whether it was not asked for, and comes along.
	more bool
}

// resource is the record in an answer to a question.
func (r record) resource(q question) (dnsmessage.Resource, error) {
	h := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type, TTL: r.ttl}
	if r.name != "" {
		var err error
		if h.Name, err = dnsmessage.NewName(r.name); err != nil {
			return dnsmessage.Resource{}, err
		}
	}
	return dnsmessage.Resource{Header: h, Body: r.body}, nil
}

// records are those of the name that was asked for.
func records(bodies ...dnsmessage.ResourceBody) []record {
	list := make([]record, len(bodies))
	for i, b := range bodies {
		list[i] = record{body: b}
	}
	return list
}

// known are the addresses of a name, and whether the name is known at all.
func (n *names) known(name string) ([]netip.Addr, bool) {
	if list, ok := n.addrs[name]; ok {
		return list, true
	}
	if list, ok := n.leased[name]; ok {
		return list, true
	}
	return n.neighbours().addrsOf(n, name)
}

// neighbours are the names that the machine knows, nil for none.
func (n *names) neighbours() *machineNames {
	if n.machine == nil {
		return nil
	}
	return n.machine()
}

// nameOf is the name of an address.
func (n *names) nameOf(addr netip.Addr) (string, bool) {
	if name, ok := n.reverse[addr]; ok {
		return name, true
	}
	if name, ok := n.leasedOf[addr]; ok {
		return n.full(name)[0], true
	}
	if name, ok := n.neighbours().nameOf(addr); ok {
		return n.full(name)[0], true
	}
	return "", false
}

// find are the records that are known here of a name; ok is false if others have to be asked.
func (n *names) find(name string, kind dnsmessage.Type) (found []record, ok bool) {
	switch kind {
	case dnsmessage.TypeA, dnsmessage.TypeAAAA:
		if list, ok := n.known(name); ok {
			return records(addressBodies(list, kind)...), true
		}
	case dnsmessage.TypePTR:
		if target, ok := n.pointer(name); ok {
			return target, true
		}
	case dnsmessage.TypeTXT:
		for _, text := range n.txt[name] {
			found = append(found, record{body: &dnsmessage.TXTResource{TXT: pieces(text)}})
		}
		for _, list := range n.texts[name] {
			found = append(found, record{body: &dnsmessage.TXTResource{TXT: list}})
		}
		if len(found) > 0 {
			return found, true
		}
	case dnsmessage.TypeSRV:
		if list, ok := n.srv[name]; ok {
			for _, r := range list {
				if b, err := serviceBody(r); err == nil {
					found = append(found, record{body: b})
				}
			}
			return append(found, n.targets(found)...), true
		}
	}
	return n.follow(name, kind)
}

// targets are the addresses of those who offer services, as far as they are known here.
func (n *names) targets(services []record) (more []record) {
	for _, s := range services {
		target := s.body.(*dnsmessage.SRVResource).Target.String()
		list, _ := n.known(canonical(target))
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
			for _, body := range addressBodies(list, kind) {
				more = append(more, record{name: target, body: body, more: true})
			}
		}
	}
	return more
}

// pointer is what the name of an address points to.
func (n *names) pointer(name string) ([]record, bool) {
	text, ok := n.pointers[name]
	if addr, isAddr := reverseAddr(name); !ok && isAddr {
		text, ok = n.nameOf(addr)
	}
	if !ok {
		return nil, false
	}
	target, err := dnsmessage.NewName(text)
	return records(&dnsmessage.PTRResource{PTR: target}), err == nil
}

// follow finds what a name stands for, if it is an alias, and the records of that, as far as they are known here.
func (n *names) follow(name string, kind dnsmessage.Type) (found []record, ok bool) {
	const mostAliases = 8
	for range mostAliases {
		target, alias := n.aliases[name]
		to, err := dnsmessage.NewName(target)
		if !alias || err != nil {
			break
		}
		link := record{body: &dnsmessage.CNAMEResource{CNAME: to}}
		if ok {
			link.name = name
		}
		found, ok, name = append(found, link), true, target
	}
	if _, again := n.aliases[name]; !ok || again || kind == dnsmessage.TypeCNAME {
		return found, ok
	}
	rest, _ := n.find(name, kind)
	for _, r := range rest {
		if r.name == "" {
			r.name = name
		}
		found = append(found, r)
	}
	return found, true
}

// serviceBody is a service record. Without a target it says that there is no such service: RFC 2782.
func serviceBody(r host.SRVRecord) (*dnsmessage.SRVResource, error) {
	target, err := dnsmessage.NewName(canonical(r.Target))
	if err != nil {
		return nil, err
	}
	if target.String() == "." {
		return &dnsmessage.SRVResource{Port: 1, Target: target}, nil
	}
	b := &dnsmessage.SRVResource{Priority: uint16(r.Priority), Weight: uint16(r.Weight), Port: uint16(r.Port), Target: target}
	if r.Port == 0 {
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
