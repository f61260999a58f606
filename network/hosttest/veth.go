// SPDX-License-Identifier: Apache-2.0

package hosttest

import "github.com/go-virtnet/virtnet/network/host"

// AddNamespace makes a network namespace known by its file, such as /run/netns/guest, as a place for one end of a veth, or
// for a macvlan device.
func (m *Machine) AddNamespace(file string) {
	defer m.lock().Unlock()
	m.namespaces[file] = true
}

// DelNamespace ends a network namespace, as the guest's last process does by ending. What was in it goes with it.
func (m *Machine) DelNamespace(file string) error {
	defer m.lock().Unlock()
	if !m.namespaces[file] {
		return missing("network namespace %s", file)
	}
	delete(m.namespaces, file)
	m.dropGuests(func(g guestLink) bool { return g.Namespace == file })
	for _, l := range m.links {
		if l.namespace == file {
			if err := m.delLink(l.Name, l.Kind, l.MAC); err != nil {
				return err
			}
		}
	}
	return nil
}

// addVeth looks for the namespace and for the peer's name in it, as far as this machine filled it.
func (m *Machine) addVeth(o host.AddVeth) error {
	if !m.namespaces[o.Namespace] {
		return missing("network namespace %s", o.Namespace)
	}
	for _, l := range m.links {
		if l.peer == o.Peer && l.namespace == o.Namespace {
			return exists("link %s in %s", o.Peer, o.Namespace)
		}
	}
	if m.guest(o.Namespace, o.Peer) >= 0 {
		return exists("link %s in %s", o.Peer, o.Namespace)
	}
	l := newLink(host.Link{Name: o.Link, Kind: host.Veth, MAC: o.MAC, MTU: o.MTU, Owner: o.Owner})
	l.peer, l.namespace = o.Peer, o.Namespace
	return m.addLink(l)
}
