// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/schema"
)

// A Status is what a manager knows of one network at one moment. It belongs to the caller.
type Status struct {
	Name string
	UUID schema.UUID
	// Definition is what the next start goes by; nil for a transient network.
	Definition *Network
	// Live is what the network runs with, with the numbers of ports that it and its devices have; nil if it does not run.
	Live *Network
	// Since is when it was started; zero if it does not run.
	Since time.Time
	// Built is what was done for it on the host; empty if it does not run.
	Built host.Plan
	// Autostart says whether [Manager.Autostart] starts it.
	Autostart bool
}

// Active reports whether the network runs.
func (s *Status) Active() bool { return s.Live != nil }

// Persistent reports whether the network is defined.
func (s *Status) Persistent() bool { return s.Definition != nil }

// Lookup returns the status of a network: virsh net-info. An unknown one wraps fs.ErrNotExist.
func (m *Manager) Lookup(ctx context.Context, name string) (*Status, error) {
	s := &Status{Name: name}
	n, err := m.definition(ctx, name)
	switch {
	case err == nil:
		s.Definition, s.UUID = n, n.UUID
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	notDefined := err
	r, err := m.running(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		if notDefined != nil {
			return nil, notDefined
		}
		return s, m.lookupAutostart(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	live, err := r.live()
	if err != nil {
		return nil, err
	}
	if live, err = m.connections(ctx, r.Instance, live); err != nil {
		return nil, err
	}
	s.Live, s.UUID, s.Since, s.Built = live, live.UUID, r.Since, r.Plan
	return s, m.lookupAutostart(ctx, s)
}

func (m *Manager) lookupAutostart(ctx context.Context, s *Status) error {
	_, err := m.store.Load(ctx, autostartName(s.Name))
	s.Autostart = err == nil
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// All yields the status of every network, those that are defined and those that run, by name: virsh net-list --all. An
// error about one network comes with a Status that has its name only, and the rest follows.
func (m *Manager) All(ctx context.Context) iter.Seq2[*Status, error] {
	return func(yield func(*Status, error) bool) {
		names, err := m.names(ctx)
		if err != nil {
			yield(&Status{}, err)
			return
		}
		for _, name := range names {
			s, err := m.Lookup(ctx, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // gone since it was listed
			}
			if err != nil {
				s = &Status{Name: name}
			}
			if !yield(s, err) {
				return
			}
		}
	}
}

// names are those of all networks, sorted.
func (m *Manager) names(ctx context.Context) ([]string, error) {
	all, err := m.definitions(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range all {
		names = append(names, n.Name)
	}
	keys, err := m.store.List(ctx, "run/networks")
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		r, err := loadJSON[record](ctx, m.store, "run/networks/"+key)
		if err == nil {
			names = append(names, r.Name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
