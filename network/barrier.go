// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Traffic is a kind of packets that a network lives by.
type Traffic string

// The kinds of traffic.
const (
	// Outbound is what guests send to the outside.
	Outbound Traffic = "from guests to the outside"
	// Answers is what the outside answers them.
	Answers Traffic = "from the outside, as an answer to guests"
	// Inbound is what the outside sends to guests by itself, where they are not behind translated addresses.
	Inbound Traffic = "from the outside to guests"
	// Led is what the outside sends to ports of the host that lead to guests.
	Led Traffic = "from the outside to forwarded ports"
	// Replies is what guests answer there.
	Replies Traffic = "from guests, as an answer to the outside"
	// DHCPRequest and DNSRequest are what guests ask the host, ServerAnswer what it answers.
	DHCPRequest  Traffic = "from guests to the DHCP server of the host"
	DNSRequest   Traffic = "from guests to the DNS server of the host"
	ServerAnswer Traffic = "from the host's servers to guests"
	// Reflected is what a guest sends to forwarded ports that lead back to itself.
	Reflected Traffic = "from a guest to a forwarded port that leads to itself"
	// Neighbours is what guests send each other.
	Neighbours Traffic = "between guests of the network"
)

// A Certainty is how much is known about a barrier.
type Certainty string

// The certainties.
const (
	// Always is that all such packets are stopped.
	Always Certainty = "always"
	// Unless is that all of them are stopped that no earlier rule accepts, and there are rules that may accept some.
	Unless Certainty = "unless accepted before"
	// Perhaps is that some may be stopped: that depends on the packet, or on conditions that were not understood.
	Perhaps Certainty = "perhaps"
)

// A Barrier is a rule of another program, or a parameter of the kernel, that stops packets of a network. Nothing that the
// network's own filter says can help: the kernel drops what any chain drops.
type Barrier struct {
	Traffic Traffic
	Family  host.Family
	Sure    Certainty
	// Chain is where it stands, and Rule what it says, in nft's words. Of a parameter there is only the Rule, in sysctl's.
	Chain string
	Rule  string
}

// String is one line.
func (o Barrier) String() string {
	by := o.Rule
	if o.Chain != "" {
		by = "chain " + o.Chain + ": " + o.Rule
	}
	return fmt.Sprintf("%s, %s: stopped %s by %s", o.Family, o.Traffic, o.Sure, by)
}

// bridgeCalls are the parameters by which the kernel's bridges call the filters for IP, as Docker wants it.
var bridgeCalls = map[host.Family]string{
	host.IPv4: "net/bridge/bridge-nf-call-iptables",
	host.IPv6: "net/bridge/bridge-nf-call-ip6tables",
}

// BarrierScope names the facts that [Barriers] needs.
func BarrierScope() host.Scope {
	return host.Scope{Routes: true, Sysctls: []string{bridgeCalls[host.IPv4], bridgeCalls[host.IPv6]}}
}

// Barriers judges what will stop the packets of a network among the filters of other programs and the parameters of the
// kernel. The facts are those of [BarrierScope]: the routes of the host tell the uplinks of a network that names none. A
// network whose bridge is not the host's own making has no traffic that this could judge.
func Barriers(n *Network, f *host.Facts, fw *host.Firewall) []Barrier {
	if !n.Managed() || n.Bridge == nil {
		return nil
	}
	var found []Barrier
	for _, p := range n.traffic(f) {
		for _, c := range basesFor(fw, p) {
			w := &walk{fw: fw, packet: p, base: c}
			ended := w.chain(c, true, 0)
			if !ended && c.Policy == host.Drop {
				w.stop("policy drop", true)
			}
			found = append(found, w.found...)
		}
	}
	found = append(found, n.unreflected(f)...)
	var unique []Barrier
	for _, o := range found {
		if !slices.Contains(unique, o) {
			unique = append(unique, o)
		}
	}
	return unique
}

// unreflected are the families in which no guest gets to itself by a port of the host: where the kernel translates addresses
// while a packet is still in the bridge, that would have to send it back to where it came from, and does not.
func (n *Network) unreflected(f *host.Facts) (found []Barrier) {
	if f == nil {
		return nil
	}
	for _, p := range n.portForwards() {
		family := host.FamilyOf(p.To)
		key := bridgeCalls[family]
		if value, _ := f.Sysctl(key); value == "1" {
			found = append(found, Barrier{Traffic: Reflected, Family: family, Sure: Always, Rule: "sysctl " + strings.ReplaceAll(key, "/", ".") + "=1"})
		}
	}
	return found
}

// A sample stands for all packets of a kind; what is zero may be anything.
type sample struct {
	traffic  Traffic
	hooks    []string
	bridged  bool
	family   host.Family
	in, out  string
	src, dst netip.Prefix
	// away is where an address that may be any is not.
	away  netip.Prefix
	proto host.Proto
	port  uint16
	state host.ConnState
	// led is whether the destination was translated.
	led bool
}

// traffic are the packets that a network lives by.
func (n *Network) traffic(f *host.Facts) (all []sample) {
	link := n.Bridge.Name
	uplinks := n.uplinks()
	for i := range n.IPs {
		prefix, _ := n.IPs[i].Prefix()
		subnet, family := prefix.Masked(), host.FamilyOf(prefix.Addr())
		for _, uplink := range uplinks {
			ways := []string{uplink}
			if uplink == "" {
				ways = defaultLinks(f, family, link)
			}
			for _, way := range ways {
				if n.Mode() == ForwardNone {
					break
				}
				all = append(all,
					sample{traffic: Outbound, hooks: []string{"prerouting", "forward", "postrouting"}, family: family, in: link, out: way, src: subnet, away: subnet, state: host.New},
					sample{traffic: Answers, hooks: []string{"prerouting", "forward", "postrouting"}, family: family, in: way, out: link, dst: subnet, away: subnet, state: host.Established})
				if !(&filterRules{n: n}).translated(subnet) {
					all = append(all, sample{traffic: Inbound, hooks: []string{"prerouting", "forward", "postrouting"}, family: family, in: way, out: link, dst: subnet, away: subnet, state: host.New},
						sample{traffic: Replies, hooks: []string{"prerouting", "forward", "postrouting"}, family: family, in: link, out: way, src: subnet, away: subnet, state: host.Established})
				}
			}
		}
		all = append(all, n.serverTraffic(&n.IPs[i], family)...)
	}
	for _, p := range n.portForwards() {
		all = append(all, sample{
			traffic: Led, hooks: []string{"forward", "postrouting"}, family: host.FamilyOf(p.To), out: link,
			dst: single(p.To), away: single(p.To), proto: p.Proto, port: p.ToPort, state: host.New, led: true,
		})
	}
	for _, family := range []host.Family{host.IPv4, host.IPv6} {
		all = append(all, sample{traffic: Neighbours, hooks: []string{"prerouting", "forward", "postrouting"}, bridged: true, family: family})
	}
	return all
}

// serverTraffic is what guests and the servers of the host say to each other.
func (n *Network) serverTraffic(ip *IP, family host.Family) (all []sample) {
	link := n.Bridge.Name
	gateway, _ := ip.Prefix()
	own := netip.PrefixFrom(gateway.Addr(), gateway.Addr().BitLen())
	ask := func(t Traffic, port uint16, from, to netip.Prefix) {
		all = append(all, sample{traffic: t, hooks: []string{"prerouting", "input"}, family: family, in: link, src: from, dst: to, proto: host.UDP, port: port, state: host.New})
	}
	answer := func(port uint16, state host.ConnState) {
		own := own
		if family == host.IPv6 && port != 0 {
			own = netip.MustParsePrefix("fe80::/64")
		}
		all = append(all, sample{traffic: ServerAnswer, hooks: []string{"output", "postrouting"}, family: family, out: link, src: own, proto: host.UDP, port: port, state: state})
	}
	if ip.DHCP != nil {
		server, client, nobody := uint16(67), uint16(68), netip.PrefixFrom(netip.IPv4Unspecified(), 32)
		if family == host.IPv6 {
			server, client, nobody = 547, 546, netip.MustParsePrefix("fe80::/64")
		}
		ask(DHCPRequest, server, nobody, netip.Prefix{})
		answer(client, host.New)
	}
	if n.DNS == nil || n.DNS.Enable != schema.No {
		ask(DNSRequest, 53, gateway.Masked(), own)
		answer(0, host.Established)
	}
	return all
}

// defaultLinks are the links of default routes, or the empty name, which is any.
func defaultLinks(f *host.Facts, family host.Family, own string) (links []string) {
	if f != nil {
		for _, r := range f.Routes {
			if r.Dest.Bits() == 0 && r.Table == host.MainTable && host.FamilyOf(r.Dest.Addr()) == family && r.Link != own {
				links = append(links, r.Link)
			}
		}
	}
	if len(links) == 0 {
		return []string{""}
	}
	slices.Sort(links)
	return slices.Compact(links)
}

// basesFor are the chains with a hook that packets of a kind pass, in their order.
func basesFor(fw *host.Firewall, p sample) (chains []*host.Chain) {
	for i := range fw.Chains {
		c := &fw.Chains[i]
		right := c.Family == "inet" || c.Family == map[host.Family]string{host.IPv4: "ip", host.IPv6: "ip6"}[p.family]
		if p.bridged {
			right = c.Family == "bridge"
		}
		if right && slices.Contains(p.hooks, c.Hook) {
			chains = append(chains, c)
		}
	}
	slices.SortStableFunc(chains, func(a, b *host.Chain) int {
		return cmp.Or(cmp.Compare(slices.Index(p.hooks, a.Hook), slices.Index(p.hooks, b.Hook)), cmp.Compare(a.Priority, b.Priority))
	})
	return chains
}
