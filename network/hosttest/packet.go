// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// A Packet is what the packet filter looks at.
type Packet struct {
	// In is the link by which the packet comes into the machine: for a packet of a guest that is the bridge. It is empty for
	// one that the machine itself sends.
	In string
	// Out is the link by which it leaves. It is the answer of [Machine.Send], and empty in a question.
	Out      string
	Src, Dst netip.Addr
	Proto    host.Proto
	// DstPort is the port of the destination, and 0 that of no port forward.
	DstPort uint16
	// Established marks a packet of a connection that is known already.
	Established bool
	// Forwarded marks a packet whose destination was translated: by a port forward in an answer of [Machine.Send], and in a
	// question by one that goes back to who asked.
	Forwarded bool
}

// String is the packet in the words of nft.
func (p Packet) String() string {
	return fmt.Sprintf("iif %q oif %q saddr %s daddr %s", p.In, p.Out, p.Src, p.Dst)
}

// Send says what becomes of a packet that is routed, by the routes, the forwarding and the filters of this moment. It
// returns the packet as it leaves the machine, with its new addresses if they were translated. A packet for the
// machine itself passes if its network is not guarded or it is for what is open, and has no Out, and so does one between two ports of a bridge, which is not
// routed: its Out is its In.
//
// An error wraps fs.ErrNotExist if there is no way to the destination, and fs.ErrPermission if the packet may not go
// it; its text tells the rule.
//
// Send knows no connections, so a translated packet has to be answered by asking with Established and the guest's own
// address. It knows no ports but those of destinations, and no routes but those of the main table.
func (m *Machine) Send(p Packet) (Packet, error) {
	defer m.lock().Unlock()
	if p.In != "" {
		in, err := m.link(p.In)
		if err != nil {
			return p, err
		}
		if !in.Up {
			return p, missing("link %s is down", p.In)
		}
	}
	p = m.led(p)
	p.Out = ""
	if m.isLocal(p.Dst) {
		return p, m.admitted(p)
	}
	var err error
	if p.Out, err = m.way(p.Dst); err != nil || p.Out == p.In && !p.Forwarded || p.In == "" {
		return m.translated(p), err
	}
	if !m.forwards(is6(p.Dst)) {
		return p, denied("%s: the machine does not forward %s", p, host.FamilyOf(p.Dst))
	}
	if err := m.allowed(p); err != nil {
		return p, err
	}
	return m.translated(p), nil
}

// way is the link that the most special route, and of those the one with the smallest metric, leads to.
func (m *Machine) way(dst netip.Addr) (string, error) {
	var best *host.Route
	for _, r := range m.allRoutes() {
		if r.Table != host.MainTable || !r.Dest.Contains(dst) {
			continue
		}
		if best == nil || r.Dest.Bits() > best.Dest.Bits() || r.Dest.Bits() == best.Dest.Bits() && r.Metric < best.Metric {
			best = &r
		}
	}
	if best == nil {
		return "", missing("route to %s", dst)
	}
	return best.Link, nil
}

func (m *Machine) forwards(ipv6 bool) bool {
	if ipv6 {
		return m.ipv6
	}
	return m.ipv4
}

// admitted asks whether the machine itself takes a packet.
func (m *Machine) admitted(p Packet) error {
	f := m.filterOf(p.In)
	if !f.Guarded || p.Established || p.Proto == icmp || p.Proto == icmp6 {
		return nil
	}
	for _, s := range f.Open {
		if s.Proto == p.Proto && s.Ports.From <= p.DstPort && p.DstPort <= s.Ports.To {
			return nil
		}
	}
	return denied("%s: packets of guests on %s to the machine", p, p.In)
}

// What guests may always send to the machine.
const (
	icmp  host.Proto = 1
	icmp6 host.Proto = 58
)

// allowed asks the filter of the network that the packet comes from, and then that of the network it goes to.
func (m *Machine) allowed(p Packet) error {
	from, to := m.filterOf(p.In), m.filterOf(p.Out)
	for _, list := range []struct {
		word, link string
		rules      []host.Rule
	}{{"from", p.In, from.From}, {"to", p.Out, to.To}} {
		if r := firstMatch(list.rules, p); r.Do == host.Reject || r.Do == host.Drop {
			return denied("%s: packets %s %s: %s", p, list.word, list.link, r)
		}
	}
	return nil
}

// led gives the first packet of a connection another destination, if a port forward of a network says so. One for the address
// wins over one for all of the machine.
func (m *Machine) led(p Packet) Packet {
	if p.Established || p.DstPort == 0 {
		return p
	}
	for _, addr := range []netip.Addr{p.Dst, {}} {
		if !addr.IsValid() && (!m.isLocal(p.Dst) || p.Dst.IsLoopback() || p.Dst.IsLinkLocalUnicast() && is6(p.Dst)) {
			break
		}
		wanted := host.PortForward{Proto: p.Proto, Addr: addr, Ports: host.PortRange{From: p.DstPort, To: p.DstPort}, To: p.Dst}
		for _, f := range m.filters {
			if i := slices.IndexFunc(f.Forwards, wanted.Overlaps); i >= 0 {
				to := f.Forwards[i]
				p.Dst, p.DstPort, p.Forwarded = to.To, to.ToPort+p.DstPort-to.Ports.From, true
				return p
			}
		}
	}
	return p
}

// translated gives the first packet of a connection another source address, if the filter of its network says so, or that of
// the network it was led to.
func (m *Machine) translated(p Packet) Packet {
	if p.Established {
		return p
	}
	if to := m.filterOf(p.Out); p.Forwarded && len(to.Forwards) > 0 && (p.In == p.Out || to.HideClients) {
		p.Src = m.source(p)
		return p
	}
	if p.In == "" {
		return p
	}
	switch r := firstMatch(m.filterOf(p.In).NAT, p); r.Do {
	case host.SNAT:
		p.Src = r.Addrs.From
	case host.Masquerade:
		p.Src = m.source(p)
	}
	return p
}

// source is the address of the link that a packet leaves by, and its own if that has none.
func (m *Machine) source(p Packet) netip.Addr {
	for _, a := range m.addrs {
		if a.Link == p.Out && is6(a.Prefix.Addr()) == is6(p.Src) {
			return a.Prefix.Addr()
		}
	}
	return p.Src
}

func (m *Machine) filterOf(link string) host.Filter {
	for _, f := range m.filters {
		if f.Link == link {
			return f
		}
	}
	return host.Filter{}
}

// firstMatch is the first rule that matches; none is the zero Rule.
func firstMatch(rules []host.Rule, p Packet) host.Rule {
	for _, r := range rules {
		if matches(r, p) {
			return r
		}
	}
	return host.Rule{}
}

func matches(r host.Rule, p Packet) bool {
	return (r.Family == host.AnyFamily || r.Family == host.FamilyOf(p.Dst)) &&
		(r.In == "" || r.In == p.In) &&
		(r.Out == "" || r.Out == p.Out) &&
		(!r.Src.IsValid() || r.Src.Contains(p.Src)) &&
		(!r.Dst.IsValid() || r.Dst.Contains(p.Dst)) &&
		(!r.NotDst.IsValid() || r.NotDst.Addr().Is4() == p.Dst.Is4() && !r.NotDst.Contains(p.Dst)) &&
		(r.Proto == host.AnyProto || r.Proto == p.Proto) &&
		(r.DstPorts == host.PortRange{} || r.DstPorts.From <= p.DstPort && p.DstPort <= r.DstPorts.To) &&
		(!r.Established || p.Established) &&
		(!r.Forwarded || p.Forwarded)
}
