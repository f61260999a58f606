// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// ChangePort makes a port that stands into what another request asks for, with the same uuid and the same device of the
// guest: virsh net-port-update, and what changes on the guest's device. What the port had counts as given back: it may keep
// its device and needs no second floor. Only what differs is touched on the host. All of it is done or nothing.
//
// The request may name another network, or none; its Link is not looked at. What cannot be changed while the device stands
// wraps errors.ErrUnsupported, an unknown port fs.ErrNotExist; other errors are those of [Manager.CreatePort].
func (m *Manager) ChangePort(ctx context.Context, network string, id schema.UUID, req PortRequest) (*PortStatus, error) {
	p := req.Port.Clone()
	p.UUID = id
	if err := p.ValidateAs(m.config.Rules); err != nil {
		return nil, err
	}
	// In this order: who starts the network takes the locks of its ports while it has that of the network.
	live, releaseNetwork, err := m.lockLive(ctx, req.Network)
	if err != nil {
		return nil, err
	}
	defer releaseNetwork()
	release, err := m.store.Lock(ctx, portLock(id))
	if err != nil {
		return nil, err
	}
	defer release()
	old, err := m.portRecord(ctx, network, id)
	if err != nil {
		return nil, err
	}
	if old.Stage != running {
		return nil, fail(fs.ErrNotExist, "network %q has no port %s, it is %s", network, id, old.Stage)
	}
	r, changes, err := m.claimChange(ctx, live, old, req, p)
	if err != nil {
		return nil, err
	}
	if err := host.Apply(ctx, m.backend, changes); err != nil {
		return nil, errors.Join(err, m.afterChangeFailure(context.WithoutCancel(ctx), r, err))
	}
	if err := m.endChange(ctx, r); err != nil {
		return nil, errors.Join(err, m.takeBackChange(context.WithoutCancel(ctx), r))
	}
	m.emit(Event{Kind: EventPortChanged, Network: r.Name, Port: id, Link: r.Link})
	return r.status()
}

// claimChange decides what becomes of a port and writes its record, which has the old one in it: until the change is done
// it can be taken back.
func (m *Manager) claimChange(ctx context.Context, live *Network, old *portRecord, req PortRequest, p *Port) (r *portRecord, changes host.Plan, err error) {
	if p, err = m.resolvePort(live, req, p); err != nil {
		return nil, nil, err
	}
	r = &portRecord{
		record: record{Instance: old.Instance, Stage: updating, Since: old.Since, Name: req.Network},
		Link:   old.Link, Origin: req.Origin, Holds: p.wants(), Was: old,
	}
	write := func() error {
		if err := m.planPort(ctx, req, p, r); err != nil {
			return err
		}
		if changes, err = replanPort(old.Plan, r.Plan); err != nil {
			return err
		}
		return m.saveChange(ctx, r)
	}
	if !old.Holds && !r.Holds {
		return r, changes, write()
	}
	err = m.ledger.locked(ctx, r.Instance, func(c *claims) error {
		return m.ports.change(ctx, m, c, func(t *portTable) (undo func(), err error) {
			had, err := old.port()
			if err != nil {
				return nil, err
			}
			back := func() {
				if old.Holds {
					t.restore(old.Name, had, old.Device, nil)
				}
			}
			gave, err := m.giveBack(t, live, old.Name, p)
			if err != nil {
				return nil, err
			}
			if r.Holds {
				if err := m.enterLike(ctx, t, live, req, p, gave); err != nil {
					back()
					return nil, err
				}
				if _, r.Device, _, err = t.lookup(req.Network, p.UUID); err != nil {
					back()
					return nil, err
				}
			}
			return func() {
				if r.Holds {
					_ = t.release(req.Network, p.UUID)
				}
				back()
			}, nil
		}, write)
	})
	return r, changes, err
}

// giveBack takes a port out of the table, if it is there, before it is entered as what it becomes.
func (m *Manager) giveBack(t *portTable, live *Network, network string, p *Port) (held, error) {
	e, err := t.entry(network, p.UUID)
	if errors.Is(err, fs.ErrNotExist) {
		return held{}, nil
	}
	if err != nil {
		return held{}, err
	}
	if live != nil && m.config.Rules.Skips(PortGivesBack) {
		if err := t.admit(live, 0, p.floor()); err != nil {
			return held{}, err
		}
	}
	t.remove(e)
	return held{e.device, e.class}, nil
}

// saveChange writes the record of a change. On another network it takes the place of that of the port, which it has in it.
func (m *Manager) saveChange(ctx context.Context, r *portRecord) error {
	if err := m.savePort(ctx, r); err != nil || r.Was.Name == r.Name {
		return err
	}
	id, err := r.id()
	if err == nil {
		err = m.store.Remove(ctx, portName(r.Was.Name, id))
	}
	if err != nil {
		return errors.Join(err, m.store.Remove(context.WithoutCancel(ctx), portName(r.Name, id)))
	}
	return nil
}

// afterChangeFailure clears up behind changes that Apply could not carry out. What Apply could not take back stays
// recorded, for the next Open to try again.
func (m *Manager) afterChangeFailure(ctx context.Context, r *portRecord, err error) error {
	var step *host.StepError
	if errors.As(err, &step) && step.Undo != nil {
		return nil
	}
	return m.forgetChange(ctx, r)
}

// endChange makes the record of a change that is done that of its port.
func (m *Manager) endChange(ctx context.Context, r *portRecord) error {
	done := *r
	done.Stage, done.Was = running, nil
	if err := m.savePort(ctx, &done); err != nil {
		return err
	}
	*r = done
	return nil
}

// takeBackChange takes back what has been done of a change, whatever that is, and the record of it.
func (m *Manager) takeBackChange(ctx context.Context, r *portRecord) error {
	changes, err := replanPort(r.Was.Plan, r.Plan)
	if err != nil {
		return err
	}
	f, err := m.backend.Facts(ctx, changes.Scope())
	if err != nil {
		return err
	}
	for _, step := range slices.Backward(changes) {
		inverse := step.Op.Inverse()
		if inverse == nil || !step.Op.Holds(f) {
			continue
		}
		if err := m.backend.Do(ctx, inverse); err != nil {
			return fmt.Errorf("%s: take back: %w", step.From, err)
		}
	}
	return m.forgetChange(ctx, r)
}

// forgetChange makes a port what it was when nothing of a change stands any more.
func (m *Manager) forgetChange(ctx context.Context, r *portRecord) error {
	was := r.Was
	write := func() error {
		if err := m.savePort(ctx, was); err != nil || was.Name == r.Name {
			return err
		}
		id, err := r.id()
		if err != nil {
			return err
		}
		return m.store.Remove(ctx, portName(r.Name, id))
	}
	if !r.Holds && !was.Holds {
		return write()
	}
	return m.ledger.locked(ctx, r.Instance, func(c *claims) error {
		return m.ports.change(ctx, m, c, func(*portTable) (func(), error) {
			m.ports.forget() // the records say it better
			return func() {}, nil
		}, write)
	})
}

// replanPort is what has to be done so that a guest's device stands as the next plan has it, where it stands as the old
// one has it. The device itself stays: a plan with another one wraps errors.ErrUnsupported.
func replanPort(was, next host.Plan) (host.Plan, error) {
	var gone, made host.Plan
	for _, step := range slices.Backward(was) {
		if _, stays := samePart(next, step.Op); stays {
			continue
		}
		switch step.Op.(type) {
		case host.AddTap, host.AddVeth, host.AddMacvtap:
			return nil, fail(errors.ErrUnsupported, "%s: the device of the guest cannot be another one while it is attached", step.From)
		}
		if inverse := step.Op.Inverse(); inverse != nil {
			gone = append(gone, host.Step{From: step.From, Op: inverse})
		}
	}
	for _, step := range next {
		old, ok := samePart(was, step.Op)
		if ok && reflect.DeepEqual(old, step.Op) {
			continue
		}
		switch op := step.Op.(type) {
		case host.AddTap, host.AddVeth, host.AddMacvtap:
			return nil, fail(errors.ErrUnsupported, "%s: the device of the guest cannot be another one while it is attached", step.From)
		case host.SetShape:
			if was, ok := old.(host.SetShape); ok {
				op.Was = was.Shape
				step.Op = op
			}
		case host.SetSysctl:
			if was, ok := old.(host.SetSysctl); ok {
				op.Was = was.Value
				step.Op = op
			}
		case host.Plug:
			if was, ok := old.(host.Plug); ok {
				step.Op = host.SetPlug{Plug: op, Was: was}
			}
		case host.AddClass:
			if was, ok := old.(host.AddClass); ok {
				step.Op = host.SetClass{Class: host.Class(op), Was: host.Class(was)}
			}
		}
		made = append(made, step)
	}
	return slices.Concat(gone, made), nil
}

// samePart finds the operation of a plan that is about the same part of a guest's device, and that the other can take the
// place of without taking it back first.
func samePart(p host.Plan, op host.Op) (host.Op, bool) {
	for _, step := range p {
		same := reflect.DeepEqual(step.Op, op)
		switch op := op.(type) {
		case host.SetShape:
			other, ok := step.Op.(host.SetShape)
			same = ok && other.Link == op.Link
		case host.SetSysctl:
			other, ok := step.Op.(host.SetSysctl)
			same = ok && other.Key == op.Key
		case host.Plug:
			other, ok := step.Op.(host.Plug)
			same = ok && other.Link == op.Link
		case host.AddClass:
			other, ok := step.Op.(host.AddClass)
			same = ok && other.Link == op.Link && other.ID == op.ID
		}
		if same {
			return step.Op, true
		}
	}
	return nil, false
}
