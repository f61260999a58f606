// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"maps"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// A guestLink is a macvlan device in the namespace of a guest.
type guestLink struct {
	host.GuestLink
	// was is the address that the device below has without it, in mode passthru.
	was      host.MAC
	counters host.Counters
}

// addMacvlan keeps the rules of the kernel about what may stand on what, as addMacvtap does.
func (m *Machine) addMacvlan(o host.AddMacvlan) error {
	if _, err := m.ground(o.Lower); err != nil {
		return err
	}
	if !m.namespaces[o.Namespace] {
		return missing("network namespace %s", o.Namespace)
	}
	peer := func(l *link) bool { return l.namespace == o.Namespace && l.peer == o.Link }
	if m.guest(o.Namespace, o.Link) >= 0 || slices.ContainsFunc(slices.Collect(maps.Values(m.links)), peer) {
		return exists("link %s in %s", o.Link, o.Namespace)
	}
	below, err := m.below(o.Lower, o.Mode, o.MTU)
	if err != nil {
		return err
	}
	if err := m.keeps(below, o.MAC, o.Mode); err != nil {
		return err
	}
	mtu := o.MTU
	if mtu == 0 {
		mtu = below.MTU
	}
	m.guests = append(m.guests, guestLink{was: o.Was, GuestLink: host.GuestLink{Namespace: o.Namespace, Link: host.Link{
		Name: o.Link, Kind: host.Macvlan, MAC: o.MAC, MTU: mtu, Owner: o.Owner, Lower: o.Lower, Mode: o.Mode,
	}}})
	if o.Mode == host.Passthru {
		below.MAC = o.MAC
	}
	return nil
}

func (m *Machine) delMacvlan(o host.DelMacvlan) error {
	made := func(g guestLink) bool { return g.Namespace == o.Namespace && host.AddMacvlan(o).Made(g.Link) }
	if !slices.ContainsFunc(m.guests, made) {
		return missing("macvlan %s in %s on %s", o.Link, o.Namespace, o.Lower)
	}
	m.dropGuests(made)
	return nil
}

// guest finds a macvlan device in a namespace by its name; -1 is none.
func (m *Machine) guest(namespace, name string) int {
	return slices.IndexFunc(m.guests, func(g guestLink) bool { return g.Namespace == namespace && g.Name == name })
}

// dropGuests removes macvlan devices in the namespaces of guests; the kernel gives those below their addresses back.
func (m *Machine) dropGuests(which func(guestLink) bool) {
	for _, g := range m.guests {
		if below := m.links[g.Lower]; which(g) && below != nil && !g.was.IsZero() {
			below.MAC = g.was
		}
	}
	m.guests = slices.DeleteFunc(m.guests, which)
}

// RenameGuest gives a macvlan device in the namespace of a guest another name, as the guest may: ip -n NAMESPACE link set NAME
// name OTHER.
func (m *Machine) RenameGuest(namespace, name, other string) error {
	if err := host.CheckName(other); err != nil {
		return err
	}
	defer m.lock().Unlock()
	i := m.guest(namespace, name)
	if i < 0 {
		return missing("link %s in %s", name, namespace)
	}
	m.guests[i].Name = other
	return nil
}

func (m *Machine) guestFacts(scope host.Scope, f *host.Facts) {
	for _, g := range m.guests {
		if slices.Contains(scope.Namespaces, g.Namespace) {
			f.Guests = append(f.Guests, g.GuestLink)
		}
	}
}
