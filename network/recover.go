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

// recover brings to an end what other programs left half done.
func (m *Manager) recover(ctx context.Context) error {
	instance, err := m.instance(ctx)
	if err != nil {
		return err
	}
	keys, err := m.store.List(ctx, "run/networks")
	if err != nil {
		return err
	}
	// What was discarded has no record any more, and what is recorded as half taken away may have been.
	errs := []error{host.Settle(ctx, m.backend)}
	standing := host.Scope{}
	var whole []*record
	for _, key := range keys {
		r, err := m.recoverRecord(ctx, key, instance)
		if err != nil {
			errs = append(errs, fmt.Errorf("recover %s: %w", key, err))
		} else if r != nil {
			whole = append(whole, r)
			standing = standing.And(r.Plan.Scope())
		}
	}
	if !m.config.LeaveDrift {
		errs = append(errs, m.recoverRunning(ctx, whole, standing))
	}
	errs = append(errs, m.recoverPorts(ctx, instance), m.recoverClaims(ctx, instance))
	return errors.Join(errs...)
}

// recoverPorts takes back the ports that were being made or taken away, and plugs the others in again where they fell out.
func (m *Manager) recoverPorts(ctx context.Context, instance string) error {
	keys, err := m.store.List(ctx, "run/ports")
	if err != nil {
		return err
	}
	var errs []error
	for _, key := range keys {
		if m.config.LeaveDrift {
			r, err := loadPortRecord(ctx, m.store, "run/ports/"+key, instance)
			if err == nil && r.Stage == running || errors.Is(err, fs.ErrNotExist) {
				continue
			}
		}
		if err := m.recoverPort(ctx, key, instance); err != nil {
			errs = append(errs, fmt.Errorf("recover port %s: %w", key, err))
		}
	}
	return errors.Join(errs...)
}

// recoverPort settles one port, while nobody starts or stops its network.
func (m *Manager) recoverPort(ctx context.Context, key, instance string) error {
	end := strings.LastIndexByte(key, '~')
	id, err := schema.ParseUUID(key[end+1:])
	if err != nil {
		return err
	}
	var into socket
	idle := false
	if end > 0 {
		release, err := m.store.Lock(ctx, "networks/"+key[:end])
		if err != nil {
			return err
		}
		defer release()
		r, err := loadRecord(ctx, m.store, "run/networks/"+key[:end], instance)
		if err == nil && r.Stage == running {
			into, err = r.socket() // it may be another one since the port was recorded
		} else {
			idle = true
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return m.settlePort(ctx, "run/ports/"+key, id, instance, into, idle)
}

// settlePort takes back a port that is half made, and does for one that stands what no longer holds. A port whose own
// device is gone has lost its guest and is taken back. Into is what its network has now; zero if that is not known to have
// changed. Idle is that the network does not run: a bridge of that name is somebody else's. The caller holds the lock of the
// port's network.
func (m *Manager) settlePort(ctx context.Context, stored string, id schema.UUID, instance string, into socket, idle bool) error {
	release, err := m.store.Lock(ctx, portLock(id))
	if err != nil {
		return err
	}
	defer release()
	r, err := loadPortRecord(ctx, m.store, stored, instance)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	switch r.Stage {
	case running:
	case updating:
		if err := m.takeBackChange(context.WithoutCancel(ctx), r); err != nil || r.Was.Name != r.Name {
			return err // of another network, which the caller did not lock
		}
		r = r.Was
	default:
		return m.removePort(context.WithoutCancel(ctx), id, r)
	}
	moved, err := r.moveTo(into)
	if err == nil && moved {
		err = m.savePort(ctx, r)
	}
	if err != nil {
		return err
	}
	f, err := m.backend.Facts(ctx, r.Plan.Scope())
	if err != nil {
		return err
	}
	d := driftOf(r.Plan, "", f)
	if d.Lost != "" {
		return m.removePort(context.WithoutCancel(ctx), id, r)
	}
	for _, step := range d.Repair {
		if bridge := bridgeNeeded(step.Op); bridge != "" && (idle || f.Link(bridge) == nil) {
			return nil // until its network is started again
		}
	}
	err = m.mend(ctx, d.Repair)
	if err == nil && moved {
		m.emit(Event{Kind: EventPortChanged, Network: r.Name, Port: id, Link: r.Link})
	}
	return errors.Join(err, m.noteBroken(context.WithoutCancel(ctx), r, err))
}

// bridgeNeeded is the bridge that an operation of a port needs; empty if it needs none.
func bridgeNeeded(op host.Op) string {
	switch op := op.(type) {
	case host.Plug:
		return op.Bridge
	case host.SetPlug:
		return op.Plug.Bridge
	case host.AddOVSPort:
		return op.Bridge
	case host.SetOVSPort:
		return op.Port.Bridge
	case host.AddClass:
		return op.Link
	case host.SetClass:
		return op.Class.Link
	}
	return ""
}

// noteBroken writes down why a port does not stand as it should, or that it does.
func (m *Manager) noteBroken(ctx context.Context, r *portRecord, why error) error {
	text := ""
	if why != nil {
		text = why.Error()
	}
	if r.Broken == text {
		return nil
	}
	r.Broken = text
	return m.savePort(ctx, r)
}

// recoverRecord takes back a network that was being started or stopped, and returns the record of one that runs. It
// waits for a program that is at work on it.
func (m *Manager) recoverRecord(ctx context.Context, key, instance string) (*record, error) {
	r, release, err := m.lockedRecord(ctx, key, instance)
	if r == nil || err != nil {
		return nil, err
	}
	defer release()
	if runs, err := m.conclude(ctx, r); !runs || err != nil {
		return nil, err
	}
	return r, nil
}

// conclude brings to an end what an ended program left half done of a network, and reports whether that then runs. The caller
// holds the network's lock.
func (m *Manager) conclude(ctx context.Context, r *record) (runs bool, err error) {
	ctx = context.WithoutCancel(ctx)
	switch r.Stage {
	case running:
		return true, nil
	case updating:
		err := m.turnBack(ctx, r, false)
		return err == nil, err
	case adopting:
		return m.concludeAdoption(ctx, r)
	}
	return false, m.takeBack(ctx, r)
}

// lockedRecord loads a record under the lock of its network, restored if it cannot be read. It is nil if there is none any more.
func (m *Manager) lockedRecord(ctx context.Context, key, instance string) (*record, func(), error) {
	release, err := m.store.Lock(ctx, "networks/"+key)
	if err != nil {
		return nil, nil, err
	}
	r, err := loadRecord(ctx, m.store, "run/networks/"+key, instance)
	var broken *brokenError
	if errors.As(err, &broken) {
		r, err = m.restore(ctx, key, err)
	}
	if r != nil && err == nil {
		return r, release, nil
	}
	release()
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return nil, nil, err
}

// recoverRunning looks once at all that should stand. A network without its bridge is taken back; what else is missing
// is done again.
func (m *Manager) recoverRunning(ctx context.Context, records []*record, scope host.Scope) error {
	if len(records) == 0 {
		return nil
	}
	f, err := m.backend.Facts(ctx, scope)
	if err != nil {
		return err
	}
	var errs []error
	for _, seen := range records {
		if len(seen.Plan.Missing(f)) == 0 {
			continue
		}
		if err := m.settleRunning(ctx, seen); err != nil {
			errs = append(errs, fmt.Errorf("recover network %q: %w", seen.Name, err))
		}
	}
	return errors.Join(errs...)
}

// settleRunning looks again at one network, under its lock, and does what is missing.
func (m *Manager) settleRunning(ctx context.Context, seen *record) error {
	r, release, err := m.lockedRecord(ctx, storeKey(seen.Name), seen.Instance)
	if r == nil || err != nil {
		return err
	}
	defer release()
	if r.Stage != running {
		// Whoever was at work on it has ended since it was seen.
		_, err := m.conclude(ctx, r)
		return err
	}
	f, err := m.backend.Facts(ctx, r.Plan.Scope())
	if err != nil {
		return err
	}
	d := driftOf(r.Plan, "", f)
	if d.Lost != "" {
		return m.takeBack(context.WithoutCancel(ctx), r)
	}
	return m.mend(ctx, d.Repair)
}

// recoverClaims gives back what nobody uses.
func (m *Manager) recoverClaims(ctx context.Context, instance string) error {
	return m.ledger.change(ctx, instance, func(c *claims) error { return m.ledger.giveBack(ctx, c) }, nil)
}
