// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"reflect"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// A Change is a step by which a network that runs becomes another one.
type Change struct {
	host.Step
	// Disruptive says what guests may notice of it; empty is nothing: a live change.
	Disruptive string
}

// Replan is what has to be done so that a host on which the plan was stands as if next had been carried out instead, with all
// links that are plugged into the network's bridge still in it. What both plans have is not touched; what is another value of the same
// thing is one operation that replaces it. First the packet filter is replaced, then what vanishes is taken back, the last first,
// then what is new is done.
//
// Both plans are of the same network with a bridge of the same name. The same plans make the same changes.
func Replan(was, next host.Plan) []Change {
	r := replan{was: was, next: next, addrs: lostAddrs(was, next)}
	var filters, gone, made []Change
	for _, step := range slices.Backward(was) {
		if c, ok := r.vanishes(step); ok {
			gone = append(gone, c)
		}
	}
	for _, step := range next {
		c, ok := r.becomes(step)
		if !ok {
			continue
		}
		if _, filter := c.Op.(host.SetFilter); filter {
			filters = append(filters, c)
		} else {
			made = append(made, c)
		}
	}
	for i := 0; i < len(gone); {
		if _, filter := gone[i].Op.(host.SetFilter); filter {
			// Nothing may be open before it is guarded, but no filter is wanted any more.
			made = append(made, gone[i])
			gone = slices.Delete(gone, i, i+1)
			continue
		}
		i++
	}
	return slices.Concat(filters, gone, made)
}

// planOf is the plan of changes.
func planOf(changes []Change) host.Plan {
	var plan host.Plan
	for _, c := range changes {
		plan = append(plan, c.Step)
	}
	return plan
}

type replan struct {
	was, next host.Plan
	addrs     []netip.Prefix // that vanish
}

// lostAddrs are the addresses that the next plan has no more.
func lostAddrs(was, next host.Plan) []netip.Prefix {
	var lost []netip.Prefix
	for _, step := range was {
		if op, ok := step.Op.(host.AddAddr); ok && !has(next, op) {
			lost = append(lost, op.Prefix)
		}
	}
	return lost
}

// has reports whether a plan has an operation.
func has(p host.Plan, op host.Op) bool {
	return slices.ContainsFunc(p, func(s host.Step) bool { return reflect.DeepEqual(s.Op, op) })
}

// same finds the step of a plan that is about the same thing.
func same(p host.Plan, op host.Op) (host.Op, bool) {
	key := thing(op)
	for _, step := range p {
		if thing(step.Op) == key {
			return step.Op, true
		}
	}
	return nil, false
}

// thing is what an operation is about, of which a plan has one: two that differ in other ways are two values of it.
func thing(op host.Op) any {
	type bridge struct{}
	type filter struct{ network string }
	type zone struct{ link string }
	type server struct{ name string }
	type sysctl struct{ key string }
	type shape struct{ link string }
	type plug struct{ link string }
	type device struct{ link string }
	type guestDevice struct{ link, namespace string }
	type receive struct{ link string }
	type ovsPort struct{ link string }
	type function struct{ place host.PCI }
	type driver struct{ place host.PCI }
	type class struct {
		link string
		id   uint16
	}
	switch op := op.(type) {
	case host.AddBridge:
		return bridge{}
	case host.SetFilter:
		return filter{op.Network}
	case host.SetZone:
		return zone{op.Link}
	case host.Serve:
		return server{op.Server.Name}
	case host.SetSysctl:
		return sysctl{op.Key}
	case host.SetShape:
		return shape{op.Link}
	case host.Plug:
		return plug{op.Link}
	case host.AddClass:
		return class{op.Link, op.ID}
	case host.AddOVSPort:
		return ovsPort{op.Link}
	case host.AddTap:
		return device{op.Link}
	case host.AddVeth:
		return device{op.Link}
	case host.AddMacvtap:
		return device{op.Link}
	case host.AddMacvlan:
		return guestDevice{op.Link, op.Namespace}
	case host.SetReceive:
		return receive{op.Link}
	case host.SetFunction:
		return function{op.PCI}
	case host.SetDriver:
		return driver{op.PCI}
	}
	return op // an address, a route, a family to forward: comparable, and itself
}

// vanishes is how a step is taken back, if the next plan has nothing of the kind.
func (r *replan) vanishes(step host.Step) (Change, bool) {
	if route, ok := step.Op.(host.AddRoute); ok && r.loses(route) {
		return Change{Step: host.Step{Op: route.Inverse(), From: step.From}, Disruptive: "the way to " + route.Dest.String() + " is lost for a moment"}, true
	}
	if _, stays := same(r.next, step.Op); stays {
		return Change{}, false
	}
	inverse := step.Op.Inverse()
	if inverse == nil {
		return Change{}, false // shared: given back with the claims
	}
	c := Change{Step: host.Step{Op: inverse, From: step.From}}
	switch op := step.Op.(type) {
	case host.AddAddr:
		c.Disruptive = "guests lose the gateway " + op.Prefix.Addr().String()
	case host.AddRoute:
		c.Disruptive = "the way to " + op.Dest.String() + " is lost"
	case host.SetFilter:
		c.Disruptive = "nothing is kept from guests, and nothing translated, any more"
	case host.SetZone:
		c.Disruptive = zoneChange
	case host.SetUp, host.AddBridge:
		c.Disruptive = "guests are cut off"
	}
	return c, true
}

// loses reports whether a route ends with an address that vanishes: the kernel then takes it along.
func (r *replan) loses(route host.AddRoute) bool {
	return slices.ContainsFunc(r.addrs, func(p netip.Prefix) bool { return p.Masked().Contains(route.Gateway) })
}

// becomes is how a step of the next plan is reached, if anything has to be done for it.
func (r *replan) becomes(step host.Step) (Change, bool) {
	c := Change{Step: step}
	old, ok := same(r.was, step.Op)
	if !ok {
		return c, true
	}
	switch op := step.Op.(type) {
	case host.AddBridge:
		was := old.(host.AddBridge) //nolint:forcetypeassert // the same thing
		c.Op = host.SetBridge{Bridge: op, Was: was}
		c.Disruptive = bridgeChange(op, was)
		return c, op != was
	case host.SetFilter:
		was := old.(host.SetFilter).Filter //nolint:forcetypeassert // as above
		c.Op = host.SetFilter{Network: op.Network, Filter: op.Filter, Was: was}
		c.Disruptive = filterChange(op.Filter, was)
		return c, !op.Filter.Equal(was)
	case host.SetZone:
		was := old.(host.SetZone).Zone //nolint:forcetypeassert // as above
		c.Op = host.SetZone{Link: op.Link, Zone: op.Zone, Was: was, Optional: op.Optional}
		c.Disruptive = zoneChange
		return c, op.Zone != was
	case host.Serve:
		was := old.(host.Serve).Server //nolint:forcetypeassert // as above
		c.Op = host.SetServer{Server: op.Server, Was: was}
		return c, !op.Holds(&host.Facts{Servers: []host.Server{was}})
	case host.SetSysctl:
		was := old.(host.SetSysctl).Value //nolint:forcetypeassert // as above
		c.Op = host.SetSysctl{Key: op.Key, Value: op.Value, Was: was}
		return c, op.Value != was
	case host.SetShape:
		was := old.(host.SetShape).Shape //nolint:forcetypeassert // as above
		c.Op = host.SetShape{Link: op.Link, Shape: op.Shape, Was: was}
		return c, !op.Shape.Equal(was)
	case host.Plug:
		was := old.(host.Plug) //nolint:forcetypeassert // as above
		c.Op = host.SetPlug{Plug: op, Was: was}
		return c, op != was
	case host.SetReceive:
		was := old.(host.SetReceive).Receive //nolint:forcetypeassert // as above
		c.Op = host.SetReceive{Link: op.Link, Receive: op.Receive, Was: was}
		return c, !op.Receive.Equal(was)
	case host.AddClass:
		was := old.(host.AddClass) //nolint:forcetypeassert // as above
		c.Op = host.SetClass{Class: host.Class(op), Was: host.Class(was)}
		return c, op != was
	case host.AddOVSPort:
		is, was := host.OVSPort(op), host.OVSPort(old.(host.AddOVSPort)) //nolint:forcetypeassert // as above
		c.Op = host.SetOVSPort{Port: is, Was: was}
		return c, !is.Equal(was)
	case host.SetFunction:
		was := old.(host.SetFunction) //nolint:forcetypeassert // as above
		next := op
		next.VF, next.Was, next.Restart = op.Next(was.Was), was.VF, host.Driver{}
		c.Op = next
		return c, next.VF != next.Was
	case host.AddTap, host.AddVeth, host.AddMacvtap, host.AddMacvlan, host.SetDriver:
		return c, !reflect.DeepEqual(op, old)
	case host.AddRoute:
		return c, r.loses(op)
	}
	return c, false
}

const zoneChange = "other rules of firewalld apply to guests"

// bridgeChange says what guests notice of a bridge with other settings.
func bridgeChange(b, was host.AddBridge) string {
	switch {
	case b.MAC != was.MAC:
		return "the hardware address of the gateway changes"
	case b.MTU != was.MTU:
		return "the size of packets changes"
	case b.STP != was.STP:
		return "ports may stop for the forward delay"
	}
	return "the time in which ports learn changes"
}

// filterChange says what guests notice of another filter: nothing if all subnets have a way to the outside as before, by
// whatever links it leads.
func filterChange(f, was host.Filter) string {
	if f.Guarded && (!was.Guarded || slices.ContainsFunc(was.Open, func(s host.Service) bool { return !slices.Contains(f.Open, s) })) {
		return "guests reach less of the host"
	}
	if f.Link == was.Link && keeps(f.Link, f.From, was.From) && keeps(f.Link, f.To, was.To) && keeps(f.Link, f.NAT, was.NAT) {
		return ""
	}
	return "connections to the outside may end"
}

// keeps reports whether a list of rules has all that were in the old one, but for the links besides the bridge, and for the
// rules on port forwards: one that is taken away is meant to be.
func keeps(bridge string, rules, was []host.Rule) bool {
	anyLink := func(r host.Rule) host.Rule {
		if r.In != bridge {
			r.In = ""
		}
		if r.Out != bridge {
			r.Out = ""
		}
		return r
	}
	now := map[host.Rule]bool{}
	for _, r := range rules {
		now[anyLink(r)] = true
	}
	return !slices.ContainsFunc(was, func(r host.Rule) bool { return !r.Forwarded && !now[anyLink(r)] })
}
