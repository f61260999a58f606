// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// receive is what a link takes.
func (l *link) receive() host.Receive {
	r := l.takes
	r.Link, r.MAC = l.Name, l.MAC
	r.Groups = slices.Clone(r.Groups)
	return r
}

func (m *Machine) receiveFacts(scope host.Scope, f *host.Facts) {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(scope.Receives))) {
		if l := m.links[name]; l != nil {
			f.Receives = append(f.Receives, l.receive())
		}
	}
}

func (m *Machine) setReceive(o host.SetReceive) error {
	l, err := m.link(o.Link)
	if err != nil {
		return err
	}
	for _, other := range m.uppers(l.Lower) {
		if l.Up && other.Up && other.Name != l.Name && other.MAC == o.Receive.MAC {
			return exists("address %s of %s", o.Receive.MAC, other.Name)
		}
	}
	if lower := m.links[l.Lower]; lower != nil && l.Mode == host.Passthru {
		lower.MAC = o.Receive.MAC
	}
	l.MAC, l.takes = o.Receive.MAC, o.Receive
	l.takes.Groups = slices.Clone(o.Receive.Groups)
	return nil
}
