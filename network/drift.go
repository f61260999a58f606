// SPDX-License-Identifier: Apache-2.0

package network

import (
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Drift is a network that runs, or a port that should be plugged in, of which not everything on the host is as it was
// built. It belongs to the caller.
type Drift struct {
	// Network is the name of the network; empty for a port of none.
	Network string `json:"network,omitempty"`
	// Port is zero for a network.
	Port schema.UUID `json:"port,omitzero"`
	// Link is the device of the port; empty for a network, and for a port without one.
	Link string `json:"link,omitempty"`
	// Lost is the device that was made for it and is gone; empty if there is none.
	Lost string `json:"lost,omitempty"`
	// Missing is what does not hold any more of what was built, all of it.
	Missing host.Plan `json:"missing"`
	// Repair is what [Manager.Repair] does about it.
	Repair host.Plan `json:"repair,omitempty"`
	// Left is the part of Missing that it leaves as it is: the device of a port that is gone, for its guest is gone with
	// it; a bridge in whose place another program has put a link of that name, with what would be done to it; and a device whose
	// mark was changed.
	Left host.Plan `json:"left,omitempty"`
}

// String is the drift in one line; the steps are counted.
func (d *Drift) String() string {
	e := Event{Kind: EventDriftFound, Network: d.Network, Port: d.Port, Link: d.Link, Plan: d.Missing}
	if d.Lost != "" {
		e.Kind, e.Link = EventDeviceLost, d.Lost
	}
	return e.String()
}

// driftOf compares a plan that was carried out with the host. What is missing is done again, and what has another value
// than it should gets the right one: no device is made a second time. Only a bridge that is gone is, with everything on it.
// Others is a link that is somebody else's by now, if there is one.
func driftOf(plan host.Plan, others string, f *host.Facts) Drift {
	d := Drift{Missing: plan.Missing(f), Lost: plan.Lost(f)}
	if d.Lost != "" && (f.Link(d.Lost) != nil || !slices.Contains(bridgesOf(plan), d.Lost)) {
		d.Left = d.Missing
		return d
	}
	for _, step := range plan {
		if step.Op.Holds(f) {
			if serve, ok := step.Op.(host.Serve); ok && d.Lost != "" {
				// It holds on to the bridge that is gone.
				again := host.SetServer{Server: serve.Server, Was: serve.Server}
				d.Repair = append(d.Repair, host.Step{From: step.From, Op: again})
			}
			continue
		}
		op := mendOf(step.Op, d.Lost, f)
		if op != nil && op.Check() == nil && (others == "" || !touches(op, others)) {
			d.Repair = append(d.Repair, host.Step{From: step.From, Op: op})
		} else {
			d.Left = append(d.Left, step)
		}
	}
	return d
}

// touches reports whether an operation is about a link, among others.
func touches(op host.Op, link string) bool {
	scope := op.Scope()
	return slices.Contains(scope.Links, link) || slices.Contains(scope.Shapes, link) || slices.Contains(scope.Filled, link)
}

// bridgesOf are the bridges that a plan makes.
func bridgesOf(p host.Plan) []string {
	var names []string
	for _, step := range p {
		if bridge, ok := step.Op.(host.AddBridge); ok {
			names = append(names, bridge.Link)
		}
	}
	return names
}

// mendOf is what makes an operation hold again that does not. It is nil if there is nothing.
func mendOf(op host.Op, lost string, f *host.Facts) host.Op {
	switch op := op.(type) {
	case host.AddBridge:
		if op.Link == lost {
			return op
		}
		return mendBridge(op, f)
	case host.AddTap:
		return mendMTU(op.Link, op.Owner, op.MTU, f)
	case host.AddVeth:
		return mendMTU(op.Link, op.Owner, op.MTU, f)
	case host.AddMacvlan:
		return nil // it is its guest's
	case host.AddMacvtap:
		if below := f.Link(op.Lower); below == nil || below.MTU < op.MTU {
			return nil // it cannot be larger
		}
		return mendMTU(op.Link, op.Owner, op.MTU, f)
	case host.Plug:
		if was, ok := host.PlugOf(f, op.Link, op.Station); ok {
			return host.SetPlug{Plug: op, Was: was}
		}
	case host.SetReceive:
		is, ok := f.Receive(op.Link)
		if !ok {
			return nil
		}
		op.Was = is
		return op
	case host.SetFilter:
		if slices.ContainsFunc(f.Filters, func(left host.Filter) bool { return left.Network == op.Network }) {
			op.Was = op.Filter // something is left, and replaced
		}
		return op
	case host.SetZone:
		if !f.Zones.Has(op.Zone) {
			return nil // nobody can
		}
		op.Was = f.Zones.Of(op.Link)
		return op
	case host.Register:
		if !f.Resolver.Running {
			return nil // nobody can be told
		}
	case host.SetSysctl:
		if is, ok := f.Sysctl(op.Key); ok {
			op.Was = is
		}
		return op
	case host.SetShape:
		if is := f.Shape(op.Link); !is.IsZero() {
			op.Was = op.Shape // damaged
			if is.Other == "" {
				op.Was = is
			}
		}
		return op
	case host.AddClass:
		if is := f.Class(op.Link, op.ID); is.ID != 0 {
			if is.MAC.IsZero() {
				is = host.Class(op)
			}
			return host.SetClass{Class: host.Class(op), Was: is}
		}
	case host.AddOVSPort:
		if is := f.OVSPort(op.Link); is != nil {
			return mendOVSPort(host.OVSPort(op), *is)
		}
	case host.SetFunction:
		if fn := f.Function(op.PCI); fn != nil {
			op.VF, op.Was = op.Next(fn.VF), fn.VF
		}
		op.Restart = host.Driver{} // its guest stands on the device
		return op
	case host.Serve:
		if is := f.Server(op.Server.Name); is != nil {
			return host.SetServer{Server: op.Server, Was: *is}
		}
	}
	return op
}

// mendBridge is what gives a bridge that is there its settings back.
func mendBridge(op host.AddBridge, f *host.Facts) host.Op {
	l := f.Link(op.Link)
	if l == nil || l.Owner != op.Owner {
		return nil
	}
	was := op
	was.STP, was.ForwardDelay, was.VLANFiltering = l.STP, l.ForwardDelay, l.VLANFiltering
	if op.MTU != 0 {
		was.MTU = l.MTU
	}
	return host.SetBridge{Bridge: op, Was: was}
}

// mendOVSPort is what gives a port of Open vSwitch its properties back, unless it is somebody else's by now.
func mendOVSPort(p, is host.OVSPort) host.Op {
	if is.Owner != p.Owner {
		return nil
	}
	op := host.SetOVSPort{Port: p, Was: is}
	if op.Check() != nil {
		op.Was = p // damaged
	}
	return op
}

// mendMTU is what gives the device of a guest that is there its size back.
func mendMTU(link, owner string, mtu int, f *host.Facts) host.Op {
	l := f.Link(link)
	if l == nil || l.Owner != owner || mtu == 0 || l.MTU == mtu {
		return nil
	}
	return host.SetMTU{Link: link, MTU: mtu, Was: l.MTU}
}
