// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) addRoute(o host.AddRoute) error { return b.changeRoute(o, b.rt.AddRoute) }

func (b *Backend) delRoute(o host.DelRoute) error {
	return b.changeRoute(host.AddRoute(o), b.rt.DelRoute)
}

func (b *Backend) changeRoute(o host.AddRoute, change func(rtnl.Route) error) error {
	index, err := b.rt.Index(o.Link)
	if err != nil {
		return err
	}
	err = change(rtnl.Route{Dest: o.Dest, Gateway: o.Gateway, Index: index, Metric: o.Metric, Table: host.MainTable})
	if err != nil {
		return fmt.Errorf("route to %s via %s: %w", o.Dest, o.Gateway, err)
	}
	return nil
}

// routeFacts reads all routes of the families of which one is wanted. Names are those of links that are known already.
func (b *Backend) routeFacts(scope host.Scope, names map[int]string, f *host.Facts) error {
	near := func(ipv6 bool) bool {
		return slices.ContainsFunc(scope.Near, func(p netip.Prefix) bool { return p.Addr().Is6() == ipv6 })
	}
	var routes []rtnl.Route
	for _, ipv6 := range []bool{false, true} {
		if !scope.All && !scope.Routes && !near(ipv6) {
			continue
		}
		found, err := b.rt.Routes(ipv6)
		if err != nil {
			return fmt.Errorf("routes: %w", err)
		}
		routes = append(routes, slices.DeleteFunc(found, func(r rtnl.Route) bool { return !scope.HasRoute(host.Route{Dest: r.Dest}) })...)
	}
	indexes := make([]int, len(routes))
	for i, r := range routes {
		indexes[i] = r.Index
	}
	names, err := b.moreNames(names, indexes)
	if err != nil {
		return err
	}
	for _, r := range routes {
		// The route of a link that has gone meanwhile went with it.
		if name := names[r.Index]; name != "" {
			f.Routes = append(f.Routes, host.Route{Dest: r.Dest, Gateway: r.Gateway, Link: name, Metric: r.Metric, Table: r.Table})
		}
	}
	return nil
}
