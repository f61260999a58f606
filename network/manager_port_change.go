// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"

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
	live, _, releaseNetwork, err := m.lockLive(ctx, req.Network)
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
				if err := m.enter(ctx, t, live, req, p, gave); err != nil {
					back()
					return nil, err
				}
				if _, r.Device, _, err = t.lookup(req.Network, p.UUID); err != nil {
					back()
					return nil, err
				}
			}
			from := portKey{old.Name, p.UUID}
			if req.Network != old.Name {
				t.leave(from, had.class())
			}
			return func() {
				t.left(from)
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
	write := func() error { return m.savePort(ctx, &done) }
	from, class, err := r.leaves()
	switch {
	case err != nil:
		return err
	case class == 0:
		err = write()
	default:
		err = m.ledger.locked(ctx, r.Instance, func(c *claims) error {
			return m.ports.change(ctx, m, c, func(t *portTable) (undo func(), err error) {
				t.left(from)
				return func() { t.leave(from, class) }, nil
			}, write)
		})
	}
	if err == nil {
		*r = done
	}
	return err
}

// leaves is the traffic class that the host still has for a port on the network that it is moved away from, until that is done, and
// what the port was there; 0 is none.
func (r *portRecord) leaves() (from portKey, class uint64, err error) {
	if r.Was == nil || !r.Was.Holds || r.Was.Name == r.Name {
		return from, 0, nil
	}
	was, err := r.Was.port()
	if err != nil {
		return from, 0, err
	}
	return portKey{r.Was.Name, was.UUID}, was.class(), nil
}

// takeBackChange takes back what has been done of a change, whatever that is, and the record of it.
func (m *Manager) takeBackChange(ctx context.Context, r *portRecord) error {
	changes, err := replanPort(r.Was.Plan, r.Plan)
	if err != nil {
		return err
	}
	if err := m.takeStepsBack(ctx, changes); err != nil {
		return err
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
