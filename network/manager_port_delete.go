// SPDX-License-Identifier: Apache-2.0

package network

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// DeletePort takes a port away: virsh net-port-delete, and the guest's device. It works whether its network still runs or
// not, and is not ended by ctx once it has begun. An unknown port wraps fs.ErrNotExist. Several ports go faster together: see
// [Manager.DeletePorts].
func (m *Manager) DeletePort(ctx context.Context, network string, id schema.UUID) error {
	return m.deleteTogether(ctx, []PortName{{network, id}})[0].err
}

// A PortName says which port is meant.
type PortName struct {
	// Network is the name of its network; empty if it has none.
	Network string
	ID      schema.UUID
}

// A PortError is why something that was to be done with several ports could not be done with one of them.
type PortError struct {
	Port PortName
	Err  error
}

// Error names the port and says why.
func (e *PortError) Error() string { return "port " + e.Port.ID.String() + ": " + e.Err.Error() }

// Unwrap is the reason.
func (e *PortError) Unwrap() error { return e.Err }

// DeletePorts takes several ports away, each as [Manager.DeletePort] does, and returns when nothing of them is left. It removes
// their devices in bulk, so that it takes a fraction of the time.
//
// A port that cannot be taken away does not keep the others from it. The error is then those of all such ports together, each
// a [*PortError], in the order of their uuids. A port given twice counts once.
func (m *Manager) DeletePorts(ctx context.Context, ports ...PortName) error {
	// In one order, so that no two who delete several ports wait for each other.
	ports = slices.SortedFunc(slices.Values(ports), func(a, b PortName) int {
		return cmp.Or(cmp.Compare(a.ID.String(), b.ID.String()), cmp.Compare(a.Network, b.Network))
	})
	var errs []error
	for part := range slices.Chunk(slices.Compact(ports), atOnce) {
		for i, s := range m.deleteTogether(ctx, part) {
			if s.err != nil {
				errs = append(errs, &PortError{part[i], s.err})
			}
		}
	}
	return errors.Join(errs...)
}

// A portStop is a port on its way to where nothing of it is left. One with an error goes no further.
type portStop struct {
	attempt
	id     schema.UUID
	record *portRecord
	// unwritten says that the store has it in an earlier stage.
	unwritten bool
}

func (s *portStop) plan() host.Plan { return s.record.Plan }

// deleteTogether takes ports away that are in order.
func (m *Manager) deleteTogether(ctx context.Context, ports []PortName) []*portStop {
	all := make([]*portStop, len(ports))
	for i, p := range ports {
		s := &portStop{id: p.ID}
		all[i] = s
		release, err := m.store.Lock(ctx, portLock(p.ID))
		if err != nil {
			s.err = err
			continue
		}
		defer release()
		s.record, s.err = m.toDelete(ctx, p)
	}
	m.removePorts(context.WithoutCancel(ctx), going(all))
	return all
}

// toDelete is the record of a port that can be taken away. The caller holds the port's lock.
func (m *Manager) toDelete(ctx context.Context, p PortName) (*portRecord, error) {
	r, err := m.portRecord(ctx, p.Network, p.ID)
	if err != nil || r.Stage != updating {
		return r, err
	}
	return r.Was, m.takeBackChange(context.WithoutCancel(ctx), r)
}

// removePort takes a port back and tells it, if anybody can have been told of the port. The caller holds the port's lock.
func (m *Manager) removePort(ctx context.Context, id schema.UUID, r *portRecord) error {
	s := &portStop{id: id, record: r}
	m.removePorts(ctx, []*portStop{s})
	return s.err
}

// removePorts is removePort of several.
func (m *Manager) removePorts(ctx context.Context, all []*portStop) {
	var told []*portStop
	for _, s := range all {
		if s.record.Stage != starting {
			told = append(told, s)
		}
	}
	m.takeBackPorts(ctx, all)
	for _, s := range going(told) {
		m.emit(Event{Kind: EventPortRemoved, Network: s.record.Name, Port: s.id, Link: s.record.Link})
	}
}

// takeBackPort undoes what a port's record says and forgets it. The caller holds the port's lock.
func (m *Manager) takeBackPort(ctx context.Context, r *portRecord) error {
	s := &portStop{record: r}
	m.takeBackPorts(ctx, []*portStop{s})
	return s.err
}

// takeBackPorts is takeBackPort of several.
func (m *Manager) takeBackPorts(ctx context.Context, all []*portStop) {
	for _, s := range all {
		was := s.record.Stage
		s.record.Stage, s.unwritten = stopping, was == starting
		if !was.ends() {
			s.err = m.savePort(ctx, s.record)
		}
	}
	all = going(all)
	revertAll(ctx, m, all)
	for _, s := range going(all) {
		s.err = m.hook(ctx, PortUnplug, s.record)
	}
	for _, s := range all {
		switch {
		case s.err == nil:
			s.err = m.forgetPort(ctx, s.record)
		case s.unwritten:
			s.err = errors.Join(s.err, m.savePort(ctx, s.record))
		}
	}
}

// savePort writes the record of a port.
func (m *Manager) savePort(ctx context.Context, r *portRecord) error {
	id, err := r.id()
	if err != nil {
		return err
	}
	r.saved, err = saveAsJSON(ctx, m.store, portName(r.Name, id), r)
	return err
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
	err = m.ledger.locked(ctx, r.Instance, func(c *claims) error {
		return m.ports.change(ctx, m, c, func(t *portTable) (func(), error) {
			err := t.release(r.Name, id)
			return func() { m.ports.forget() }, err
		}, remove)
	})
	if !isFull(err) {
		return err
	}
	// What is removed makes room to count that.
	if err := remove(); err != nil {
		return err
	}
	return m.ledger.locked(ctx, r.Instance, func(c *claims) error {
		m.ports.forget()
		c.Ports++
		return saveJSON(ctx, m.store, claimsName, c)
	})
}
