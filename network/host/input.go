// SPDX-License-Identifier: Apache-2.0

package host

import (
	"cmp"
	"fmt"
	"slices"
)

// A Service is ports of the machine itself.
type Service struct {
	// Proto is TCP, UDP or SCTP.
	Proto Proto
	Ports PortRange
}

// String is the service in nft's words.
func (s Service) String() string { return s.Proto.String() + " dport " + s.Ports.String() }

// JoinServices returns services as a [Filter] has them: in their order, and one for all those that overlap or follow each other.
func JoinServices(list []Service) []Service {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Ports.From, b.Ports.From), cmp.Compare(a.Ports.To, b.Ports.To))
	})
	joined := list[:0]
	for _, s := range list {
		if last := len(joined) - 1; last >= 0 && joined[last].Proto == s.Proto && int(s.Ports.From) <= int(joined[last].Ports.To)+1 {
			joined[last].Ports.To = max(joined[last].Ports.To, s.Ports.To)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// checkInput refuses services that are not as JoinServices returns them, and such as nobody is kept from.
func (f Filter) checkInput() error {
	for _, s := range f.Open {
		if !s.Proto.hasPorts() || s.Ports.From == 0 || s.Ports.To < s.Ports.From {
			return invalid("service %s", s)
		}
	}
	if !slices.Equal(JoinServices(f.Open), f.Open) {
		return invalid("services of the filter of %s: not in their order, or parts of others", f.Network)
	}
	if !f.Guarded && len(f.Open) > 0 {
		return invalid("services of the filter of %s: guests may reach everything", f.Network)
	}
	return nil
}

// inputLines are what guests may reach of the machine, in nft's words.
func (f Filter) inputLines() (lines []string) {
	if !f.Guarded {
		return nil
	}
	for _, s := range f.Open {
		lines = append(lines, fmt.Sprintf("iifname %q %s counter return", f.Link, s))
	}
	return append(lines, fmt.Sprintf("iifname %q ct state new meta l4proto != { icmp, ipv6-icmp } counter reject with icmpx port-unreachable", f.Link))
}
