// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/network/schema"
)

// Define keeps a network for good, without starting it: virsh net-define. What the document leaves open (its uuid, the
// name and hardware address of its bridge) is chosen now and stays. A network of that name is redefined; if it runs, the
// new definition counts from its next start. A document that breaks a rule is a [schema.Violations]; a uuid or bridge of
// another network wraps fs.ErrExist. The document stays the caller's.
func (m *Manager) Define(ctx context.Context, n *Network) error {
	if err := n.ValidateAs(m.config.Rules); err != nil {
		return err
	}
	release, err := m.lockNetwork(ctx, n.Name)
	if err != nil {
		return err
	}
	defer release()
	releaseHost, err := m.store.Lock(ctx, "host")
	if err != nil {
		return err
	}
	defer releaseHost()
	if n, err = m.identify(ctx, n); err != nil {
		return err
	}
	if n, err = m.complete(ctx, n); err != nil {
		return err
	}
	if err := m.checkBridge(ctx, n); err != nil {
		return err
	}
	text, err := n.Format()
	if err != nil {
		return err
	}
	kind := EventRedefined
	if _, err := m.store.Load(ctx, definitionName(n.Name)); errors.Is(err, fs.ErrNotExist) {
		kind = EventDefined
	}
	if err := m.store.Save(ctx, definitionName(n.Name), text); err != nil {
		return err
	}
	m.emit(Event{Kind: kind, Network: n.Name})
	return nil
}

// identify returns the document with the uuid that its network has already, defined or running, and refuses one that belongs to another.
func (m *Manager) identify(ctx context.Context, n *Network) (*Network, error) {
	old, err := m.definition(ctx, n.Name)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = m.live(ctx, n.Name)
	}
	if err == nil && n.UUID.IsZero() {
		n = n.Clone()
		n.UUID = old.UUID
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if old != nil && old.UUID != n.UUID {
		return nil, fail(fs.ErrExist, "/network/uuid: network %q has the uuid %s", n.Name, old.UUID)
	}
	if old != nil || n.UUID.IsZero() {
		return n, nil
	}
	all, err := m.definitions(ctx)
	if err != nil {
		return nil, err
	}
	for _, other := range all {
		if other.UUID == n.UUID {
			return nil, fail(fs.ErrExist, "/network/uuid: %s belongs to network %q", n.UUID, other.Name)
		}
	}
	return n, nil
}

// checkBridge refuses a bridge of the network's own that another network has.
func (m *Manager) checkBridge(ctx context.Context, n *Network) error {
	if !n.Managed() || n.Bridge == nil || n.Bridge.Name == "" {
		return nil
	}
	taken, err := m.bridges(ctx)
	if err != nil {
		return err
	}
	if other := taken[n.Bridge.Name]; other != "" && other != n.Name {
		return fail(fs.ErrExist, "/network/bridge/@name: %s belongs to network %q", n.Bridge.Name, other)
	}
	return nil
}

// bridges are the names of all bridges that networks have, and the names of those networks. The caller holds the lock of
// the host.
func (m *Manager) bridges(ctx context.Context) (map[string]string, error) {
	all, err := m.definitions(ctx)
	if err != nil {
		return nil, err
	}
	taken := map[string]string{}
	for _, n := range all {
		if n.Bridge != nil && n.Bridge.Name != "" {
			taken[n.Bridge.Name] = n.Name
		}
	}
	instance, err := m.instance(ctx)
	if err != nil {
		return nil, err
	}
	c, err := m.ledger.load(ctx, instance)
	if err != nil {
		return nil, err
	}
	for _, has := range c.Networks {
		if has.Link != "" {
			taken[has.Link] = has.Name
		}
	}
	return taken, nil
}

// Undefine forgets a network: virsh net-undefine. One that runs goes on as a transient network until it is stopped; one that
// does not, but has ports which wait for its next start, is ErrBusy: nobody could find them any more. An unknown one
// wraps fs.ErrNotExist.
func (m *Manager) Undefine(ctx context.Context, name string) error {
	release, err := m.lockNetwork(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if _, err := m.definition(ctx, name); err != nil {
		return err
	}
	switch _, err := m.running(ctx, name); {
	case errors.Is(err, fs.ErrNotExist):
		if err := m.checkIdle(ctx, name); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	for _, stored := range []string{autostartName(name), leasesName(name), definitionName(name)} {
		if err := m.store.Remove(ctx, stored); err != nil {
			return err
		}
	}
	m.emit(Event{Kind: EventUndefined, Network: name})
	return nil
}

// SetAutostart says whether [Manager.Autostart] starts a defined network: virsh net-autostart.
func (m *Manager) SetAutostart(ctx context.Context, name string, on bool) error {
	release, err := m.lockNetwork(ctx, name)
	if err != nil {
		return err
	}
	defer release()
	if _, err := m.definition(ctx, name); err != nil {
		return err
	}
	if !on {
		return m.store.Remove(ctx, autostartName(name))
	}
	return m.store.Save(ctx, autostartName(name), []byte(name))
}

// Autostart starts the networks that are to be started by themselves and do not run, as [Manager.StartMany] does.
func (m *Manager) Autostart(ctx context.Context) error {
	keys, err := m.store.List(ctx, "autostart")
	if err != nil {
		return err
	}
	var errs []error
	var names []string
	for _, key := range keys {
		name, err := m.store.Load(ctx, "autostart/"+key)
		switch {
		case err == nil:
			names = append(names, string(name))
		case !errors.Is(err, fs.ErrNotExist): // the mark has gone since it was listed
			errs = append(errs, err)
		}
	}
	m.startMany(ctx, names, func(name string, err error) {
		if err != nil && !errors.Is(err, ErrActive) {
			errs = append(errs, &NetworkError{name, err})
		}
	})
	return errors.Join(errs...)
}

// definition is the stored document of a network.
func (m *Manager) definition(ctx context.Context, name string) (*Network, error) {
	n, err := m.parse(ctx, definitionName(name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && n.Name != name {
		return nil, fail(fs.ErrNotExist, "network %q is not defined", name)
	}
	return n, err
}

// definitions are all stored documents, by the order of their names in the store.
func (m *Manager) definitions(ctx context.Context) ([]*Network, error) {
	keys, err := m.store.List(ctx, "networks")
	if err != nil {
		return nil, err
	}
	var all []*Network
	for _, key := range keys {
		n, err := m.parse(ctx, "networks/"+key)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone since it was listed
		}
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

func (m *Manager) parse(ctx context.Context, stored string) (*Network, error) {
	text, err := m.store.Load(ctx, stored)
	if err != nil {
		return nil, err
	}
	n, err := Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("store: %s: %w", stored, err)
	}
	n.Source = schema.Source{}
	return n, nil
}
