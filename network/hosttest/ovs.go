// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// ovsKind is the kernel's word for the bridges of Open vSwitch.
const ovsKind host.Kind = "openvswitch"

// AddOVS puts bridges of Open vSwitch into the machine, which stay when it is switched off, and makes it one with Open
// vSwitch. What is no name of a link, or is taken by one, is an error, and the bridges before it are made.
func (m *Machine) AddOVS(bridges ...string) error {
	defer m.lock().Unlock()
	for _, name := range bridges {
		if err := host.CheckName(name); err != nil {
			return err
		}
		if err := m.addLink(newOVS(name)); err != nil {
			return err
		}
		m.ovsBridges = append(m.ovsBridges, name)
	}
	return nil
}

func newOVS(name string) *link { return newLink(host.Link{Name: name, Kind: ovsKind, MTU: 1500}) }

// bootOVS makes the devices of the bridges. Ports of guests do not come back.
func (m *Machine) bootOVS(links map[string]*link) {
	for _, name := range m.ovsBridges {
		links[name] = newOVS(name)
	}
}

// DropOVSPort removes a port of Open vSwitch, as somebody else does: ovs-vsctl del-port LINK.
func (m *Machine) DropOVSPort(link string) {
	defer m.lock().Unlock()
	delete(m.ovsPorts, link)
}

// SetOVSPort gives a port of Open vSwitch, new or not, properties that no operation gives it.
func (m *Machine) SetOVSPort(p host.OVSPort) {
	defer m.lock().Unlock()
	m.ovsPorts[p.Link] = p
}

func (m *Machine) ovsFacts(scope host.Scope, f *host.Facts) {
	if scope.OVS {
		f.OVS.Bridges = slices.Clone(m.ovsBridges)
		if len(m.ovsBridges) == 0 {
			f.OVS.Missing = "the machine in memory has no Open vSwitch"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.ovsPorts)) {
		if scope.HasOVSPort(name) {
			p := m.ovsPorts[name]
			p.VLAN.Trunks = slices.Clone(p.VLAN.Trunks)
			f.OVSPorts = append(f.OVSPorts, p)
		}
	}
}

func (m *Machine) addOVSPort(p host.OVSPort) error {
	if err := m.checkOVS(p.Bridge); err != nil {
		return err
	}
	l, err := m.link(p.Link)
	if err != nil {
		return err
	}
	if old, ok := m.ovsPorts[p.Link]; ok {
		return exists("port %s on %s", p.Link, old.Bridge)
	}
	if l.Master != "" {
		return exists("link %s is a port of %s, as which it", p.Link, l.Master)
	}
	m.ovsPorts[p.Link] = p
	return nil
}

func (m *Machine) delOVSPort(p host.OVSPort) error {
	if err := m.checkOVS(""); err != nil {
		return err
	}
	if m.ovsPorts[p.Link].Owner != p.Owner {
		return missing("port %s of owner %q", p.Link, p.Owner)
	}
	delete(m.ovsPorts, p.Link)
	return nil
}

func (m *Machine) setOVSPort(o host.SetOVSPort) error {
	if err := m.checkOVS(o.Port.Bridge); err != nil {
		return err
	}
	if m.ovsPorts[o.Port.Link].Owner != o.Port.Owner {
		return missing("port %s of owner %q", o.Port.Link, o.Port.Owner)
	}
	m.ovsPorts[o.Port.Link] = o.Port
	return nil
}

// checkOVS refuses what a machine without Open vSwitch or without that bridge cannot do. The empty name is no bridge.
func (m *Machine) checkOVS(bridge string) error {
	switch {
	case len(m.ovsBridges) == 0:
		return fmt.Errorf("the machine in memory has no Open vSwitch: %w", errors.ErrUnsupported)
	case bridge != "" && !slices.Contains(m.ovsBridges, bridge):
		return missing("bridge %s of Open vSwitch", bridge)
	}
	return nil
}
