// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// repairOf is how the host repairs the checksums of what DHCP servers answer; empty if it cannot.
func repairOf(f *host.Facts) host.Repair {
	if len(f.Repairs) == 0 {
		return ""
	}
	return f.Repairs[0]
}

// planChecksums has the bridge of a network with a DHCP server fill in the checksums of what that answers. Where the host
// repairs them in another way, that is part of the network's packet filter; where it cannot, the network runs without.
func planChecksums(n *Network, f *host.Facts) host.Plan {
	i := n.firstDHCP()
	if i < 0 || repairOf(f) != host.Fill {
		return nil
	}
	return host.Plan{{From: fmt.Sprintf("/network/ip[%d]/dhcp", i+1), Op: host.FillChecksums{Link: n.Bridge.Name}}}
}

// firstDHCP is the index of the first <ip> with a DHCP server; -1 if there is none.
func (n *Network) firstDHCP() int {
	return slices.IndexFunc(n.IPs, func(ip IP) bool { return ip.DHCP != nil })
}

// dhcpAddrs are the addresses that the network's DHCP server of IPv4 may answer from: the kernel takes any of the bridge's.
func (n *Network) dhcpAddrs() (addrs []netip.Addr) {
	served := false
	for i := range n.IPs {
		prefix, _ := n.IPs[i].Prefix()
		if !prefix.Addr().Is4() {
			continue
		}
		addrs = append(addrs, prefix.Addr())
		served = served || n.IPs[i].DHCP != nil
	}
	if !served {
		return nil
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(addrs)
}
