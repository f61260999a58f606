// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network/host"
)

// restore makes the record of a network anew that cannot be read, for the reason broken. Its bridge bears the network's mark on
// the host if it runs: then it is what its definition says, and whatever differs is mended by who looks next. Without the bridge
// what is left with its mark is taken away, and there is no record any more. A transient network, of which nothing
// else is written down, stays as it is. The caller holds the network's lock.
func (m *Manager) restore(ctx context.Context, key string, broken error) (*record, error) {
	n, err := m.parse(ctx, "networks/"+key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w, and the network is not defined: nothing else tells what it was", broken)
	}
	if err != nil {
		return nil, errors.Join(broken, err)
	}
	r, runs, err := m.claimRestored(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("%w, and cannot be restored: %w", broken, err)
	}
	m.emit(Event{Kind: EventRestored, Network: n.Name, Why: broken.Error()})
	if runs {
		return r, nil
	}
	if err := m.takeBack(context.WithoutCancel(ctx), r); err != nil {
		return nil, err
	}
	m.emit(Event{Kind: EventStopped, Network: n.Name})
	return nil, nil
}

// claimRestored plans a network as if its bridge were not there, which is how it was planned when it was started, and writes its
// record. Runs is whether the bridge is there.
func (m *Manager) claimRestored(ctx context.Context, n *Network) (r *record, runs bool, err error) {
	release, err := m.store.Lock(ctx, "host")
	if err != nil {
		return nil, false, err
	}
	defer release()
	f, err := m.backend.Facts(ctx, PlanScope(n))
	if err != nil {
		return nil, false, err
	}
	s := &start{network: n, facts: withoutLink(f, bridgeOf(n))}
	if s.record, err = m.newRecord(s); err != nil {
		return nil, false, err
	}
	s.record.Stage, s.facts = stopping, f
	if runs = standsOn(s.record.Plan, f); runs {
		s.record.Stage = running
	}
	m.saveClaims(ctx, []*start{s})
	return s.record, runs, s.err
}

// standsOn reports whether the bridge that a plan makes is there, with its mark. A plan that makes none needs none.
func standsOn(plan host.Plan, f *host.Facts) bool {
	for _, step := range plan {
		if bridge, makes := step.Op.(host.AddBridge); makes {
			l := f.Link(bridge.Link)
			return l != nil && l.Owner == bridge.Owner
		}
	}
	return true
}

// restoreBroken restores the records that cannot be read; with a name, that of one network.
func (m *Manager) restoreBroken(ctx context.Context, name string) error {
	instance, err := m.instance(ctx)
	if err != nil {
		return err
	}
	keys, err := m.store.List(ctx, "run/networks")
	if err != nil {
		return err
	}
	var errs []error
	for _, key := range keys {
		if name != "" && key != storeKey(name) {
			continue
		}
		var broken *brokenError
		if _, err := loadJSON[record](ctx, m.store, "run/networks/"+key); errors.As(err, &broken) {
			_, err = m.recoverRecord(ctx, key, instance)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
