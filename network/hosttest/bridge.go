// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
)

// maxPorts is how many ports the kernel gives a bridge (BR_MAX_PORTS less the number 0).
const maxPorts = 1023

func (m *Machine) addBridge(o host.AddBridge) error {
	if err := m.canFilterVLANs(o.VLANFiltering); err != nil {
		return err
	}
	l := newLink(host.Link{
		Name: o.Link, Kind: host.Bridge, MAC: o.MAC, MTU: o.MTU, Owner: o.Owner, STP: o.STP, ForwardDelay: o.ForwardDelay,
		VLANFiltering: o.VLANFiltering,
	})
	l.mtuSet = o.MTU != 0
	return m.addLink(l)
}

func (m *Machine) setBridge(o host.SetBridge) error {
	l := m.links[o.Bridge.Link]
	if l == nil || l.Kind != host.Bridge || l.MAC != o.Was.MAC && l.MAC != o.Bridge.MAC {
		return missing("bridge %s with hardware address %s", o.Bridge.Link, o.Was.MAC)
	}
	if err := m.canFilterVLANs(o.Bridge.VLANFiltering); err != nil {
		return err
	}
	l.MAC, l.STP, l.ForwardDelay, l.VLANFiltering = o.Bridge.MAC, o.Bridge.STP, o.Bridge.ForwardDelay, o.Bridge.VLANFiltering
	switch {
	case o.Bridge.MTU != 0:
		l.mtuSet = true
		m.resize(l, o.Bridge.MTU)
	case o.Was.MTU != 0:
		l.mtuSet = false
		m.followPorts(l.Name)
		l.mtuSet = true
	}
	return nil
}

// canFilterVLANs refuses what needs bridges that keep VLANs apart.
func (m *Machine) canFilterVLANs(needed bool) error {
	if needed && m.NoVLANFiltering {
		return fmt.Errorf("the machine's bridges cannot keep VLANs apart: %w", errors.ErrUnsupported)
	}
	return nil
}

func (m *Machine) filterVLANs(o host.FilterVLANs) error {
	l := m.links[o.Link]
	if l == nil || l.Kind != host.Bridge {
		return missing("bridge %s", o.Link)
	}
	if err := m.canFilterVLANs(true); err != nil {
		return err
	}
	l.VLANFiltering = true
	return nil
}

func (m *Machine) plug(o host.Plug) error {
	l, err := m.link(o.Link)
	if err != nil {
		return err
	}
	bridge := m.links[o.Bridge]
	switch {
	case bridge == nil || bridge.Kind != host.Bridge:
		return missing("bridge %s", o.Bridge)
	case l.Kind == host.Bridge || l.Name == loopback:
		return refused("link %s cannot be a port of a bridge", o.Link)
	case l.Master != "":
		return exists("link %s is a port of %s", o.Link, l.Master)
	case l.Kind == host.Macvtap || len(m.standing(l.Name)) > 0:
		return exists("link %s belongs to macvtap devices, or is one, and", o.Link)
	case len(m.ports(o.Bridge)) >= maxPorts:
		return refused("bridge %s has %d ports, which is all a bridge can have", o.Bridge, maxPorts)
	}
	if err := m.portRefused(o); err != nil {
		return err
	}
	l.become(o)
	m.followPorts(o.Bridge)
	return nil
}

// portRefused is what stands against a port like this on its bridge.
func (m *Machine) portRefused(o host.Plug) error {
	for _, other := range m.ports(o.Bridge) {
		if other.Name != o.Link && !o.Station.IsZero() && other.station == o.Station {
			return exists("station %s behind port %s", o.Station, other.Name)
		}
	}
	return m.canFilterVLANs(!o.VLANs.IsZero())
}

func (m *Machine) setPlug(o host.SetPlug) error {
	l, err := m.link(o.Plug.Link)
	if err != nil {
		return err
	}
	bridge := m.links[o.Plug.Bridge]
	switch {
	case l.Master == "" || l.Master != o.Was.Bridge && l.Master != o.Plug.Bridge:
		return missing("link %s as a port of %s", o.Was.Link, o.Was.Bridge)
	case bridge == nil || bridge.Kind != host.Bridge:
		return missing("bridge %s", o.Plug.Bridge)
	case l.Master != o.Plug.Bridge && len(m.ports(o.Plug.Bridge)) >= maxPorts:
		return refused("bridge %s has %d ports, which is all a bridge can have", o.Plug.Bridge, maxPorts)
	}
	if err := m.portRefused(o.Plug); err != nil {
		return err
	}
	l.Hairpin = l.Hairpin && l.Master == o.Plug.Bridge
	l.become(o.Plug)
	if was := m.links[o.Was.Bridge]; was != nil {
		m.followPorts(o.Was.Bridge)
	}
	m.followPorts(o.Plug.Bridge)
	return nil
}

func (m *Machine) unplug(o host.Unplug) error {
	l := m.links[o.Link]
	if l == nil || l.Master != o.Bridge {
		return missing("port %s of bridge %s", o.Link, o.Bridge)
	}
	l.free()
	m.followPorts(o.Bridge)
	return nil
}

// reflect has a port reflect, or no longer.
func (m *Machine) reflect(name string, on bool) error {
	l, err := m.link(name)
	if err == nil && l.Master == "" {
		err = missing("link %s as a port of a bridge", name)
	}
	if err != nil {
		return err
	}
	l.Hairpin = on
	return nil
}

// become makes a link a port, and free takes it out of its bridge, which forgets all about the port.
func (l *link) become(o host.Plug) {
	l.Master, l.Isolated, l.NoLearning, l.NoFlood = o.Bridge, o.Isolated, o.NoLearning, o.NoFlood
	l.station, l.VLANs = o.Station, o.VLANs
}

func (l *link) free() {
	l.become(host.Plug{})
	l.Hairpin = false
}

// followPorts gives a bridge whose MTU nobody set that of its smallest port.
func (m *Machine) followPorts(bridge string) {
	b := m.links[bridge]
	if b == nil || b.mtuSet {
		return
	}
	smallest := 0
	for _, port := range m.ports(bridge) {
		if smallest == 0 || port.MTU < smallest {
			smallest = port.MTU
		}
	}
	if smallest == 0 {
		smallest = 1500
	}
	m.resize(b, smallest)
}
