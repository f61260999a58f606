// SPDX-License-Identifier: Apache-2.0

package network

import (
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// replanMoved is [Replan] for plans whose bridges have different names. Plugs are the steps by which links were plugged into
// the old bridge: they are moved to the new one, which has all that the old one had before it gets them. What the old bridge had is taken back
// before the new one is made, so that the way back finds nothing in its way either.
func replanMoved(was, next host.Plan, plugs host.Plan) []Change {
	r := replan{was: was, next: next}
	bridge := claimOf("", next).Link
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
	for _, step := range plugs {
		plug := step.Op.(host.Plug) //nolint:forcetypeassert // all are
		into := plug
		into.Bridge = bridge
		moved = append(moved,
			Change{Step: host.Step{Op: plug.Inverse(), From: step.From}, Disruptive: "the guest is plugged into another bridge"},
			Change{Step: host.Step{Op: into, From: step.From}})
	}
	return slices.Concat(filter, gone, made, moved, served, last)
}

// plugsInto are the steps of ports that plugged links into a bridge which are still in it.
func plugsInto(bridge string, ports []*PortStatus, f *host.Facts) host.Plan {
	var plugs host.Plan
	for _, p := range ports {
		for _, step := range p.Built {
			plug, ok := step.Op.(host.Plug)
			if !ok || plug.Bridge != bridge {
				continue
			}
			if l := f.Link(plug.Link); l != nil && l.Master == bridge {
				plugs = append(plugs, step)
			}
		}
	}
	return plugs
}
