// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A turn is one network on the way from one document to another. Who has it has the lock of the network and, until release, of
// what is changed besides.
type turn struct {
	name   string
	record *record // of the network that runs; nil if only the definition changes
	plan   UpdatePlan
	next   host.Plan // what then stands
	facts  *host.Facts
	moves  bool     // the ports are plugged into another bridge
	was    string   // the definition, if that changes
	locks  []func() // of what networks share
}

func (t *turn) release() {
	for _, release := range slices.Backward(t.locks) {
		release()
	}
	t.locks = nil
}

// turn plans a change. The caller has the lock of the network.
func (m *Manager) turn(ctx context.Context, name string, req UpdateRequest, edit func(*Network) (*Network, error)) (*turn, error) {
	t := &turn{name: name}
	done := false
	defer func() {
		if !done {
			t.release()
		}
	}()
	release, err := m.store.Lock(ctx, "host")
	if err != nil {
		return nil, err
	}
	t.locks = append(t.locks, release)
	r, err := m.running(ctx, name)
	runs := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if !runs {
		if _, err := m.definition(ctx, name); err != nil {
			return nil, err
		}
	}
	live, config := req.Live, req.Config
	if !live && !config {
		live, config = runs, !runs
	}
	if live && !runs {
		return nil, fail(ErrInactive, "network %q is not active", name)
	}
	if config {
		if err := m.turnDefinition(ctx, t, edit); err != nil {
			return nil, err
		}
	}
	if live {
		t.record = r
		if err := m.turnLive(ctx, t, req, edit); err != nil {
			return nil, err
		}
	}
	done = true
	return t, nil
}

// turnDefinition finds what the definition becomes.
func (m *Manager) turnDefinition(ctx context.Context, t *turn, edit func(*Network) (*Network, error)) error {
	n, err := m.definition(ctx, t.name)
	if err != nil {
		return err
	}
	text, err := m.store.Load(ctx, definitionName(t.name))
	if err != nil {
		return err
	}
	t.was = string(text)
	if n, err = edit(n); err != nil {
		return err
	}
	if n, err = m.complete(ctx, n); err != nil {
		return err
	}
	t.plan.Definition = n
	return m.checkBridge(ctx, n)
}

// turnLive finds what the network that runs becomes, and how. Ports are only looked at by a change that could touch them: any other is the
// same with one as with a thousand.
func (m *Manager) turnLive(ctx context.Context, t *turn, req UpdateRequest, edit func(*Network) (*Network, error)) error {
	was, err := t.record.live()
	if err != nil {
		return err
	}
	was.Source = schema.Source{}
	var ports []*PortStatus
	if was.countsUsers() {
		if ports, err = m.pluggedPorts(ctx, t.name); err != nil {
			return err
		}
	}
	n, err := m.becomes(ctx, t, was.counted(ports), edit)
	if err != nil {
		return err
	}
	t.plan.Live = n
	from, to := socketOf(was), socketOf(n)
	stay := from == to && was.Mode() == n.Mode()
	if !stay && ports == nil {
		if ports, err = m.pluggedPorts(ctx, t.name); err != nil {
			return err
		}
	}
	if err := firstOf(checkKind(was, n, ports), checkUsed(was.counted(ports), n, req.rules)); err != nil {
		return err
	}
	if err := m.checkBridge(ctx, n); err != nil {
		return err
	}
	scope := PlanScope(n).And(t.record.Plan.Scope())
	if !stay {
		for _, p := range ports {
			scope = scope.And(p.Built.Scope())
		}
	}
	if t.facts, err = m.backend.Facts(ctx, scope); err != nil {
		return err
	}
	if t.next, err = PlanAs(m.config.Rules, n, without(t.facts, t.record.Plan), nil); err != nil {
		return err
	}
	if from != to && from.bridge != "" && to.bridge != "" {
		t.moves = true
		t.plan.Changes = replanMoved(t.record.Plan, t.next, to.bridge, plugsInto(from.bridge, ports, t.facts))
	} else {
		t.plan.Changes = Replan(t.record.Plan, t.next)
	}
	if err := m.keepInPlan(ctx, t.plan.Changes); err != nil {
		return err
	}
	return planOf(t.plan.Changes).Check()
}

// becomes is the complete document that an edit makes of that of a network that runs.
func (m *Manager) becomes(ctx context.Context, t *turn, was *Network, edit func(*Network) (*Network, error)) (*Network, error) {
	n, err := edit(was)
	if err != nil {
		return nil, err
	}
	n.uncount()
	if d := t.plan.Definition; d != nil && n.UUID == d.UUID {
		if err := n.adopt(d); err != nil { // what is chosen now is chosen once
			return nil, err
		}
	}
	return m.complete(ctx, n)
}

// keepInPlan notes the leases of a server that ends, so that it has them again if it is taken back.
func (m *Manager) keepInPlan(ctx context.Context, changes []Change) error {
	reader, ok := m.backend.(host.LeaseReader)
	for i := range changes {
		end, ends := changes[i].Op.(host.Unserve)
		if !ends || !ok {
			continue
		}
		leases, err := reader.Leases(ctx, end.Server.Name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		end.Leases = leases
		changes[i].Op = end
	}
	return nil
}

// without is the facts but for what the plan of a network has done on its bridge.
func without(f *host.Facts, plan host.Plan) *host.Facts {
	g := withoutLink(f, claimOf("", plan).Link)
	g.Shapes = slices.DeleteFunc(g.Shapes, func(s host.Shape) bool { return has(plan, host.SetShape{Link: s.Link, Shape: s}) })
	g.Zones.Links = zonesBefore(f.Zones.Links, plan)
	return g
}

// zonesBefore is where links were before a plan put them into zones.
func zonesBefore(links []host.ZonedLink, plan host.Plan) []host.ZonedLink {
	links = slices.Clone(links)
	for _, step := range plan {
		if zone, ok := step.Op.(host.SetZone); ok {
			if i := slices.Index(links, host.ZonedLink{Link: zone.Link, Zone: zone.Zone}); i >= 0 {
				links[i].Zone = zone.Was
			}
		}
	}
	return links
}

// withoutLink is the facts but for a link and what is on it.
func withoutLink(f *host.Facts, link string) *host.Facts {
	g := *f
	g.Shapes = slices.DeleteFunc(slices.Clone(f.Shapes), func(s host.Shape) bool { return s.Link == link })
	g.Links = slices.DeleteFunc(slices.Clone(f.Links), func(l host.Link) bool { return l.Name == link })
	g.Addrs = slices.DeleteFunc(slices.Clone(f.Addrs), func(a host.Addr) bool { return a.Link == link })
	g.Routes = slices.DeleteFunc(slices.Clone(f.Routes), func(r host.Route) bool { return r.Link == link })
	g.Zones.Links = slices.DeleteFunc(slices.Clone(f.Zones.Links), func(l host.ZonedLink) bool { return l.Link == link })
	return &g
}

// checkKind refuses to make another kind of network of one with ports that cannot be plugged into what that has: devices of
// their own, or a bridge that guarantees nothing or takes profiles.
func checkKind(was, n *Network, ports []*PortStatus) error {
	if len(ports) == 0 {
		return nil
	}
	from, to := socketOf(was), socketOf(n)
	switch {
	case from.kind == to.kind && from.kind != 0 && !n.HostBridge() || from == to && was.Mode() == n.Mode():
		return nil
	case from.kind == 0 || to.kind == 0:
		return fail(errors.ErrUnsupported, "/network/forward/@mode: %d ports are plugged into a network of mode %s, and cannot be moved to one of mode %s", len(ports), was.Mode(), n.Mode())
	case was.VirtualPort != nil || n.VirtualPort != nil:
		return fail(errors.ErrUnsupported, "/network/virtualport: %d ports are plugged into %s, and cannot be moved to another switch", len(ports), from.bridge)
	}
	for _, p := range ports {
		if n.HostBridge() && p.Port.floor() > 0 {
			return fail(errors.ErrUnsupported, "/network/forward/@mode: port %s has a floor, which only networks with a bridge of their own can guarantee", p.Port.UUID)
		}
	}
	return nil
}

// checkUsed refuses to take a device away that ports use.
func checkUsed(was, n *Network, rules schema.Rules) error {
	if was.Forward == nil || n.Forward != nil && n.Forward.PF != nil || schema.NewCheck("", rules).Skips(UpdateInUse) {
		return nil
	}
	for _, i := range was.Forward.Interfaces {
		if i.Connections.Uint() == 0 || n.Forward != nil && (n.Forward.Dev == i.Dev.String() ||
			slices.ContainsFunc(n.Forward.Interfaces, func(o Interface) bool { return o.Dev == i.Dev })) {
			continue
		}
		return fail(fs.ErrExist, "/network/forward/interface: %s is used by %s ports", i.Dev, i.Connections)
	}
	return nil
}

func bridgeOf(n *Network) string {
	if n.Bridge == nil {
		return ""
	}
	return n.Bridge.Name
}

// pluggedPorts are the ports of a network.
func (m *Manager) pluggedPorts(ctx context.Context, name string) ([]*PortStatus, error) {
	var ports []*PortStatus
	for s, err := range m.Ports(ctx, name) {
		if err != nil {
			return nil, err
		}
		ports = append(ports, s)
	}
	return ports, nil
}

// countsUsers reports whether a network has devices that it hands out, and of which it has to be known who uses them.
func (n *Network) countsUsers() bool { return n.Forward != nil && len(n.Forward.Interfaces) > 0 }

// counted is n with the number of ports at each device.
func (n *Network) counted(ports []*PortStatus) *Network {
	n = n.Clone()
	if n.Forward == nil {
		return n
	}
	users := map[string]uint64{}
	for _, p := range ports {
		if plug := p.Port.Plug; plug != nil && plug.Dev.Given() {
			users[plug.Dev.String()]++
		}
	}
	for i := range n.Forward.Interfaces {
		if used := users[n.Forward.Interfaces[i].Dev.String()]; used > 0 {
			n.Forward.Interfaces[i].Connections = schema.Num(used)
		}
	}
	return n
}

// uncount takes the numbers away again.
func (n *Network) uncount() {
	n.Connections = schema.Number{}
	if n.Forward != nil {
		for i := range n.Forward.Interfaces {
			n.Forward.Interfaces[i].Connections = schema.Number{}
		}
	}
}
