// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"fmt"

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

// routeFacts reads all routes. Names are those of links that are known already.
func (b *Backend) routeFacts(names map[int]string, f *host.Facts) error {
	routes, err := b.rt.Routes()
	if err != nil {
		return fmt.Errorf("routes: %w", err)
	}
	indexes := make([]int, len(routes))
	for i, r := range routes {
		indexes[i] = r.Index
	}
	if names, err = b.moreNames(names, indexes); err != nil {
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
