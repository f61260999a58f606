// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/go-virtnet/virtnet/network/schema"
)

// A registry remembers what the ports of a host hold between two uses, so that to find a device for one does not mean to
// read the records of all. What is remembered is right as long as the count of changes in the claims is the one it goes
// with: other managers on the same store count theirs too. It is used under the lock of the host only.
type registry struct {
	mu       sync.Mutex // a lock of the host may be one of the file system, which the memory of a program knows nothing of
	table    *portTable
	instance string
	at       uint64
}

// change changes the table with enter, counts that, and writes it down with write. If write fails, the undo of enter takes
// the change back. The caller holds the lock of the host and has the claims in hand.
func (r *registry) change(ctx context.Context, m *Manager, c *claims, enter func(*portTable) (undo func(), err error), write func() error) error {
	t, err := r.read(ctx, m, c)
	if err != nil {
		return err
	}
	r.mu.Lock()
	undo, err := enter(t)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	// Before the record: a program that ends in between leaves others to read anew what has not changed, and not to go on
	// with what has.
	c.Ports++
	if err = saveJSON(ctx, m.store, claimsName, c); err == nil {
		err = write()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = c.Ports
	if err != nil {
		undo()
	}
	return err
}

// read returns the table, as the records have it.
func (r *registry) read(ctx context.Context, m *Manager, c *claims) (*portTable, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.table != nil && r.instance == c.Instance && r.at == c.Ports {
		return r.table, nil
	}
	t := newPortTable(m.config.Rules)
	keys, err := m.store.List(ctx, "run/ports")
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		record, err := loadPortRecord(ctx, m.store, "run/ports/"+key, c.Instance)
		var unread *brokenError
		if errors.As(err, &unread) || errors.Is(err, fs.ErrNotExist) {
			continue // whoever opens the store is told of one that cannot be read; the others must not suffer
		}
		if err != nil {
			return nil, err
		}
		from, class, err := record.leaves()
		if err != nil {
			return nil, err
		}
		t.leave(from, class)
		if !record.Holds {
			continue
		}
		p, err := record.port()
		if err != nil {
			return nil, err
		}
		var broken error
		if record.Broken != "" {
			broken = errors.New(record.Broken)
		}
		t.restore(record.Name, p, record.Device, broken)
	}
	r.table, r.instance, r.at = t, c.Instance, c.Ports
	return t, nil
}

// forget makes the next use read anew.
func (r *registry) forget() { r.table = nil }

// connections returns a live document with the numbers of its ports, as the records have them: they are kept nowhere else.
func (m *Manager) connections(ctx context.Context, instance string, live *Network) (*Network, error) {
	ids, err := m.portIDs(ctx, live.Name)
	if err != nil {
		return nil, err
	}
	if live.handsOut() {
		err = m.ledger.locked(ctx, instance, func(c *claims) error {
			t, err := m.ports.read(ctx, m, c)
			if err == nil {
				err = m.offer(ctx, t, live, false)
			}
			if errors.Is(err, fs.ErrNotExist) {
				err = nil // its devices are gone, and the document says what they were
			}
			if err != nil {
				return err
			}
			m.ports.mu.Lock()
			defer m.ports.mu.Unlock()
			live = t.connections(live)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	live.Connections = schema.Number{}
	if len(ids) > 0 {
		live.Connections = schema.Num(uint64(len(ids)))
	}
	return live, nil
}
