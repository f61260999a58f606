// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// kernelMetric is the metric of the connected routes of IPv6.
const kernelMetric = 256

// AddRoute adds a route of somebody else's, which need not have a gateway and may be in any table. Its link has to
// exist and to be up.
func (m *Machine) AddRoute(r host.Route) error {
	defer m.lock().Unlock()
	if err := m.checkRoute(r); err != nil {
		return err
	}
	m.routes = append(m.routes, r)
	return nil
}

// Advertise adds a route that a router advertisement brought. As in the kernel it is lost when the machine begins to
// forward IPv6, unless the accept_ra of its link is 2.
func (m *Machine) Advertise(r host.Route) error {
	defer m.lock().Unlock()
	if err := m.checkRoute(r); err != nil {
		return err
	}
	m.learned = append(m.learned, r)
	return nil
}

func (m *Machine) routeFacts(scope host.Scope, f *host.Facts) {
	for _, r := range m.allRoutes() {
		if scope.HasRoute(r) {
			f.Routes = append(f.Routes, r)
		}
	}
}

func (m *Machine) allRoutes() []host.Route {
	return slices.Concat(m.connected(), m.routes, m.learned)
}

// connected are the routes that follow from the addresses of the links that are up.
func (m *Machine) connected() []host.Route {
	var routes []host.Route
	for _, a := range m.addrs {
		if !m.links[a.Link].Up || a.Link == loopback {
			continue
		}
		r := host.Route{Dest: a.Prefix.Masked(), Link: a.Link, Table: host.MainTable}
		if is6(r.Dest.Addr()) {
			r.Metric = kernelMetric
		} else if r.Dest.IsSingleIP() {
			continue
		}
		if !slices.Contains(routes, r) {
			routes = append(routes, r)
		}
	}
	return routes
}

func (m *Machine) addRoute(o host.AddRoute) error {
	r := host.Route{Dest: o.Dest, Gateway: o.Gateway, Link: o.Link, Metric: o.Metric, Table: host.MainTable}
	if err := m.checkRoute(r); err != nil {
		return err
	}
	m.routes = append(m.routes, r)
	return nil
}

func (m *Machine) delRoute(o host.DelRoute) error {
	r := host.Route{Dest: o.Dest, Gateway: o.Gateway, Link: o.Link, Metric: o.Metric, Table: host.MainTable}
	i := slices.Index(m.routes, r)
	if i < 0 {
		return missing("route %s", r)
	}
	m.routes = slices.Delete(m.routes, i, i+1)
	return nil
}

// checkRoute wants a link that is up, a gateway that the link reaches, and no other route of the same network and metric.
func (m *Machine) checkRoute(r host.Route) error {
	l, err := m.link(r.Link)
	if err != nil {
		return err
	}
	if r.Gateway.IsValid() {
		if err := m.checkGateway(r, l); err != nil {
			return err
		}
	}
	if is6(r.Dest.Addr()) && m.isSet(l, disableIPv6) {
		return denied("route %s: IPv6 is disabled on the link", r)
	}
	if !l.Up {
		return missing("route %s: link %s is down", r, r.Link)
	}
	for _, other := range m.allRoutes() {
		if other.Dest == r.Dest && other.Metric == r.Metric && other.Table == r.Table {
			return exists("route %s", other)
		}
	}
	return nil
}

// checkGateway wants a network of the link that has the gateway.
func (m *Machine) checkGateway(r host.Route, l *link) error {
	if is6(r.Gateway) {
		if r.Gateway.IsLinkLocalUnicast() && l.MTU >= minIPv6 {
			return nil
		}
		if m.isLocal(r.Gateway) {
			return refused("route %s: the gateway is this machine", r)
		}
	}
	for _, near := range m.allRoutes() {
		if near.Link == r.Link && near.Table == host.MainTable && !near.Gateway.IsValid() && near.Dest.Contains(r.Gateway) {
			return nil
		}
	}
	return missing("route %s: no network of %s has the gateway", r, r.Link)
}

// isLocal reports whether the machine itself has the address.
func (m *Machine) isLocal(addr netip.Addr) bool {
	return slices.ContainsFunc(m.addrs, func(a host.Addr) bool { return a.Prefix.Addr() == addr })
}

// dropRoutes removes routes of a link, whoever added them.
func (m *Machine) dropRoutes(name string, which func(dest netip.Prefix) bool) {
	drop := func(r host.Route) bool { return r.Link == name && which(r.Dest) }
	m.routes = slices.DeleteFunc(m.routes, drop)
	m.learned = slices.DeleteFunc(m.learned, drop)
}
