// SPDX-License-Identifier: Apache-2.0

package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
)

// serversText is the table of family bridge as nft reads it; no filter with a DHCP server needs none.
func serversText(filters []host.Filter) string {
	type server struct {
		addr    netip.Addr
		network string
	}
	var all []server
	for _, f := range filters {
		for _, addr := range f.DHCP {
			all = append(all, server{addr, f.Network})
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.SortFunc(all, func(a, b server) int { return a.addr.Compare(b.addr) })
	var elements []string
	for _, s := range all {
		elements = append(elements, fmt.Sprintf("%s comment %q", s.addr, s.network))
	}
	return fmt.Sprintf("table bridge %s {\n\tset dhcp {\n\t\ttype ipv4_addr\n\t\telements = { %s }\n\t}\n\n"+
		"\tchain output {\n\t\ttype filter hook output priority filter; policy accept;\n"+
		"\t\tmeta oifkind \"veth\" ip saddr @dhcp udp sport 67 udp dport 68 counter udp checksum set 0\n\t}\n}\n",
		Table, strings.Join(elements, ",\n\t\t\t     "))
}
