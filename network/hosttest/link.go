// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// loopback is the name of the device that every machine has.
const loopback = "lo"

// minIPv6 is the smallest MTU of a link that has IPv6.
const minIPv6 = 1280

// A link is a device with what the facts do not show of it.
type link struct {
	host.Link
	// card marks hardware: it stays when the machine is switched off.
	card bool
	// mtuSet keeps a bridge from taking the size of its ports.
	mtuSet bool
	// queues is how often a tap can be opened.
	queues int
	// peer and namespace are the other end of a veth.
	peer, namespace string
	// sysctls holds the parameters that were set.
	sysctls map[sysctl]string
	// takes is what a link takes besides what is for its address.
	takes host.Receive
	// station is that of a bridge port.
	station host.MAC
	// neighbours are those that the machine has heard of, sorted; the list is replaced and never changed.
	neighbours []host.Neighbour
	// counters are what has passed the device of a guest.
	counters host.Counters
}

func newLink(l host.Link) *link { return &link{Link: l, sysctls: map[sysctl]string{}} }

func newCard(name string, mac host.MAC) *link {
	l := newLink(host.Link{Name: name, MAC: mac, MTU: 1500, Up: true})
	l.card = true
	return l
}

// AddLink puts another network card into the machine, up and without addresses.
func (m *Machine) AddLink(name string) error {
	if err := host.CheckName(name); err != nil {
		return err
	}
	defer m.lock().Unlock()
	number := 1
	for _, l := range m.links {
		if l.card {
			number++
		}
	}
	return m.addLink(newCard(name, host.MAC{0: 2, 4: byte(number >> 8), 5: byte(number)}))
}

// AddVLAN puts a VLAN device on a network card of the machine: ip link add LOWER.ID link LOWER type vlan id ID. Its name
// is free to choose.
func (m *Machine) AddVLAN(name, lower string, id int) error {
	if err := host.CheckName(name); err != nil {
		return err
	}
	if id < 1 || id > 4094 {
		return fmt.Errorf("vlan %d: 1 to 4094 are allowed: %w", id, fs.ErrInvalid)
	}
	defer m.lock().Unlock()
	below := m.links[lower]
	if below == nil {
		return fmt.Errorf("link %s: %w", lower, fs.ErrNotExist)
	}
	l := newCard(name, below.MAC)
	l.Kind, l.Lower, l.VLAN, l.MTU = "vlan", lower, id, below.MTU
	return m.addLink(l)
}

func (m *Machine) linkFacts(scope host.Scope, f *host.Facts) {
	var names []string
	if scope.All {
		names = slices.Sorted(maps.Keys(m.links))
	} else {
		names = slices.Compact(slices.Sorted(slices.Values(slices.Concat(scope.Links, scope.Bare))))
	}
	for _, name := range names {
		if l := m.links[name]; l != nil {
			f.Links = append(f.Links, l.Link)
			if !l.station.IsZero() {
				f.Stations = append(f.Stations, host.Station{Link: name, MAC: l.station})
			}
		}
	}
	f.VLANFiltering = scope.VLANs && !m.NoVLANFiltering
}

// addLink is for a link of any kind.
func (m *Machine) addLink(l *link) error {
	if m.links[l.Name] != nil {
		return exists("link %s", l.Name)
	}
	if l.MTU == 0 {
		l.MTU = 1500
	}
	m.links[l.Name] = l
	if l.Kind == host.Macvtap || l.Kind == host.Macvlan {
		m.macvtaps[l.Name] = true
	}
	return nil
}

// delLink removes a link that is of that kind and has that address, and all that goes with it.
func (m *Machine) delLink(name string, kind host.Kind, mac host.MAC) error {
	l := m.links[name]
	if l == nil || l.Kind != kind || l.MAC != mac {
		return missing("%s %s with address %s", kind, name, mac)
	}
	delete(m.links, name)
	delete(m.macvtaps, name)
	m.dropShape(name)
	delete(m.filled, name)
	m.dropAssociations(name)
	m.dropProfiles(name)
	m.unregister(name)
	m.dropGuests(func(g guestLink) bool { return g.Lower == name })
	m.dropAddrs(name, isAny)
	m.dropRoutes(name, isAny)
	for _, port := range m.ports(name) {
		port.free()
	}
	m.followPorts(l.Master)
	for _, upper := range m.links {
		if upper.Lower == name {
			if err := m.delLink(upper.Name, upper.Kind, upper.MAC); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Machine) setUp(o host.SetUp) error {
	l, err := m.link(o.Link)
	if err != nil {
		return err
	}
	if !l.Up {
		if err := m.heard(l); err != nil {
			return err
		}
	}
	l.Up = true
	if l.Name == loopback {
		m.loopbackAddrs()
	}
	return nil
}

// setDown costs a link its routes, and its IPv6 addresses.
func (m *Machine) setDown(o host.SetDown) error {
	l, err := m.link(o.Link)
	if err != nil {
		return err
	}
	if l.Up {
		l.Up = false
		m.dropRoutes(l.Name, isAny)
		m.dropIPv6(l.Name)
	}
	return nil
}

func (m *Machine) setMTU(o host.SetMTU) error {
	l, err := m.link(o.Link)
	if err != nil {
		return err
	}
	if below := m.links[l.Lower]; below != nil && (l.Kind == host.Macvtap || l.Kind == host.Macvlan) && o.MTU > below.MTU {
		return refused("mtu %d of %s is above the %d of %s", o.MTU, l.Name, below.MTU, below.Name)
	}
	if l.MTU != o.MTU { // to the kernel, what is already so was not set by anybody
		l.mtuSet = true
		m.resize(l, o.MTU)
		m.followPorts(l.Master)
	}
	return nil
}

// resize gives a link another MTU, which macvtap devices on it cannot exceed. A link that is too small for IPv6 loses all
// that belongs to it.
func (m *Machine) resize(l *link, mtu int) {
	l.MTU = mtu
	for _, upper := range m.uppers(l.Name) {
		if upper.MTU > mtu {
			m.resize(upper, mtu)
		}
	}
	for i, g := range m.guests {
		if g.Lower == l.Name {
			m.guests[i].MTU = min(g.MTU, mtu)
		}
	}
	if mtu >= minIPv6 {
		return
	}
	m.dropIPv6(l.Name)
	for key := range l.sysctls {
		if key.family == host.IPv6 {
			delete(l.sysctls, key)
		}
	}
}

// link finds a link for an operation.
func (m *Machine) link(name string) (*link, error) {
	if l := m.links[name]; l != nil {
		return l, nil
	}
	return nil, missing("link %s", name)
}

// ports are the links that are plugged into a bridge.
func (m *Machine) ports(bridge string) []*link {
	var ports []*link
	for _, l := range m.links {
		if l.Master == bridge && bridge != "" {
			ports = append(ports, l)
		}
	}
	return ports
}
