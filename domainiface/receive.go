// SPDX-License-Identifier: Apache-2.0

package domainiface

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Reception is what a guest wants its network card to take, as a hypervisor is told it: that of QEMU's query-rx-filter,
// which it announces by the event NIC_RX_FILTER_CHANGED.
type Reception struct {
	// MAC is the address of the card. The zero MAC is that of the interface.
	MAC schema.MAC
	// Promiscuous takes everything. It is needed as well for a guest that puts itself into VLANs, and for one with further
	// addresses on a device of the host that it has for itself: in mode passthrough that takes everything until the guest has
	// said what it wants.
	Promiscuous bool
	// AllMulticast takes what is for any group: for "all", and where the table of groups overflowed.
	AllMulticast bool
	// Groups are those that the guest is in. More than [host.MaxGroups] count as AllMulticast.
	Groups []schema.MAC
}

// Receive has the guest's device take what the guest wants of it, in place of what it wanted before. That is for a guest
// on a device of the host whose <interface> (or network, or port group) says trustGuestRxFilters='yes'; any other wraps
// fs.ErrPermission, for it decides whose frames the guest gets. A port of another kind, whose switch learns where the
// guest is, wraps errors.ErrUnsupported. An address that another guest has wraps fs.ErrExist.
//
// It is recorded with the port, kept by updates of it and mended when it is lost.
func (p *Port) Receive(ctx context.Context, r Reception) error {
	made, ok := p.macvtap()
	if !ok {
		return unsupported("/interface/@trustGuestRxFilters", "a port that needs no telling what its guest takes")
	}
	if !trusted(p.Document) {
		return fmt.Errorf("/interface/@trustGuestRxFilters: the guest decides not what its device takes: %w", fs.ErrPermission)
	}
	if p.Interface == nil {
		return fmt.Errorf("port %s was not attached from an interface: %w", p.ID, errors.ErrUnsupported)
	}
	next := *p
	next.Built = withReceive(p.Built, r.receive(made), ownReceive(made))
	if err := next.change(ctx, p.Interface); err != nil {
		return err
	}
	*p = next
	return nil
}

// trusted reports whether the guest of a port decides what its device takes.
func trusted(p *network.Port) bool { return p.RxFilters != nil && p.RxFilters.TrustGuest == schema.Yes }

// receive is what the device of the port is to take.
func (r Reception) receive(made host.AddMacvtap) host.Receive {
	own := ownReceive(made)
	if !r.MAC.IsZero() {
		own.MAC = host.MAC(r.MAC)
	}
	own.Promiscuous, own.AllMulticast = r.Promiscuous, r.AllMulticast
	for _, g := range r.Groups {
		own.Groups = append(own.Groups, host.MAC(g))
	}
	slices.SortFunc(own.Groups, func(a, b host.MAC) int { return slices.Compare(a[:], b[:]) })
	if own.Groups = slices.Compact(own.Groups); len(own.Groups) > host.MaxGroups {
		own.AllMulticast, own.Groups = true, nil
	}
	return own
}

// ownReceive is what a device takes whose guest has not asked for anything: in mode passthru all that there is.
func ownReceive(made host.AddMacvtap) host.Receive {
	return host.Receive{Link: made.Link, MAC: made.MAC, Promiscuous: made.Mode == host.Passthru}
}

// withReceive is a plan of a port whose device takes r. What it takes by itself is no step.
func withReceive(plan host.Plan, r, own host.Receive) host.Plan {
	next := slices.DeleteFunc(slices.Clone(plan), func(s host.Step) bool { _, ok := s.Op.(host.SetReceive); return ok })
	if r.Equal(own) {
		return next
	}
	return append(next, host.Step{From: "/interface/@trustGuestRxFilters", Op: host.SetReceive{Link: r.Link, Receive: r, Was: own}})
}

// keepReceive plans that the device of a port takes what it takes by an earlier plan, if its guest is still trusted.
func keepReceive(next, built host.Plan, doc *network.Port) host.Plan {
	if !trusted(doc) {
		return next
	}
	for _, step := range built {
		if op, ok := step.Op.(host.SetReceive); ok {
			return withReceive(next, op.Receive, op.Was)
		}
	}
	return next
}
