// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

func (m *Machine) forwardingFacts(scope host.Scope, f *host.Facts) {
	if scope.All || scope.Forwarding {
		f.Forwarding = host.Forwarding{IPv4: m.ipv4, IPv6: m.ipv6}
		if !m.ipv6 {
			f.Forwarding.Blocked = m.blocked()
		}
	}
}

// blocked are the links whose learned routes are lost once the machine forwards IPv6: all that do not insist on them.
func (m *Machine) blocked() []string {
	var links []string
	for _, r := range m.learned {
		if value, _ := m.value(m.links[r.Link], acceptRA); value != "2" && !slices.Contains(links, r.Link) {
			links = append(links, r.Link)
		}
	}
	return links
}

// forward switches the forwarding of a family for all links, also for those that had a setting of their own.
func (m *Machine) forward(ipv6, on bool) error {
	key := sysctl{host.IPv4, "forwarding"}
	if ipv6 {
		key.family = host.IPv6
	}
	for _, l := range m.links {
		delete(l.sysctls, key)
	}
	if !ipv6 {
		m.ipv4 = on
		return nil
	}
	m.ipv6 = on
	if lost := m.blocked(); on {
		m.learned = slices.DeleteFunc(m.learned, func(r host.Route) bool { return slices.Contains(lost, r.Link) })
	}
	return nil
}
