// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"os"

	"github.com/go-virtnet/virtnet/network/host"
)

// addMacvtap keeps the rules of the kernel about what may stand on what.
func (m *Machine) addMacvtap(o host.AddMacvtap) error {
	if _, err := m.ground(o.Lower); err != nil {
		return err
	}
	if m.links[o.Link] != nil {
		return exists("link %s", o.Link)
	}
	below, err := m.below(o.Lower, o.Mode, o.MTU)
	if err != nil {
		return err
	}
	if err := m.keeps(below, o.MAC, o.Mode); err != nil {
		return err
	}
	l := newLink(host.Link{
		Name: o.Link, Kind: host.Macvtap, MAC: o.MAC, MTU: o.MTU, Owner: o.Owner, Lower: o.Lower, Mode: o.Mode,
	})
	if l.MTU == 0 {
		l.MTU = below.MTU
	}
	l.queues = max(o.Queues, 1)
	l.takes.Promiscuous = o.Mode == host.Passthru
	if err := m.addLink(l); err != nil {
		return err
	}
	if o.Mode == host.Passthru {
		below.MAC = o.MAC
	}
	return nil
}

// ground finds a device that others could stand on, which is looked for before anything else.
func (m *Machine) ground(lower string) (*link, error) {
	l, err := m.link(lower)
	if err == nil && (l.Kind == host.Macvtap || l.Kind == host.Macvlan) {
		err = refused("%s is no device that others could stand on", lower)
	}
	return l, err
}

// below finds the device that a macvtap or macvlan device of that mode and MTU is to stand on.
func (m *Machine) below(lower, mode string, mtu int) (*link, error) {
	below, err := m.ground(lower)
	switch {
	case err != nil:
		return nil, err
	case below.Name == loopback:
		return nil, refused("%s is no device that others could stand on", lower)
	case below.Master != "":
		return nil, exists("%s is a port of %s, as which it", lower, below.Master)
	case mtu > below.MTU:
		return nil, refused("mtu %d is above the %d of %s", mtu, below.MTU, lower)
	}
	for _, l := range m.standing(lower) {
		if l.Mode == host.Passthru || mode == host.Passthru {
			return nil, refused("%s is on %s in mode %s", l.Name, lower, l.Mode)
		}
	}
	return below, nil
}

// keeps refuses to give a virtual function another address by its network device, if its card has given it one and does not
// trust it.
func (m *Machine) keeps(below *link, mac host.MAC, mode string) error {
	fn := m.places[below.PCI]
	if mode == host.Passthru && fn != nil && fn.Fixed && fn.VF.Trust != host.On && below.MAC != mac {
		return denied("%s keeps its address, which its card has given it: address %s", below.Name, mac)
	}
	return nil
}

// standing are the macvtap and macvlan devices on a link, here and in the namespaces of guests.
func (m *Machine) standing(lower string) []host.Link {
	var all []host.Link
	for _, l := range m.uppers(lower) {
		all = append(all, l.Link)
	}
	for _, g := range m.guests {
		if g.Lower == lower {
			all = append(all, g.Link)
		}
	}
	return all
}

// uppers are the macvtap devices on a link.
func (m *Machine) uppers(lower string) []*link {
	var uppers []*link
	for name := range m.macvtaps {
		if l := m.links[name]; l != nil && l.Lower == lower {
			uppers = append(uppers, l)
		}
	}
	return uppers
}

func (m *Machine) delMacvtap(o host.DelMacvtap) error {
	l := m.links[o.Link]
	if l == nil || !host.AddMacvtap(o).Made(l.Link) {
		return missing("macvtap %s on %s with address %s", o.Link, o.Lower, o.MAC)
	}
	if err := m.delLink(l.Name, l.Kind, l.MAC); err != nil {
		return err
	}
	if below := m.links[o.Lower]; below != nil && o.Mode == host.Passthru {
		below.MAC = o.Was
	}
	return nil
}

// heard says whether a macvtap device would get the frames for its address, which is the condition for it to come up.
func (m *Machine) heard(l *link) error {
	below := m.links[l.Lower]
	if l.Kind != host.Macvtap || l.Mode == host.Passthru || below == nil {
		return nil
	}
	if below.MAC == l.MAC {
		return exists("address %s of %s: %s has it", l.MAC, l.Name, below.Name)
	}
	for _, other := range m.uppers(l.Lower) {
		if other != l && other.Up && other.MAC == l.MAC {
			return exists("address %s of %s: %s has it", l.MAC, l.Name, other.Name)
		}
	}
	return nil
}

// OpenMacvtap returns files that carry nothing, as [Machine.OpenTap] does. See [host.MacvtapOpener].
func (m *Machine) OpenMacvtap(ctx context.Context, made host.AddMacvtap, queues int) ([]*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.checkMacvtap(made, queues); err != nil {
		return nil, err
	}
	return nothings(queues)
}

func (m *Machine) checkMacvtap(made host.AddMacvtap, queues int) error {
	defer m.lock().Unlock()
	if err := made.Check(); err != nil {
		return err
	}
	l := m.links[made.Link]
	if l == nil || !made.Made(l.Link) {
		return missing("macvtap %s", made.Link)
	}
	if most := max(made.Queues, 1); queues < 1 || queues > most {
		return refused("macvtap %s: %d queues wanted of %d", made.Link, queues, most)
	}
	return nil
}
