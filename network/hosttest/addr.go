// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

func (m *Machine) addrFacts(scope host.Scope, f *host.Facts) {
	for _, a := range m.addrs {
		if scope.HasAddr(a) {
			f.Addrs = append(f.Addrs, a)
		}
	}
}

func (m *Machine) addAddr(o host.AddAddr) error {
	l, err := m.link(o.Link)
	if err != nil {
		return err
	}
	if is6(o.Prefix.Addr()) {
		if l.MTU < minIPv6 {
			return refused("link %s with an MTU of %d is too small for IPv6", l.Name, l.MTU)
		}
		if m.isSet(l, disableIPv6) {
			return denied("IPv6 is disabled on link %s", l.Name)
		}
	}
	for _, a := range m.addrs {
		// The same IPv4 address may be there several times, with other lengths.
		if a.Link == o.Link && a.Prefix.Addr() == o.Prefix.Addr() && (is6(a.Prefix.Addr()) || a.Prefix == o.Prefix) {
			return exists("address %s", a)
		}
	}
	m.addrs = append(m.addrs, host.Addr(o))
	return nil
}

// delAddr removes an address. The first IPv4 address of a network takes the others of that network with it, unless
// promote_secondaries is set, and the last one of a link all routes.
func (m *Machine) delAddr(o host.DelAddr) error {
	i := slices.Index(m.addrs, host.Addr(o))
	if i < 0 {
		return missing("address %s", host.Addr(o))
	}
	if is6(o.Prefix.Addr()) {
		m.addrs = slices.Delete(m.addrs, i, i+1)
		return nil
	}
	network := func(p netip.Prefix) bool { return p.Masked() == o.Prefix.Masked() }
	others := func(a host.Addr) bool { return a.Link == o.Link && network(a.Prefix) }
	primary := slices.IndexFunc(m.addrs, others) == i
	m.addrs = slices.Delete(m.addrs, i, i+1)
	if primary && !m.isSet(m.links[o.Link], promoteSecondaries) {
		m.dropAddrs(o.Link, network)
	}
	if !slices.ContainsFunc(m.addrs, func(a host.Addr) bool { return a.Link == o.Link && !is6(a.Prefix.Addr()) }) {
		m.dropRoutes(o.Link, func(p netip.Prefix) bool { return !is6(p.Addr()) })
	}
	return nil
}

// loopbackAddrs are what the kernel gives the loopback device when it is switched on.
func (m *Machine) loopbackAddrs() {
	for _, prefix := range []string{"127.0.0.1/8", "::1/128"} {
		a := host.Addr{Link: loopback, Prefix: netip.MustParsePrefix(prefix)}
		if !slices.Contains(m.addrs, a) {
			m.addrs = append(m.addrs, a)
		}
	}
}

// dropAddrs removes addresses of a link.
func (m *Machine) dropAddrs(name string, which func(netip.Prefix) bool) {
	m.addrs = slices.DeleteFunc(m.addrs, func(a host.Addr) bool { return a.Link == name && which(a.Prefix) })
}

// dropIPv6 removes the addresses and routes of a link that loses IPv6.
func (m *Machine) dropIPv6(name string) {
	ipv6 := func(p netip.Prefix) bool { return is6(p.Addr()) }
	m.dropAddrs(name, ipv6)
	m.dropRoutes(name, ipv6)
}

func isAny(netip.Prefix) bool { return true }

func is6(addr netip.Addr) bool { return !addr.Is4() }
