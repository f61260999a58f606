// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// StartMany starts several defined networks, each as [Manager.Start] does, and returns when all that can be started serve their
// guests. It looks at the host once, sets all their packet filters in one transaction, and starts servers two at a time when
// everything else is done, so that it takes a fraction of the time.
//
// A network that cannot be started does not keep the others from it: what was done of it is taken back, and they run. The
// error is then those of all such networks together, each a [*NetworkError], in the order of their names. A name given twice
// counts once. Of two networks that want the same of the host the first in that order gets it.
func (m *Manager) StartMany(ctx context.Context, names ...string) error {
	var errs []error
	m.startMany(ctx, names, func(name string, err error) {
		if err != nil {
			errs = append(errs, &NetworkError{name, err})
		}
	})
	return errors.Join(errs...)
}

// startMany tells what became of each network.
func (m *Manager) startMany(ctx context.Context, names []string, tell func(name string, err error)) {
	// In one order, so that no two who start several networks wait for each other.
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	all := make([]*start, len(names))
	var locks []func()
	defer func() {
		for _, release := range locks {
			release()
		}
	}()
	for i, name := range names {
		s := &start{}
		all[i] = s
		var release func()
		if release, s.err = m.lockNetwork(ctx, name); s.err != nil {
			continue
		}
		locks = append(locks, release)
		s.network, s.err = m.startable(ctx, name)
	}
	m.startAll(ctx, all)
	for i, s := range all {
		tell(names[i], s.err)
	}
}

// startable is the document of a network that can be started. The caller holds its lock.
func (m *Manager) startable(ctx context.Context, name string) (*Network, error) {
	n, err := m.definition(ctx, name)
	if err != nil {
		return nil, err
	}
	return n, m.settle(ctx, name)
}

// A start is a network on its way from a document to one that runs. One with an error goes no further.
type start struct {
	attempt
	network *Network
	leases  []host.Lease
	facts   *host.Facts
	record  *record
	written []byte // the record as JSON, as the store has it
	tried   host.Plan
}

// startOne starts one network. The caller holds its lock.
func (m *Manager) startOne(ctx context.Context, n *Network) error {
	s := &start{network: n}
	m.startAll(ctx, []*start{s})
	return s.err
}

// startAll completes and plans networks, writes the plans down, and carries them out. The caller holds the locks of the
// networks.
func (m *Manager) startAll(ctx context.Context, all []*start) {
	m.claim(ctx, going(all))
	all = going(all)
	plans := make([]host.Plan, len(all))
	for i, s := range all {
		plans[i], s.tried = m.split(s.record.Plan)
	}
	for i, err := range host.ApplyAll(ctx, m.backend, plans) {
		all[i].err = m.finishStart(ctx, all[i], err)
	}
}

// finishStart is what is left to do when the plan of a network was carried out, or could not be.
func (m *Manager) finishStart(ctx context.Context, s *start, err error) error {
	r := s.record
	if err != nil {
		return errors.Join(err, m.afterFailure(context.WithoutCancel(ctx), r, err))
	}
	r.Stage = running
	if err := m.store.Save(ctx, runName(r.Name), seal(restaged(s.written, starting, running))); err != nil {
		r.Stage = starting // as the store has it
		return errors.Join(err, m.takeBack(context.WithoutCancel(ctx), r))
	}
	m.emit(Event{Kind: EventStarted, Network: r.Name})
	m.try(ctx, r.Name, s.tried)
	m.leaveOut(s.network)
	return m.plugAgain(ctx, r, socketOf(s.network))
}

// claim plans networks under the lock of the host, so that no two networks plan with the same link or addresses, and writes
// the records before anybody else may look.
func (m *Manager) claim(ctx context.Context, all []*start) {
	if len(all) == 0 {
		return
	}
	release, err := m.store.Lock(ctx, "host")
	if err != nil {
		failAll(all, err)
		return
	}
	defer release()
	for _, s := range all {
		if s.network, s.err = m.complete(ctx, s.network); s.err == nil {
			s.leases, s.err = m.leases(ctx, s.network)
		}
	}
	m.look(ctx, going(all))
	for _, s := range going(all) {
		s.record, s.err = m.newRecord(s)
	}
	m.saveClaims(ctx, going(all))
}

// look finds the facts that networks are planned by: once for all or, if that fails, for each of them.
func (m *Manager) look(ctx context.Context, all []*start) {
	if len(all) > 1 {
		var scope host.Scope
		for _, s := range all {
			scope = scope.And(PlanScope(s.network))
		}
		if f, err := m.backend.Facts(ctx, scope); err == nil {
			for _, s := range all {
				s.facts = f
			}
			return
		}
	}
	for _, s := range all {
		s.facts, s.err = m.backend.Facts(ctx, PlanScope(s.network))
	}
}

// newRecord plans a network.
func (m *Manager) newRecord(s *start) (*record, error) {
	document, err := s.network.Format()
	if err != nil {
		return nil, err
	}
	plan, err := m.planBy(s.facts, s.network, s.leases)
	if err != nil {
		return nil, err
	}
	return &record{
		Instance: s.facts.Instance, Stage: starting, Since: m.config.Now(), Name: s.network.Name, Document: string(document), Plan: plan,
	}, nil
}

// saveClaims writes down what networks take, and their records. A network that wants what another has, or whose record cannot
// be written, takes nothing. The caller holds the lock of the host.
func (m *Manager) saveClaims(ctx context.Context, all []*start) {
	if len(all) == 0 {
		return
	}
	c, err := m.ledger.load(ctx, all[0].record.Instance)
	if err != nil {
		failAll(all, err)
		return
	}
	for _, s := range all {
		id, want := s.network.UUID.String(), s.record.claim()
		if s.err = c.conflict(id, want); s.err == nil {
			c.take(id, want, s.facts)
		}
	}
	if all = going(all); len(all) == 0 {
		return
	}
	asked := false
	err = m.ledger.save(ctx, c, func() error {
		asked = true
		var errs []error
		for _, s := range all {
			if s.written, s.err = json.Marshal(s.record); s.err == nil {
				s.err = m.store.Save(ctx, runName(s.record.Name), seal(s.written))
			}
			errs = append(errs, s.err)
		}
		return errors.Join(errs...)
	})
	if !asked {
		failAll(all, err)
	}
}
