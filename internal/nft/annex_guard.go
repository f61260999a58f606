// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"encoding/binary"

	"github.com/go-virtnet/virtnet/network/host"
)

// The sets of guardAnnex: the links whose guests are kept from the machine, and what they may reach.
const (
	guardedSet = iota
	openSet
)

var guardSets = []annexSet{
	guardedSet: {"guarded", []field{linkField}, nil},
	openSet:    {"open", []field{linkField, protoField, portField}, nil},
}

// guardAnnex is a table that keeps guests from the machine itself.
func guardAnnex() annex {
	return annex{
		family: "inet",
		table:  Table + "-input",
		sets:   guardSets,
		chains: []annexChain{{
			base: base{name: "input", kind: "filter", hook: "input", priority: "filter", hooknum: 1, prionum: 0},
			rules: []string{
				"iifname != @guarded return",
				"ct state established,related return",
				"meta l4proto icmp return",
				"meta l4proto ipv6-icmp return",
				"iifname . meta l4proto . th dport @open counter return",
				"counter reject with icmpx port-unreachable",
			},
		}},
		entries: guardEntries,
		restore: restoreGuard,
	}
}

func guardEntries(f host.Filter) (list []entry) {
	link := linkName(f.Link)
	if f.Guarded {
		list = append(list, entry{set: guardedSet, key: string(link)})
	}
	for _, s := range f.Open {
		for i := range int(s.Ports.To-s.Ports.From) + 1 {
			list = append(list, entry{set: openSet, key: join(link, []byte{byte(s.Proto)}, port(s.Ports.From+uint16(i)))})
		}
	}
	return list
}

func restoreGuard(f *host.Filter, list []entry) {
	link := string(linkName(f.Link))
	for _, e := range list {
		key := split(e.key, guardSets[e.set].key)
		switch {
		case key == nil || string(key[0]) != link:
			f.Open = append(f.Open, host.Service{})
		case e.set == guardedSet:
			f.Guarded = true
		default:
			at := binary.BigEndian.Uint16(key[2])
			f.Open = append(f.Open, host.Service{Proto: host.Proto(key[1][0]), Ports: host.PortRange{From: at, To: at}})
		}
	}
	f.Open = host.JoinServices(f.Open)
}
