// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"io/fs"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// portForward leads ports of the machine, of one address or all, to a guest.
func portForward(proto host.Proto, addr string, first, last uint16, to string, toPort uint16) host.PortForward {
	p := host.PortForward{Proto: proto, Ports: host.PortRange{From: first, To: last}, To: netip.MustParseAddr(to), ToPort: toPort}
	if addr != "" {
		p.Addr = netip.MustParseAddr(addr)
	}
	return p
}

// forwarding is a filter with port forwards of both families.
func forwarding() host.Filter {
	return host.Filter{
		Network: "n1", Link: "br0", HideClients: true,
		From: []host.Rule{{Src: netip.MustParsePrefix("192.168.7.2/32"), Established: true, Forwarded: true, Do: host.Return}, {Do: host.Reject}},
		To: []host.Rule{
			{Dst: netip.MustParsePrefix("192.168.7.2/32"), Proto: host.TCP, DstPorts: host.PortRange{From: 80, To: 89}, Forwarded: true, Do: host.Return},
			{Dst: netip.MustParsePrefix("2001:db8:7::2/128"), Proto: host.UDP, DstPorts: host.PortRange{From: 53, To: 53}, Forwarded: true, Do: host.Return},
			{Do: host.Reject},
		},
		Forwards: []host.PortForward{
			portForward(host.TCP, "", 8080, 8089, "192.168.7.2", 80),
			portForward(host.UDP, "2001:db8::5", 53, 53, "2001:db8:7::2", 53),
		},
	}
}

// fewer forwards less.
func fewer() host.Filter {
	f := forwarding()
	f.HideClients, f.Forwards = false, []host.PortForward{portForward(host.TCP, "", 8080, 8084, "192.168.7.2", 80)}
	return f
}

// wrongForwards are filters that no machine can have, or that are not as they are told.
func wrongForwards() (ops []host.Op) {
	for _, spoil := range []func(*host.Filter){
		func(f *host.Filter) { f.Forwards[0].Proto = host.AnyProto },
		func(f *host.Filter) { f.Forwards[0].Ports.From = 0 },
		func(f *host.Filter) { f.Forwards[0].ToPort = 65535 },
		func(f *host.Filter) { f.Forwards[0].To = netip.Addr{} },
		func(f *host.Filter) { f.Forwards[0].Addr = netip.MustParseAddr("127.0.0.1") },
		func(f *host.Filter) { f.Forwards[0].Addr = netip.MustParseAddr("2001:db8::5") },
		func(f *host.Filter) { slices.Reverse(f.Forwards) },
		func(f *host.Filter) { f.Forwards[1] = f.Forwards[0] },
		func(f *host.Filter) { f.Forwards[1] = portForward(host.TCP, "", 8090, 8090, "192.168.7.2", 90) },
		func(f *host.Filter) { f.Forwards = nil },
		func(f *host.Filter) { f.To[0].Proto = host.AnyProto },
		func(f *host.Filter) { f.To[0].DstPorts.From = 0 },
	} {
		f := forwarding()
		spoil(&f)
		ops = append(ops, host.SetFilter{Network: "n1", Filter: f})
	}
	return ops
}

func forwardCases() []opCase {
	other := host.Filter{Network: "n2", Link: "br1", Forwards: []host.PortForward{portForward(host.TCP, "", 8090, 8090, "192.168.8.2", 80)}}
	return []opCase{{
		name:    "SetFilter with port forwards",
		op:      host.SetFilter{Network: "n1", Filter: forwarding()},
		changes: lines("+", forwarding().String()),
		bad:     wrongForwards(),
		foreign: [][]host.Op{{host.SetFilter{Network: "n2", Filter: other}}},
	}, {
		name:   "SetFilter with other port forwards",
		before: []host.Op{host.SetFilter{Network: "n2", Filter: other}, host.SetFilter{Network: "n1", Filter: forwarding()}},
		op:     host.SetFilter{Network: "n1", Filter: fewer(), Was: forwarding()},
		changes: `-filter n1 forward br0: fib daddr type local tcp dport 8080-8089 dnat ip to 192.168.7.2:80-89
-filter n1 forward br0: ip6 daddr 2001:db8::5 udp dport 53 dnat ip6 to [2001:db8:7::2]:53
-filter n1 forward br0: oifname "br0" ct status dnat masquerade
+filter n1 forward br0: fib daddr type local tcp dport 8080-8084 dnat ip to 192.168.7.2:80-84
`,
		repeatable: true,
	}, {
		name:    "SetFilter that guards the machine",
		op:      host.SetFilter{Network: "n1", Filter: guarded()},
		changes: lines("+", guarded().String()),
		bad: []host.Op{
			host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0", Open: guarded().Open}},
			host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0", Guarded: true, Open: slices.Concat(guarded().Open, guarded().Open)}},
			host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0", Guarded: true, Open: []host.Service{{Proto: host.TCP}}}},
		},
	}, {
		name:       "SetFilter that opens less of the machine",
		before:     []host.Op{host.SetFilter{Network: "n1", Filter: guarded()}},
		op:         host.SetFilter{Network: "n1", Filter: host.Filter{Network: "n1", Link: "br0", Guarded: true}, Was: guarded()},
		changes:    "-filter n1 input br0: iifname \"br0\" tcp dport 20-23 counter return\n-filter n1 input br0: iifname \"br0\" udp dport 53 counter return\n",
		repeatable: true,
	}}
}

// guarded is a filter that keeps guests from the machine.
func guarded() host.Filter {
	return host.Filter{Network: "n1", Link: "br0", Guarded: true, Open: []host.Service{
		{Proto: host.TCP, Ports: host.PortRange{From: 20, To: 23}}, {Proto: host.UDP, Ports: host.PortRange{From: 53, To: 53}},
	}}
}

// forwardEffects are who may have a port.
func forwardEffects() []effect {
	set := func(p host.PortForward) host.Op {
		return host.SetFilter{Network: "n2", Filter: host.Filter{Network: "n2", Link: "br1", Forwards: []host.PortForward{p}}}
	}
	before := []host.Op{host.SetFilter{Network: "n1", Filter: forwarding()}}
	return []effect{{
		name: "a forwarded port has one network", before: before,
		op: set(portForward(host.TCP, "", 8089, 8090, "192.168.8.2", 80)), err: fs.ErrExist,
	}, {
		name: "a forwarded port of an address has one network", before: before,
		op: set(portForward(host.UDP, "2001:db8::5", 53, 53, "2001:db8:8::2", 53)), err: fs.ErrExist,
	}, {
		name: "a port of one address is not that of all", before: before,
		op:      set(portForward(host.TCP, "203.0.113.5", 8080, 8080, "192.168.8.2", 80)),
		changes: "+filter n2 forward br1: ip daddr 203.0.113.5 tcp dport 8080 dnat ip to 192.168.8.2:80\n",
	}, {
		name: "a port of one protocol is not that of another", before: before,
		op:      set(portForward(host.UDP, "", 8080, 8080, "192.168.8.2", 80)),
		changes: "+filter n2 forward br1: fib daddr type local udp dport 8080 dnat ip to 192.168.8.2:80\n",
	}, {
		name: "a port of IPv4 is not that of IPv6", before: before,
		op:      set(portForward(host.TCP, "", 8080, 8080, "2001:db8:8::2", 80)),
		changes: "+filter n2 forward br1: fib daddr type local tcp dport 8080 dnat ip6 to [2001:db8:8::2]:80\n",
	}}
}
