// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// A PortForward leads connections to ports of the machine on to a guest: iptables -t nat -A PREROUTING -p tcp --dport 80 -j
// DNAT. It does so for what comes from outside, from guests, and from the machine itself.
type PortForward struct {
	// Proto is TCP, UDP or SCTP.
	Proto Proto
	// Addr is the address whose ports these are, which need not be one of the machine's if packets to it get there. The
	// zero Addr is every address of the machine, but not 127.0.0.0/8, ::1 and fe80::/10: nobody else can be led on from there.
	// What stands for one address wins over what stands for all.
	Addr netip.Addr `json:",omitzero"`
	// Ports are those of the machine.
	Ports PortRange
	// To is the address of the guest, and ToPort its port for the first of Ports; the others follow.
	To     netip.Addr
	ToPort uint16
}

// ToPorts are the ports of the guest.
func (p PortForward) ToPorts() PortRange {
	return PortRange{p.ToPort, p.ToPort + p.Ports.To - p.Ports.From}
}

// String is the forward in nft's words.
func (p PortForward) String() string {
	where := "fib daddr type local"
	if p.Addr.IsValid() {
		where = ipWord(p.Addr) + " daddr " + p.Addr.String()
	}
	return fmt.Sprintf("%s %s dport %s dnat %s to %s", where, p.Proto, p.Ports, ipWord(p.To), p.Target())
}

// Target is the address and the ports of the guest: 192.168.122.10:80, [fd00::10]:8000-8010.
func (p PortForward) Target() string {
	to := p.To.String()
	if p.To.Is6() {
		to = "[" + to + "]"
	}
	return to + ":" + p.ToPorts().String()
}

// check refuses what is no way to a guest.
func (p PortForward) check() error {
	switch {
	case !p.Proto.hasPorts():
		return invalid("port forward %s: protocol %s has no ports that could be forwarded", p, p.Proto)
	case p.Ports.From == 0 || p.Ports.To < p.Ports.From:
		return invalid("port forward %s: ports", p)
	case p.ToPort == 0 || int(p.ToPort)+int(p.Ports.To-p.Ports.From) > 65535:
		return invalid("port forward %s: ports of the guest", p)
	case !plainAddr(p.To):
		return invalid("port forward %s: address of the guest", p)
	case p.Addr != netip.Addr{} && (!plainAddr(p.Addr) || FamilyOf(p.Addr) != FamilyOf(p.To)):
		return invalid("port forward %s: address", p)
	}
	return nil
}

// plainAddr reports whether an address may be that of one machine, from another one.
func plainAddr(a netip.Addr) bool {
	return a.IsValid() && !a.Is4In6() && a.Zone() == "" && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && !a.IsLinkLocalUnicast()
}

// compare orders forwards by where they are to be found, and then by where they lead.
func (p PortForward) compare(q PortForward) int {
	return cmp.Or(cmp.Compare(p.Proto, q.Proto), cmp.Compare(FamilyOf(p.To), FamilyOf(q.To)), p.Addr.Compare(q.Addr),
		cmp.Compare(p.Ports.From, q.Ports.From), cmp.Compare(p.Ports.To, q.Ports.To), p.To.Compare(q.To), cmp.Compare(p.ToPort, q.ToPort))
}

// follows reports whether p goes on where q ends.
func (p PortForward) follows(q PortForward) bool {
	return p.Proto == q.Proto && p.Addr == q.Addr && p.To == q.To &&
		int(p.Ports.From) == int(q.Ports.To)+1 && int(p.ToPort) == int(q.ToPorts().To)+1
}

// Overlaps reports whether there is a port that both forward.
func (p PortForward) Overlaps(q PortForward) bool {
	return p.Proto == q.Proto && FamilyOf(p.To) == FamilyOf(q.To) && p.Addr == q.Addr &&
		p.Ports.From <= q.Ports.To && q.Ports.From <= p.Ports.To
}

// JoinForwards returns forwards as a [Filter] has them: in their order, and one for all those that follow each other.
func JoinForwards(list []PortForward) []PortForward {
	list = slices.Clone(list)
	slices.SortFunc(list, PortForward.compare)
	joined := list[:0]
	for _, p := range list {
		if last := len(joined) - 1; last >= 0 && p.follows(joined[last]) {
			joined[last].Ports.To = p.Ports.To
			continue
		}
		joined = append(joined, p)
	}
	return joined
}

// checkForwards refuses forwards that are not as JoinForwards returns them, or of which two forward the same port.
func checkForwards(list []PortForward) error {
	for i, p := range list {
		if err := p.check(); err != nil {
			return err
		}
		if i > 0 && (list[i-1].compare(p) >= 0 || p.follows(list[i-1])) {
			return invalid("port forward %s: not in its order, or part of the one before", p)
		}
		if i > 0 && list[i-1].Overlaps(p) {
			return invalid("port forward %s: the one before has the port too", p)
		}
	}
	return nil
}
