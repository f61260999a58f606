// SPDX-License-Identifier: Apache-2.0

package hosttest

import "github.com/go-virtnet/virtnet/network/host"

// setOwner marks a link, or takes a mark away.
func (m *Machine) setOwner(o host.SetOwner) error {
	l := m.links[o.Link]
	switch {
	case l == nil || l.MAC != o.MAC:
		return missing("link %s with address %s", o.Link, o.MAC)
	case l.Owner != o.Was && l.Owner != o.Owner:
		return exists("link %s belongs to %q", o.Link, l.Owner)
	}
	l.Owner = o.Owner
	return nil
}
