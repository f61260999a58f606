// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// Check compares everything that runs with the host, and returns what has drifted: first the networks, then the ports,
// each by their names in the store. It changes nothing. Each is looked at while nobody is at work on it.
//
// An error says what could not be looked at; the drift of the rest comes with it.
func (m *Manager) Check(ctx context.Context) ([]Drift, error) {
	return m.drifts(ctx, RepairRequest{DryRun: true})
}

// A RepairRequest says what is to be repaired. The zero RepairRequest is everything.
type RepairRequest struct {
	// Network limits it to the network of that name and its ports; empty is everything that runs, ports of no network as
	// well.
	Network string
	// DryRun changes nothing: the Repair of each drift is what would be done.
	DryRun bool
}

// Repair makes what has drifted again what it was built as, and touches nothing else: see [Drift]. A bridge that is gone
// is made again, and the ports of its network are plugged into it. Guests keep their devices and their addresses. What
// runs as it was built is not touched, nor is what others have put beside it. What they have put in its place and a backend
// does not take from them, such as a queueing discipline, is an error that wraps fs.ErrExist.
//
// As much as possible is done: a step that fails is a [*host.StepError] and does not keep the others from being done. The
// errors of all are returned together, with every drift that was found. What was half done when a program ended is no
// drift, and is taken back by [Open]. Records that cannot be read are made anew, as Open does it. A network that does not run is ErrInactive, an unknown one wraps fs.ErrNotExist.
func (m *Manager) Repair(ctx context.Context, req RepairRequest) ([]Drift, error) {
	var restored error
	if !req.DryRun {
		restored = m.restoreBroken(ctx, req.Network)
	}
	if req.Network != "" {
		s, err := m.Lookup(ctx, req.Network)
		if err != nil {
			return nil, err
		}
		if !s.Active() {
			return nil, fail(ErrInactive, "network %q is not active", req.Network)
		}
	}
	found, err := m.drifts(ctx, req)
	return found, errors.Join(restored, err)
}

// drifts finds what has drifted, and repairs it unless the run is dry. The ports are looked at when the networks are
// whole: with a bridge they may have lost what they had on it.
func (m *Manager) drifts(ctx context.Context, req RepairRequest) ([]Drift, error) {
	instance, err := m.instance(ctx)
	if err != nil {
		return nil, err
	}
	var found []Drift
	var errs []error
	for _, folder := range []string{"run/networks/", "run/ports/"} {
		suspects, err := m.suspects(ctx, folder, instance, req.Network)
		if err != nil {
			errs = append(errs, err)
		}
		for _, stored := range suspects {
			var d *Drift
			err := m.inspect(ctx, stored, instance, func(r *portRecord, is *Drift) (err error) {
				if is == nil || len(is.Missing) == 0 {
					return nil
				}
				if d = is; !req.DryRun {
					err = m.repair(ctx, r, is)
				}
				return err
			})
			if d != nil {
				found = append(found, *d)
				if err != nil {
					err = fmt.Errorf("%s: %w", d, err)
				}
			}
			errs = append(errs, err)
		}
	}
	return found, errors.Join(errs...)
}

// suspects are the names of the records of which something does not hold, by one look that waits for nobody. With a name
// they are those of that network and its ports. Records that cannot be read are an error; the others come with it.
func (m *Manager) suspects(ctx context.Context, folder, instance, name string) ([]string, error) {
	keys, err := m.store.List(ctx, strings.TrimSuffix(folder, "/"))
	if err != nil {
		return nil, err
	}
	type place struct {
		stored string
		plan   host.Plan
	}
	var places []place
	var scope host.Scope
	var errs []error
	for _, key := range keys {
		r, err := loadJSON[record](ctx, m.store, folder+key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			errs = append(errs, err)
			continue
		case r.Stage != running, r.Instance != instance, name != "" && r.Name != name:
			continue
		}
		places = append(places, place{folder + key, r.Plan})
		scope = scope.And(r.Plan.Scope())
	}
	if len(places) == 0 {
		return nil, errors.Join(errs...)
	}
	f, err := m.backend.Facts(ctx, scope)
	if err != nil {
		return nil, errors.Join(append(errs, err)...)
	}
	var suspects []string
	for _, p := range places {
		if len(p.plan.Missing(f)) > 0 {
			suspects = append(suspects, p.stored)
		}
	}
	return suspects, errors.Join(errs...)
}

// inspect calls f with the record of that name and what has drifted, under its lock and while nobody is at work on it.
// Without a record f is not called. The drift is nil if nothing of it has to stand: it is half made, or a port whose
// network does not run.
func (m *Manager) inspect(ctx context.Context, stored, instance string, f func(*portRecord, *Drift) error) error {
	if key, ok := strings.CutPrefix(stored, "run/networks/"); ok {
		r, release, err := m.lockedRecord(ctx, key, instance)
		if r == nil || err != nil {
			return err
		}
		defer release()
		return m.compare(ctx, &portRecord{record: *r}, schema.UUID{}, nil, func() (bool, error) { return true, nil }, f)
	}
	key := strings.TrimPrefix(stored, "run/ports/")
	end := strings.LastIndexByte(key, '~')
	id, err := schema.ParseUUID(key[end+1:])
	if err != nil {
		return fmt.Errorf("store: %s: %w", stored, err)
	}
	for again := true; again && err == nil; {
		again, err = m.inspectPort(ctx, stored, key[:max(end, 0)], id, instance, f)
	}
	return err
}

// inspectPort is inspect for a port. Again is that its network was stopped or changed meanwhile, which takes no lock of
// ports that are only looked at; and to hold both locks could stop others for good, for they are taken in either order.
func (m *Manager) inspectPort(ctx context.Context, stored, key string, id schema.UUID, instance string, f func(*portRecord, *Drift) error) (again bool, err error) {
	network, err := m.settled(ctx, key)
	if err != nil {
		return false, err
	}
	release, err := m.store.Lock(ctx, portLock(id))
	if err != nil {
		return false, err
	}
	defer release()
	r, err := loadPortRecord(ctx, m.store, stored, instance)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var n record
	if key != "" {
		if network == nil || unseal(network, &n) != nil || n.Stage != running || n.Instance != instance {
			return false, f(r, nil) // without its network a port is plugged into nothing
		}
	}
	err = m.compare(ctx, r, id, n.Plan, func() (bool, error) {
		if key == "" {
			return true, nil
		}
		now, err := m.store.Load(ctx, "run/networks/"+key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		again = !slices.Equal(now, network)
		return !again, nil
	}, f)
	return again, err
}

// settled is the record of a port's network at a moment when nobody is at work on it: a network is running before all of
// its ports are plugged in again. It is nil if there is none.
func (m *Manager) settled(ctx context.Context, key string) ([]byte, error) {
	if key == "" {
		return nil, nil
	}
	release, err := m.store.Lock(ctx, "networks/"+key)
	if err != nil {
		return nil, err
	}
	defer release()
	text, err := m.store.Load(ctx, "run/networks/"+key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// compare compares a record with the host, and calls f if what was seen is valid. On is the plan of a port's network.
func (m *Manager) compare(ctx context.Context, r *portRecord, id schema.UUID, on host.Plan, valid func() (bool, error), f func(*portRecord, *Drift) error) error {
	if r.Stage != running {
		return f(r, nil) // its program has ended before it was done
	}
	facts, err := m.backend.Facts(ctx, r.Plan.Scope().And(host.Scope{Links: bridgesOf(on)}))
	if err != nil {
		return err
	}
	if ok, err := valid(); !ok || err != nil {
		return err
	}
	others := on.Lost(facts)
	if facts.Link(others) == nil {
		others = ""
	}
	d := driftOf(r.Plan, others, facts)
	d.Network, d.Port, d.Link = r.Name, id, r.Link
	return f(r, &d)
}

// repair does what a drift has to be repaired with, and tells it. The caller holds the lock of the network or port.
func (m *Manager) repair(ctx context.Context, r *portRecord, d *Drift) error {
	if len(d.Repair) == 0 {
		return nil
	}
	err := m.mend(ctx, d.Repair)
	if !d.Port.IsZero() {
		err = errors.Join(err, m.noteBroken(context.WithoutCancel(ctx), r, err))
	}
	if err == nil {
		m.emit(Event{Kind: EventRepaired, Network: d.Network, Port: d.Port, Link: d.Link, Plan: d.Repair})
	}
	return err
}

// mend does again what does not hold. What cannot be done does not keep the rest from being done: nothing may stay open
// because something else is broken. Only without a bridge there is nothing to do the rest on.
func (m *Manager) mend(ctx context.Context, todo host.Plan) error {
	var errs []error
	for _, step := range todo {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, err)...)
		}
		err := step.Op.Check()
		if err == nil {
			err = m.backend.Do(ctx, step.Op)
		}
		if errors.Is(err, fs.ErrExist) {
			if f, lookErr := m.backend.Facts(ctx, step.Op.Scope()); lookErr == nil && step.Op.Holds(f) {
				err = nil // somebody else has done it meanwhile
			}
		}
		if err == nil {
			continue
		}
		errs = append(errs, &host.StepError{Step: step, Err: err})
		if _, makes := step.Op.(host.AddBridge); makes {
			break
		}
	}
	return errors.Join(errs...)
}
