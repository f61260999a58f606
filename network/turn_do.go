// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// A turning is what a record holds while its network is being changed: what is needed to go back. The record's document and plan
// are those from before, and go on to be the network's until the record of the new ones is written.
type turning struct {
	// Steps lead from the plan to the next one.
	Steps host.Plan `json:"steps"`
	// Definition is the text of the definition from before, if that is changed too.
	Definition string `json:"definition,omitempty"`
}

// do carries out a turn. The definition is saved last before the record that makes it all true.
func (m *Manager) do(ctx context.Context, t *turn) error {
	if t.record == nil {
		return m.saveDefinition(ctx, t.plan.Definition)
	}
	document, err := t.plan.Live.Format()
	if err != nil {
		return err
	}
	if err := m.beginTurn(ctx, t); err != nil {
		return err
	}
	t.release() // what follows is about this network alone
	after := *t.record
	after.Stage, after.Turning, after.Document, after.Plan = running, nil, string(document), t.next
	undone, err := m.turnTo(ctx, t, &after)
	if err != nil {
		return errors.Join(err, m.turnBack(context.WithoutCancel(ctx), t.record, undone))
	}
	// The network is what it was to become. Claims that are too wide are narrowed by the next Open, and ports whose records
	// name the bridge of before are found in the new one.
	ctx = context.WithoutCancel(ctx)
	_ = m.settleClaims(ctx, &after)
	_, tried := m.split(planOf(t.plan.Changes))
	m.try(ctx, t.name, tried)
	m.leaveOut(t.plan.Live)
	if t.moves {
		_ = m.plugAgain(ctx, &after, socketOf(t.plan.Live))
	}
	return nil
}

// turnTo does the steps, and saves what is true then. If that fails, undone says that the host is as before.
func (m *Manager) turnTo(ctx context.Context, t *turn, after *record) (undone bool, err error) {
	if err := m.mendBefore(ctx, t.record); err != nil {
		return true, err
	}
	steps := t.record.Turning.Steps
	if err := host.Apply(ctx, m.backend, steps); err != nil {
		var step *host.StepError
		return !errors.As(err, &step) || step.Undo == nil, err
	}
	if t.plan.Definition != nil {
		err = m.saveDefinition(ctx, t.plan.Definition)
	}
	if err == nil {
		err = saveJSON(ctx, m.store, runName(t.name), after)
	}
	if err == nil {
		return false, nil
	}
	return host.Revert(context.WithoutCancel(ctx), m.backend, steps) == nil, err
}

// beginTurn claims what the network will have besides what it has, and writes down what will be done.
func (m *Manager) beginTurn(ctx context.Context, t *turn) error {
	c, err := m.ledger.load(ctx, t.record.Instance)
	if err != nil {
		return err
	}
	id := t.plan.Live.UUID.String()
	if err := c.conflict(id, claimOf(t.name, t.next)); err != nil {
		return err
	}
	needed, _ := m.split(planOf(t.plan.Changes))
	r := *t.record
	r.Stage, r.Turning = updating, &turning{Steps: needed, Definition: t.was}
	c.take(id, r.claim(), t.facts)
	if err := m.ledger.save(ctx, c, func() error { return saveJSON(ctx, m.store, runName(t.name), &r) }); err != nil {
		return err
	}
	*t.record = r
	return nil
}

// mendBefore does what is missing of a network that is to be changed, so that the changes find what they change.
func (m *Manager) mendBefore(ctx context.Context, r *record) error {
	f, err := m.backend.Facts(ctx, r.Plan.Scope())
	if err != nil {
		return err
	}
	d := driftOf(r.Plan, "", f)
	if d.Lost != "" {
		return fail(fs.ErrNotExist, "network %q has lost its bridge", r.Name)
	}
	needed, _ := m.split(d.Repair)
	return m.mend(ctx, needed)
}

func (m *Manager) saveDefinition(ctx context.Context, n *Network) error {
	text, err := n.Format()
	if err != nil {
		return err
	}
	return m.store.Save(ctx, definitionName(n.Name), text)
}

// settleUpdate takes back an update that an ended program left half done. The caller holds the network's lock.
func (m *Manager) settleUpdate(ctx context.Context, name string) error {
	r, err := m.running(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || r.Stage != updating {
		return err
	}
	return m.turnBack(context.WithoutCancel(ctx), r, false)
}

// turnBack takes back a change of which any part may have been done, by what the host says, and makes the record that of a
// network that runs. If that fails the record stays, for the next who comes. Undone is that the host is known to be as before.
func (m *Manager) turnBack(ctx context.Context, r *record, undone bool) error {
	if !undone {
		if err := m.takeStepsBack(ctx, r.Turning.Steps); err != nil {
			return err
		}
	}
	if r.Turning.Definition != "" {
		if err := m.store.Save(ctx, definitionName(r.Name), []byte(r.Turning.Definition)); err != nil {
			return err
		}
	}
	before := *r
	before.Stage, before.Turning = running, nil
	if err := saveJSON(ctx, m.store, runName(r.Name), &before); err != nil {
		return err
	}
	*r = before
	if err := m.settleClaims(ctx, r); err != nil {
		return err
	}
	f, err := m.backend.Facts(ctx, r.Plan.Scope())
	if err != nil {
		return err
	}
	d := driftOf(r.Plan, "", f)
	if d.Lost != "" {
		return nil // for who looks after networks that lost their bridge
	}
	return m.mend(ctx, d.Repair)
}

// takeStepsBack takes back the steps that the host says were done, the last first.
func (m *Manager) takeStepsBack(ctx context.Context, steps host.Plan) error {
	for _, step := range slices.Backward(steps) {
		inverse := step.Op.Inverse()
		if inverse == nil {
			continue
		}
		f, err := m.backend.Facts(ctx, inverse.Scope())
		if err != nil {
			return err
		}
		if inverse.Holds(f) {
			continue
		}
		if err := m.backend.Do(ctx, inverse); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &host.StepError{Step: host.Step{Op: inverse, From: step.From}, Err: err}
		}
	}
	return nil
}

// settleClaims makes the claims of a network those of its plan, and gives back what nobody uses any more.
func (m *Manager) settleClaims(ctx context.Context, r *record) error {
	return m.ledger.change(ctx, r.Instance, func(c *claims) error {
		for id, has := range c.Networks {
			if has.Name == r.Name {
				c.Networks[id] = claimOf(r.Name, r.Plan)
			}
		}
		return m.ledger.giveBack(ctx, c)
	}, nil)
}
