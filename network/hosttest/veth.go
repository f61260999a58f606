// SPDX-License-Identifier: Apache-2.0

package hosttest

import "github.com/go-virtnet/virtnet/network/host"

// AddNamespace makes a network namespace known by its file, such as /run/netns/guest, as a place for one end of a veth.
func (m *Machine) AddNamespace(file string) {
	defer m.lock().Unlock()
	m.namespaces[file] = true
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
	l := newLink(host.Link{Name: o.Link, Kind: host.Veth, MAC: o.MAC, MTU: o.MTU, Owner: o.Owner})
	l.peer, l.namespace = o.Peer, o.Namespace
	return m.addLink(l)
}
