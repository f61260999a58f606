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

// atOnce is how many networks or ports are taken back together. More would take as long each, and keep as many locks.
const atOnce = 64

// Stop stops a network: what its record says was built is taken away, whatever the definition says today. What its
// DHCP server has given out is kept for the next start of a defined network. A network that does not run is ErrInactive.
// Stop is not ended by ctx once it has begun. If something cannot be taken away, the rest is, and Stop may be called again.
// Leases that cannot be kept are an error of a network that is stopped all the same.
//
// Its ports stay, and are plugged in again by the next start; see [Manager.StopIdle]. Several networks stop faster together:
// see [Manager.StopMany].
func (m *Manager) Stop(ctx context.Context, name string) error {
	return m.stopOne(ctx, name, false)
}

// StopIdle is [Manager.Stop] for a network that nobody uses: one with ports is ErrBusy, and runs on.
func (m *Manager) StopIdle(ctx context.Context, name string) error {
	return m.stopOne(ctx, name, true)
}

func (m *Manager) stopOne(ctx context.Context, name string, idle bool) error {
	return m.stopTogether(ctx, []string{name}, idle)[0].err
}

// StopMany stops several networks, each as [Manager.Stop] does, and returns when nothing of them is left. It removes all their
// packet filters in one transaction, and their bridges in bulk, so that it takes a fraction of the time.
//
// A network that cannot be stopped does not keep the others from it. The error is then those of all such networks together,
// each a [*NetworkError], in the order of their names. A name given twice counts once.
func (m *Manager) StopMany(ctx context.Context, names ...string) error {
	// In one order, so that no two who stop several networks wait for each other.
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	var errs []error
	for part := range slices.Chunk(names, atOnce) {
		for i, s := range m.stopTogether(ctx, part, false) {
			if s.err != nil {
				errs = append(errs, &NetworkError{part[i], s.err})
			}
		}
	}
	return errors.Join(errs...)
}

// A stop is a network on its way to where nothing of it is left. One with an error goes no further.
type stop struct {
	attempt
	record *record
	// lost is why its leases are not kept.
	lost error
}

// stopTogether stops networks whose names are in order.
func (m *Manager) stopTogether(ctx context.Context, names []string, idle bool) []*stop {
	all := make([]*stop, len(names))
	for i, name := range names {
		s := &stop{}
		all[i] = s
		release, err := m.lockNetwork(ctx, name)
		if err != nil {
			s.err = err
			continue
		}
		defer release()
		s.record, s.err = m.toStop(ctx, name, idle)
	}
	ctx = context.WithoutCancel(ctx)
	for _, s := range going(all) {
		s.lost = m.keepLeases(ctx, s.record)
	}
	m.takeBackAll(ctx, all)
	for _, s := range going(all) {
		m.emit(Event{Kind: EventStopped, Network: s.record.Name})
		if s.lost != nil {
			s.err = fmt.Errorf("network %q is stopped, but its leases are not kept: %w", s.record.Name, s.lost)
		}
	}
	return all
}

// toStop is the record of a network that can be stopped. The caller holds the network's lock.
func (m *Manager) toStop(ctx context.Context, name string, idle bool) (*record, error) {
	if idle {
		if err := m.checkIdle(ctx, name); err != nil {
			return nil, err
		}
	}
	instance, err := m.instance(ctx)
	if err != nil {
		return nil, err
	}
	r, err := loadRecord(ctx, m.store, runName(name), instance)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := m.definition(ctx, name); err != nil {
			return nil, err
		}
		return nil, fail(ErrInactive, "network %q is not active", name)
	}
	if err != nil || r.Stage != updating && r.Stage != adopting {
		return r, err
	}
	runs, err := m.conclude(context.WithoutCancel(ctx), r)
	if err == nil && !runs {
		err = fail(ErrInactive, "network %q is not active", name)
	}
	return r, err
}

// checkIdle is ErrBusy for a network that has ports.
func (m *Manager) checkIdle(ctx context.Context, name string) error {
	ids, err := m.portIDs(ctx, name)
	if err != nil || len(ids) == 0 {
		return err
	}
	return fail(ErrBusy, "network %q has ports: %d", name, len(ids))
}

// takeBack undoes what a record says and forgets it. The caller holds the network's lock.
func (m *Manager) takeBack(ctx context.Context, r *record) error {
	s := &stop{record: r}
	m.takeBackAll(ctx, []*stop{s})
	return s.err
}

// takeBackAll is takeBack of several networks.
func (m *Manager) takeBackAll(ctx context.Context, all []*stop) {
	for _, s := range going(all) {
		r := s.record
		was := r.Stage
		if r.Stage = stopping; !was.ends() {
			s.err = saveJSON(ctx, m.store, runName(r.Name), r)
		}
	}
	revertAll(ctx, m, going(all))
	m.forgetAll(ctx, going(all))
}

// plan is what was built.
func (s *stop) plan() host.Plan { return s.record.Plan }

// revertAll takes back what was built: of several in bulk, and each for good unless others may wait for that.
func revertAll[T interface {
	plan() host.Plan
	fail(error)
}](ctx context.Context, m *Manager, all []T) {
	plans := make([]host.Plan, len(all))
	for i, one := range all {
		plans[i] = one.plan()
	}
	take := host.RevertAll
	if m.config.Discard {
		take = host.Discard
	}
	for i, err := range take(ctx, m.backend, plans...) {
		all[i].fail(err)
	}
}

// forget removes a record, and the claims of its network, when nothing of it stands any more.
func (m *Manager) forget(ctx context.Context, r *record) error {
	s := &stop{record: r}
	m.forgetAll(ctx, []*stop{s})
	return s.err
}

// forgetAll is forget of several networks.
func (m *Manager) forgetAll(ctx context.Context, all []*stop) {
	var ids []string
	for _, s := range all {
		var n *Network
		if n, s.err = s.record.live(); s.err == nil {
			ids = append(ids, n.UUID.String())
		}
	}
	if all = going(all); len(all) == 0 {
		return
	}
	released := false
	err := m.ledger.release(ctx, all[0].record.Instance, ids, func() error {
		released = true
		var errs []error
		for _, s := range all {
			s.err = m.store.Remove(ctx, runName(s.record.Name))
			errs = append(errs, s.err)
		}
		return errors.Join(errs...)
	})
	if !released { // each network has its own error otherwise
		failAll(all, err)
	}
}
