// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Watcher = (*Machine)(nil)

// maxChanges is how many changes wait for a reader before it is told to look at everything.
const maxChanges = 1000

// A watch is one who watches, with what he has not seen yet.
type watch struct {
	changes []host.Change
	wake    chan struct{}
}

// Watch tells what operations and the other methods change; see [host.Watcher]. As on Linux, the kernel parameters of
// links are not told.
func (m *Machine) Watch(ctx context.Context) iter.Seq2[host.Change, error] {
	return func(yield func(host.Change, error) bool) {
		w := &watch{changes: []host.Change{{}}, wake: make(chan struct{}, 1)}
		m.join(w)
		defer m.leave(w)
		for ctx.Err() == nil {
			for _, c := range m.unseen(w) {
				if ctx.Err() != nil || !yield(c, nil) {
					return
				}
			}
			select {
			case <-ctx.Done():
			case <-w.wake:
			}
		}
	}
}

func (m *Machine) join(w *watch) {
	defer m.lock().Unlock()
	if len(m.watches) == 0 {
		m.seen = m.facts(host.Scope{All: true, Zones: true, Resolver: true})
	}
	m.watches = append(m.watches, w)
	w.wake <- struct{}{}
}

func (m *Machine) leave(w *watch) {
	defer m.look().Unlock()
	m.watches = slices.DeleteFunc(m.watches, func(other *watch) bool { return other == w })
}

// unseen takes the changes that wait.
func (m *Machine) unseen(w *watch) []host.Change {
	defer m.look().Unlock()
	changes := w.changes
	w.changes = nil
	return changes
}

// tell compares the machine with what it was when it was last told of, for those who watch.
func (m *Machine) tell() {
	if len(m.watches) == 0 {
		return
	}
	now := m.facts(host.Scope{All: true, Zones: true, Resolver: true})
	changes := changesBetween(m.seen, now)
	m.seen = now
	if len(changes) == 0 {
		return
	}
	for _, w := range m.watches {
		w.changes = append(w.changes, changes...)
		if len(w.changes) > maxChanges {
			w.changes = []host.Change{{}}
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// changesBetween are those between two looks at everything.
func changesBetween(a, b *host.Facts) []host.Change {
	if a.Instance != b.Instance {
		return []host.Change{{}}
	}
	var changes []host.Change
	add := func(kind host.ChangeKind, name string) {
		if c := (host.Change{Kind: kind, Name: name}); !slices.Contains(changes, c) {
			changes = append(changes, c)
		}
	}
	differ(a.Links, b.Links, func(l host.Link) string { return l.Name }, func(l host.Link, was, is bool) {
		switch {
		case !was:
			add(host.LinkAdded, l.Name)
		case !is:
			add(host.LinkRemoved, l.Name)
		default:
			add(host.LinkChanged, l.Name)
		}
	})
	differ(a.Addrs, b.Addrs, host.Addr.String, func(addr host.Addr, _, _ bool) { add(host.LinkChanged, addr.Link) })
	differ(a.Routes, b.Routes, host.Route.String, func(r host.Route, _, _ bool) { add(host.RouteChanged, r.Link) })
	if a.Forwarding.IPv4 != b.Forwarding.IPv4 || a.Forwarding.IPv6 != b.Forwarding.IPv6 {
		add(host.ForwardingChanged, "")
	}
	differ(a.Filters, b.Filters, func(f host.Filter) string { return f.Network }, func(f host.Filter, _, _ bool) { add(host.FilterChanged, f.Network) })
	if !reflect.DeepEqual(a.Zones, b.Zones) {
		add(host.ZonesChanged, "")
	}
	if !reflect.DeepEqual(a.Resolver, b.Resolver) {
		add(host.ResolverChanged, "")
	}
	differ(a.Shapes, b.Shapes, func(s host.Shape) string { return s.Link }, func(s host.Shape, _, _ bool) { add(host.ShapeChanged, s.Link) })
	differ(a.Classes, b.Classes, func(c host.Class) string { return fmt.Sprint(c.Link, " ", c.ID) }, func(c host.Class, _, _ bool) { add(host.ShapeChanged, c.Link) })
	differ(a.Filled, b.Filled, func(link string) string { return link }, func(link string, _, _ bool) { add(host.ShapeChanged, link) })
	differ(a.OVSPorts, b.OVSPorts, func(p host.OVSPort) string { return p.Link }, func(p host.OVSPort, _, _ bool) { add(host.OVSPortChanged, p.Link) })
	differ(a.Associations, b.Associations, host.Association.String, func(x host.Association, _, _ bool) { add(host.AssociationChanged, x.Link) })
	differ(a.Servers, b.Servers, func(s host.Server) string { return s.Name }, func(s host.Server, was, is bool) {
		if was {
			add(host.ServerEnded, s.Name)
		}
		if is {
			add(host.ServerStarted, s.Name)
		}
	})
	return changes
}

// differ calls f for what only one list has, or both have with another content.
func differ[T any](a, b []T, name func(T) string, f func(x T, was, is bool)) {
	before, after := map[string]T{}, map[string]bool{}
	for _, x := range a {
		before[name(x)] = x
	}
	for _, x := range b {
		after[name(x)] = true
		if old, was := before[name(x)]; !was || !reflect.DeepEqual(old, x) {
			f(x, was, true)
		}
	}
	for _, x := range a {
		if !after[name(x)] {
			f(x, true, false)
		}
	}
}
