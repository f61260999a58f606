// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// settle clears the way for a start: it takes back what an ended program left half done, and is ErrActive if the
// network runs. The caller holds the network's lock.
func (m *Manager) settle(ctx context.Context, name string) error {
	instance, err := m.instance(ctx)
	if err != nil {
		return err
	}
	r, err := loadRecord(ctx, m.store, runName(name), instance)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	was := r.Stage
	runs, err := m.conclude(ctx, r)
	if err != nil {
		return err
	}
	if runs {
		return fail(ErrActive, "network %q is active", name)
	}
	if was == stopping {
		m.emit(Event{Kind: EventStopped, Network: name})
	}
	return nil
}

// plugAgain plugs the ports that a network had when it was last stopped into its new bridge. The network runs, whatever
// becomes of them.
func (m *Manager) plugAgain(ctx context.Context, r *record, into socket) error {
	ids, err := m.portIDs(ctx, r.Name)
	if err != nil {
		return fmt.Errorf("network %q runs, but its ports: %w", r.Name, err)
	}
	var errs []error
	for _, id := range ids {
		if err := m.settlePort(ctx, portName(r.Name, id), id, r.Instance, into, false); err != nil {
			errs = append(errs, fmt.Errorf("network %q runs, but port %s: %w", r.Name, id, err))
		}
	}
	return errors.Join(errs...)
}

// afterFailure clears up behind a plan that Apply could not carry out. What Apply could not take back stays recorded, for
// the next start, stop or Open to try again.
func (m *Manager) afterFailure(ctx context.Context, r *record, err error) error {
	var step *host.StepError
	if errors.As(err, &step) && step.Undo != nil {
		r.Stage = stopping
		return saveJSON(ctx, m.store, runName(r.Name), r)
	}
	return m.forget(ctx, r)
}

// keepLeases saves what the server of a defined network has given out, if the backend can tell.
func (m *Manager) keepLeases(ctx context.Context, r *record) error {
	reader, ok := m.backend.(host.LeaseReader)
	i := slices.IndexFunc(r.Plan, func(s host.Step) bool { _, serves := s.Op.(host.Serve); return serves })
	if !ok || i < 0 {
		return nil
	}
	if _, err := m.definition(ctx, r.Name); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	leases, err := reader.Leases(ctx, r.Plan[i].Op.(host.Serve).Server.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(leases) == 0 {
		return m.store.Remove(ctx, leasesName(r.Name))
	}
	return saveJSON(ctx, m.store, leasesName(r.Name), keptLeases{UUID: r.Plan[i].Op.(host.Serve).Server.Name, Leases: leases})
}

// keptLeases are the leases of a network between a stop and a start. Those of another network of the same name are
// not given to guests.
type keptLeases struct {
	UUID   string       `json:"uuid"`
	Leases []host.Lease `json:"leases"`
}

// leases are those that an earlier run left behind and that have not ended.
func (m *Manager) leases(ctx context.Context, n *Network) ([]host.Lease, error) {
	data, err := m.store.Load(ctx, leasesName(n.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var kept keptLeases
	if unseal(data, &kept) != nil || kept.UUID != n.UUID.String() {
		return nil, m.store.Remove(ctx, leasesName(n.Name))
	}
	now := m.config.Now()
	return slices.DeleteFunc(kept.Leases, func(l host.Lease) bool {
		return !l.Expires.IsZero() && !l.Expires.After(now)
	}), nil
}
