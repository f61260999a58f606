// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"net/netip"

	"github.com/go-virtnet/virtnet/network/host"
)

// repairAnnex is a table of family bridge that repairs what DHCP servers answer to guests on pairs of virtual Ethernet
// devices. The kernel leaves the checksum of such packets to a network card that never comes. Zero is no checksum, and
// what a client takes that looks at it. On a tap the same would spoil the checksum that is filled in there.
func repairAnnex() annex {
	return annex{
		family: "bridge",
		table:  Table,
		sets:   []annexSet{{name: serverSet, key: []field{addr4Field}}},
		chains: []annexChain{{
			base:  base{name: "output", kind: "filter", hook: "output", priority: "filter", hooknum: 3, prionum: -200},
			rules: []string{`meta oifkind "veth" ip saddr @dhcp udp sport 67 udp dport 68 counter udp checksum set 0`},
		}},
		entries: func(f host.Filter) (list []entry) {
			for _, addr := range f.DHCP {
				list = append(list, entry{key: string(addr.AsSlice())})
			}
			return list
		},
		restore: func(f *host.Filter, list []entry) {
			for _, e := range list {
				addr, _ := netip.AddrFromSlice([]byte(e.key))
				f.DHCP = append(f.DHCP, addr)
			}
		},
	}
}

const serverSet = "dhcp"
