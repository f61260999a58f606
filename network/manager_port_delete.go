// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// DeletePort takes a port away: virsh net-port-delete, and the guest's device. It works whether its network still runs or
// not, and is not ended by ctx once it has begun. An unknown port wraps fs.ErrNotExist.
func (m *Manager) DeletePort(ctx context.Context, network string, id schema.UUID) error {
	release, err := m.store.Lock(ctx, portLock(id))
	if err != nil {
		return err
	}
	defer release()
	r, err := m.portRecord(ctx, network, id)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if r.Stage == updating {
		if err := m.takeBackChange(ctx, r); err != nil {
			return err
		}
		r = r.Was
	}
	return m.removePort(ctx, id, r)
}

// removePort takes a port back and tells it, if anybody can have been told of the port.
func (m *Manager) removePort(ctx context.Context, id schema.UUID, r *portRecord) error {
	was := r.Stage
	if err := m.takeBackPort(ctx, r); err != nil {
		return err
	}
	if was != starting {
		m.emit(Event{Kind: EventPortRemoved, Network: r.Name, Port: id, Link: r.Link})
	}
	return nil
}

// takeBackPort undoes what a port's record says and forgets it. The caller holds the port's lock.
func (m *Manager) takeBackPort(ctx context.Context, r *portRecord) error {
	if r.Stage != stopping {
		r.Stage = stopping
		if err := m.savePort(ctx, r); err != nil {
			return err
		}
	}
	if err := host.Revert(ctx, m.backend, r.Plan); err != nil {
		return err
	}
	if err := m.hook(ctx, PortUnplug, r); err != nil {
		return err
	}
	return m.forgetPort(ctx, r)
}

// savePort writes the record of a port.
func (m *Manager) savePort(ctx context.Context, r *portRecord) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	return saveJSON(ctx, m.store, portName(r.Name, id), r)
}

// forgetPort removes the record of a port, and gives back what it held, when nothing of it stands any more.
func (m *Manager) forgetPort(ctx context.Context, r *portRecord) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	remove := func() error { return m.store.Remove(ctx, portName(r.Name, id)) }
	if !r.Holds {
		return remove()
	}
	return m.ledger.locked(ctx, r.Instance, func(c *claims) error {
		return m.ports.change(ctx, m, c, func(t *portTable) (func(), error) {
			err := t.release(r.Name, id)
			return func() { m.ports.forget() }, err
		}, remove)
	})
}
