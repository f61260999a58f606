// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"encoding/binary"
	"net/netip"

	"github.com/go-virtnet/virtnet/network/host"
)

// The sets of forwardAnnex: where ports of one address lead, and where those of all addresses do, by family; the links whose
// guests may be led to their siblings, and those whose guests are to see none of their clients.
const (
	addr4Set = iota
	addr6Set
	local4Set
	local6Set
	hairpinSet
	hiddenSet
)

var forwardSets = []annexSet{
	addr4Set:   {"addr4", []field{protoField, addr4Field, portField}, []field{addr4Field, portField}},
	addr6Set:   {"addr6", []field{protoField, addr6Field, portField}, []field{addr6Field, portField}},
	local4Set:  {"local4", []field{protoField, portField}, []field{addr4Field, portField}},
	local6Set:  {"local6", []field{protoField, portField}, []field{addr6Field, portField}},
	hairpinSet: {"hairpin", []field{linkField, linkField}, nil},
	hiddenSet:  {"hidden", []field{linkField}, nil},
}

// forwardAnnex is a table that leads connections to ports of the machine on to guests. A range has an entry for each of its
// ports, so that looking one up costs a connection the same however many networks there are, and other packets nothing.
func forwardAnnex() annex {
	// The first chain is for what comes in, the second for what the machine itself begins.
	lead := []string{
		"dnat ip to meta l4proto . ip daddr . th dport map @addr4",
		"dnat ip6 to meta l4proto . ip6 daddr . th dport map @addr6",
		"ip daddr != 127.0.0.0/8 fib daddr type local dnat ip to meta l4proto . th dport map @local4",
		"ip6 daddr != ::1 ip6 daddr != fe80::/10 fib daddr type local dnat ip6 to meta l4proto . th dport map @local6",
	}
	return annex{
		family: "inet",
		table:  Table + "-forward",
		sets:   forwardSets,
		chains: []annexChain{{
			base:  base{name: "prerouting", kind: "nat", hook: "prerouting", priority: "dstnat", hooknum: 0, prionum: -100},
			rules: lead,
		}, {
			base:  base{name: "output", kind: "nat", hook: "output", priority: "-100", hooknum: 3, prionum: -100},
			rules: lead,
		}, {
			base: base{name: "postrouting", kind: "nat", hook: "postrouting", priority: "srcnat", hooknum: 4, prionum: 100},
			rules: []string{
				"ct status dnat iifname . oifname @hairpin masquerade",
				"ct status dnat oifname @hidden masquerade",
			},
		}},
		entries: forwardEntries,
		restore: restoreForwards,
	}
}

func forwardEntries(f host.Filter) (list []entry) {
	for _, p := range f.Forwards {
		for i := range int(p.Ports.To-p.Ports.From) + 1 {
			proto, at := []byte{byte(p.Proto)}, port(p.Ports.From+uint16(i))
			e := entry{set: local4Set, key: join(proto, at), data: join(p.To.AsSlice(), port(p.ToPort+uint16(i)))}
			if p.Addr.IsValid() {
				e.set, e.key = addr4Set, join(proto, p.Addr.AsSlice(), at)
			}
			if p.To.Is6() {
				e.set += addr6Set - addr4Set
			}
			list = append(list, e)
		}
	}
	if len(f.Forwards) > 0 {
		link := linkName(f.Link)
		list = append(list, entry{set: hairpinSet, key: join(link, link)})
		if f.HideClients {
			list = append(list, entry{set: hiddenSet, key: string(link)})
		}
	}
	return list
}

func restoreForwards(f *host.Filter, list []entry) {
	link := linkName(f.Link)
	hairpin := false
	for _, e := range list {
		switch {
		case e == entry{set: hairpinSet, key: join(link, link)}:
			hairpin = true
		case e == entry{set: hiddenSet, key: string(link)}:
			f.HideClients = true
		default:
			f.Forwards = append(f.Forwards, readForward(e))
		}
	}
	f.Forwards = host.JoinForwards(f.Forwards)
	if hairpin != (len(f.Forwards) > 0) {
		f.Forwards = append(f.Forwards, host.PortForward{})
	}
}

// readForward is the forward of one port, and the zero one if the entry is none.
func readForward(e entry) host.PortForward {
	if e.set > local6Set {
		return host.PortForward{}
	}
	set := forwardSets[e.set]
	key, data := split(e.key, set.key), split(e.data, set.data)
	if key == nil || data == nil {
		return host.PortForward{}
	}
	p := host.PortForward{Proto: host.Proto(key[0][0]), ToPort: binary.BigEndian.Uint16(data[1])}
	p.To, _ = netip.AddrFromSlice(data[0])
	at := binary.BigEndian.Uint16(key[len(key)-1])
	p.Ports = host.PortRange{From: at, To: at}
	if len(key) == 3 {
		p.Addr, _ = netip.AddrFromSlice(key[1])
	}
	return p
}

// linkName is the name of a link as the kernel compares it, with zeros to its full length.
func linkName(name string) []byte {
	key := make([]byte, maxLink)
	copy(key, name)
	return key
}

func port(p uint16) []byte { return binary.BigEndian.AppendUint16(nil, p) }
