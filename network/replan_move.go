// SPDX-License-Identifier: Apache-2.0

package network

import (
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// replanMoved is [Replan] for plans of networks on different bridges, of their own or of the host. Plugs are the steps of ports that plugged links into
// the old bridge and gave them a class there: they are moved to the new one, which before has all that the old one had. The
// addresses are taken from the old bridge before the new one is made, so that the way back finds nothing in its way either.
func replanMoved(was, next host.Plan, bridge string, plugs host.Plan) []Change {
	r := replan{was: was, next: next}
	var filter, gone, made, served, last []Change
	for _, step := range slices.Backward(was) {
		switch op := step.Op.(type) {
		case host.AddAddr, host.AddRoute:
			gone = append(gone, Change{Step: host.Step{Op: op.Inverse(), From: step.From}, Disruptive: "guests lose the gateway for a moment"})
		case host.SetFilter, host.Serve:
			if c, ok := r.vanishes(step); ok {
				last = append(last, c)
			}
		default:
			if inverse := op.Inverse(); inverse != nil {
				last = append(last, Change{Step: host.Step{Op: inverse, From: step.From}})
			}
		}
	}
	for _, step := range next {
		switch step.Op.(type) {
		case host.SetFilter:
			if c, ok := r.becomes(step); ok {
				filter = append(filter, c)
			}
		case host.Serve:
			if c, ok := r.becomes(step); ok {
				served = append(served, c)
			}
		case host.AddRoute:
			served = append(served, Change{Step: step}) // guests are the way there
		default:
			if step.Op.Inverse() != nil || !has(was, step.Op) {
				made = append(made, Change{Step: step})
			}
		}
	}
	var moved []Change
	for _, step := range slices.Backward(plugs) {
		moved = append(moved, Change{Step: host.Step{Op: step.Op.Inverse(), From: step.From}, Disruptive: "guests are plugged into another bridge"})
	}
	for _, step := range plugs {
		moved = append(moved, Change{Step: host.Step{Op: onBridge(step.Op, bridge), From: step.From}})
	}
	return slices.Concat(filter, gone, made, moved, served, last)
}

// plugsInto are the steps of ports that plugged links into a bridge which are still in it.
func plugsInto(bridge string, ports []*PortStatus, f *host.Facts) host.Plan {
	var plugs host.Plan
	for _, p := range ports {
		for _, step := range p.Built {
			switch op := step.Op.(type) {
			case host.Plug:
				if op.Bridge == bridge && op.Holds(f) {
					plugs = append(plugs, step)
				}
			case host.AddClass:
				if op.Link == bridge && op.Holds(f) {
					plugs = append(plugs, step)
				}
			}
		}
	}
	return plugs
}

// onBridge is the operation of a port with another bridge.
func onBridge(op host.Op, bridge string) host.Op {
	switch op := op.(type) {
	case host.Plug:
		op.Bridge = bridge
		return op
	case host.AddClass:
		op.Link = bridge
		return op
	}
	return op
}
