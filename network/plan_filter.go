// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// planFilter sets the packet filter of a network. A network in mode open has none, but for the repair of what its DHCP
// server answers, for port forwards, and for what guests may reach of the host.
func planFilter(n *Network, f *host.Facts) host.Plan {
	filter := host.Filter{Network: n.UUID.String(), Link: n.Bridge.Name, Forwards: n.portForwards()}
	filter.HideClients = n.Mode() == ForwardNone && len(filter.Forwards) > 0
	filter.Guarded, filter.Open = n.guarded(), n.openServices()
	if repairOf(f) == host.Clear {
		filter.DHCP = n.dhcpAddrs()
	}
	if n.Mode() != ForwardOpen {
		b := &filterRules{n: n, link: n.Bridge.Name, uplinks: n.uplinks(), forwards: filter.Forwards}
		filter.From, filter.To, filter.NAT = b.from(), b.to(), b.nat()
	}
	if len(filter.From)+len(filter.DHCP)+len(filter.Forwards) == 0 && !filter.Guarded {
		return nil
	}
	return host.Plan{{From: "/network/forward", Op: host.SetFilter{Network: filter.Network, Filter: filter}}}
}

// uplinks are the links that a network may use to reach the outside; the empty name is any.
func (n *Network) uplinks() []string {
	if n.Forward == nil {
		return []string{""}
	}
	var names []string
	for i := range n.Forward.Interfaces {
		names = append(names, n.Forward.Interfaces[i].Dev.String())
	}
	if len(names) == 0 {
		names = append(names, n.Forward.Dev)
	}
	return names
}

// filterRules makes the rules of one network.
type filterRules struct {
	n       *Network
	link    string
	uplinks []string
	// forwards are those of the network.
	forwards []host.PortForward
}

// from is what guests may send: anything to each other and, unless the network is isolated, to the outside from their
// own addresses. Who has a port of the host may answer.
func (b *filterRules) from() []host.Rule {
	rules := []host.Rule{{Out: b.link, Do: host.Return}}
	for subnet, uplink := range b.ways() {
		rules = append(rules, host.Rule{Src: subnet, Out: uplink, Do: host.Return})
	}
	if !b.everywhere() {
		for _, guest := range b.forwardedTo() {
			rules = append(rules, host.Rule{Src: guest, Established: true, Forwarded: true, Do: host.Return})
		}
	}
	return append(rules, host.Rule{Do: host.Reject})
}

// to is what may reach guests: anything from each other and, unless the network is isolated, from the outside to their
// own addresses; where those are translated only answers, and what comes by a port of the host that leads there.
func (b *filterRules) to() []host.Rule {
	rules := []host.Rule{{In: b.link, Do: host.Return}}
	for subnet, uplink := range b.ways() {
		rules = append(rules, host.Rule{Dst: subnet, In: uplink, Established: b.translated(subnet), Do: host.Return})
	}
	if !b.everywhere() {
		for _, guest := range b.forwardedTo() {
			rules = append(rules, host.Rule{Dst: guest, Established: true, Forwarded: true, Do: host.Return})
		}
	}
	for _, p := range b.forwards {
		guest := single(p.To)
		if !b.everywhere() || b.translated(guest) {
			rules = append(rules, host.Rule{Dst: guest, Proto: p.Proto, DstPorts: p.ToPorts(), Forwarded: true, Do: host.Return})
		}
	}
	return append(rules, host.Rule{Do: host.Reject})
}

// everywhere reports whether guests may answer to all links as it is.
func (b *filterRules) everywhere() bool {
	return b.n.Mode() != ForwardNone && slices.Contains(b.uplinks, "")
}

// forwardedTo are the guests that have ports of the host.
func (b *filterRules) forwardedTo() (guests []netip.Prefix) {
	for _, p := range b.forwards {
		guests = append(guests, single(p.To))
	}
	slices.SortFunc(guests, func(p, q netip.Prefix) int { return p.Addr().Compare(q.Addr()) })
	return slices.Compact(guests)
}

func single(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// ways yields each subnet that leads to the outside with each link it may use.
func (b *filterRules) ways() func(yield func(netip.Prefix, string) bool) {
	return func(yield func(netip.Prefix, string) bool) {
		if b.n.Mode() == ForwardNone {
			return
		}
		for i := range b.n.IPs {
			prefix, _ := b.n.IPs[i].Prefix()
			for _, uplink := range b.uplinks {
				if !yield(prefix.Masked(), uplink) {
					return
				}
			}
		}
	}
}

// translated reports whether the outside sees addresses of the host instead of those of the subnet. IPv6 is translated
// only if the document says so, else routed.
func (b *filterRules) translated(subnet netip.Prefix) bool {
	if b.n.Mode() != ForwardNAT {
		return false
	}
	nat := b.n.Forward.NAT
	return subnet.Addr().Is4() || nat != nil && nat.IPv6 == schema.Yes
}

// nat is how addresses are translated: not for multicast and broadcast on the link, and for TCP and UDP to ports that
// are not privileged, so that no guest appears as a privileged service of the host.
func (b *filterRules) nat() []host.Rule {
	var rules []host.Rule
	for subnet, uplink := range b.ways() {
		if !b.translated(subnet) {
			continue
		}
		for _, local := range localGroups(subnet) {
			rules = append(rules, host.Rule{Src: subnet, Dst: local, Out: uplink, Do: host.Return})
		}
		translate := host.Rule{Src: subnet, NotDst: subnet, Out: uplink, Do: host.Masquerade}
		if addrs := b.n.natAddrs(); subnet.Addr().Is4() && addrs.From.IsValid() {
			translate.Do, translate.Addrs = host.SNAT, addrs
		}
		for _, proto := range []host.Proto{host.TCP, host.UDP} {
			rule := translate
			rule.Proto, rule.Ports = proto, b.n.natPorts()
			rules = append(rules, rule)
		}
		rules = append(rules, translate)
	}
	return rules
}

// localGroups are destinations that never leave the link.
func localGroups(subnet netip.Prefix) []netip.Prefix {
	if subnet.Addr().Is4() {
		return []netip.Prefix{netip.MustParsePrefix("224.0.0.0/24"), netip.MustParsePrefix("255.255.255.255/32")}
	}
	return []netip.Prefix{netip.MustParsePrefix("ff02::/16")}
}

func (n *Network) natAddrs() host.AddrRange {
	if n.Forward.NAT == nil || n.Forward.NAT.Address == nil {
		return host.AddrRange{}
	}
	return host.AddrRange{From: n.Forward.NAT.Address.Start.Addr, To: n.Forward.NAT.Address.End.Addr}
}

func (n *Network) natPorts() host.PortRange {
	if n.Forward.NAT == nil || n.Forward.NAT.Port == nil || n.Forward.NAT.Port.End.Uint() == 0 {
		return host.PortRange{From: 1024, To: 65535}
	}
	p := n.Forward.NAT.Port
	return host.PortRange{From: uint16(max(p.Start.Uint(), 1)), To: uint16(p.End.Uint())}
}
