// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// ErrDisruptive is for an update that guests would notice, and that was not said to be allowed to.
var ErrDisruptive = errors.New("the update is disruptive")

// An UpdateRequest says how a network is to be changed.
type UpdateRequest struct {
	// Updates are done one after the other, all of them or none.
	Updates []Update
	// Document, if it is not nil, is what the whole network is to become first. What it leaves open of uuid, bridge name and hardware
	// address stays what it is. It stays the caller's.
	Document *Network
	// Metadata, if it is not nil, is what becomes of title, description and metadata.
	Metadata *MetadataChange
	// Live changes the network as it runs, Config what it is started with next. Both change both, in one go; neither is
	// Live if the network runs, else Config.
	Live, Config bool
	// Disruptive allows what guests may notice: see [Change]. Otherwise such an update is refused, with [ErrDisruptive].
	Disruptive bool
	// rules are those of the manager.
	rules schema.Rules
}

// An UpdatePlan is what an update will do.
type UpdatePlan struct {
	// Live is what the network will run with, and Definition what it will be started with; nil for what is not changed.
	Live, Definition *Network
	// Changes is what will be done on the host, in this order.
	Changes []Change
}

// Disruptive is what guests may notice, one reason for each change that has one; empty for a live update.
func (p *UpdatePlan) Disruptive() []string {
	var reasons []string
	for _, c := range p.Changes {
		if c.Disruptive != "" {
			reasons = append(reasons, fmt.Sprintf("%s: %s", c.From, c.Disruptive))
		}
	}
	return reasons
}

// Plan is the changes as a plan.
func (p *UpdatePlan) Plan() host.Plan { return planOf(p.Changes) }

// String is the changes, one a line; what is disruptive is marked with what guests notice.
func (p *UpdatePlan) String() string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "%s  # %s", c.Op, c.From)
		if c.Disruptive != "" {
			fmt.Fprintf(&b, " (disruptive: %s)", c.Disruptive)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Update changes a network: virsh net-update, and what that cannot do live. Only what differs is touched: see [Replan]. All is done or
// nothing: a program that is killed at any moment leaves a network that the next [Open] finds as it was, or as it was to become,
// with its definition. Ports stay plugged in.
//
// An unknown network wraps fs.ErrNotExist, as does Config for one that is not defined; Live for one that does not run is
// [ErrInactive]; what guests would notice is [ErrDisruptive] unless the request allows it; what would cost ports their plug wraps
// errors.ErrUnsupported. Other errors are those of [Network.UpdatedAs] and [Manager.Start]. The rules are those of the manager.
func (m *Manager) Update(ctx context.Context, name string, req UpdateRequest) (*UpdatePlan, error) {
	req.rules = m.config.Rules
	return m.change(ctx, name, req, req.updated)
}

// PlanUpdate is what [Manager.Update] would do now. It changes nothing, and tells of disruptive changes whether they are allowed
// or not.
func (m *Manager) PlanUpdate(ctx context.Context, name string, req UpdateRequest) (*UpdatePlan, error) {
	req.Disruptive, req.rules = true, m.config.Rules
	release, err := m.lockNetwork(ctx, name)
	if err != nil {
		return nil, err
	}
	defer release()
	t, err := m.turn(ctx, name, req, req.updated)
	if err != nil {
		return nil, err
	}
	defer t.release()
	return &t.plan, nil
}

// updated is what a document becomes by the request.
func (req UpdateRequest) updated(n *Network) (*Network, error) {
	if d := req.Document; d != nil {
		d = d.Clone()
		if err := d.adopt(n); err != nil {
			return nil, err
		}
		if err := d.ValidateAs(req.rules); err != nil {
			return nil, err
		}
		d.Source = schema.Source{}
		n = d
	}
	if req.Metadata != nil {
		var err error
		if n, err = n.WithMetadata(*req.Metadata); err != nil {
			return nil, err
		}
	}
	updated, err := n.UpdatedAs(req.rules, req.Updates...)
	if err != nil {
		return nil, err
	}
	return updated, updated.adopt(n)
}

// adopt fills in what n leaves open of what the network has already.
func (n *Network) adopt(from *Network) error {
	if n.Name != from.Name {
		return fail(fs.ErrInvalid, "/network/name: the network is %q, not %q", from.Name, n.Name)
	}
	if n.UUID.IsZero() {
		n.UUID = from.UUID
	}
	if n.UUID != from.UUID {
		return fail(fs.ErrExist, "/network/uuid: network %q has the uuid %s", n.Name, from.UUID)
	}
	if !n.Managed() || !from.Managed() {
		return nil
	}
	if from.Bridge != nil && (n.Bridge == nil || n.Bridge.Name == "") {
		if n.Bridge == nil {
			n.Bridge = new(Bridge)
		}
		n.Bridge.Name = from.Bridge.Name
	}
	if n.MAC == nil || n.MAC.Address.IsZero() {
		n.MAC = from.MAC.clone()
	}
	return nil
}

// change does an update under the lock of the network.
func (m *Manager) change(ctx context.Context, name string, req UpdateRequest, edit func(*Network) (*Network, error)) (*UpdatePlan, error) {
	release, err := m.lockNetwork(ctx, name)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := m.settleUpdate(ctx, name); err != nil {
		return nil, err
	}
	t, err := m.turn(ctx, name, req, edit)
	if err != nil {
		return nil, err
	}
	defer t.release()
	if reasons := t.plan.Disruptive(); len(reasons) > 0 && !req.Disruptive {
		return nil, fail(ErrDisruptive, "%s (a request can allow it with Disruptive)", strings.Join(reasons, "; "))
	}
	if err := m.do(ctx, t); err != nil {
		return nil, err
	}
	m.emit(Event{Kind: EventUpdated, Network: name})
	return &t.plan, nil
}
