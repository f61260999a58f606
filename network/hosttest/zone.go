// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// zoning is the firewalld of a machine.
type zoning struct {
	// bus is set once there was one.
	bus, running    bool
	names, policies []string
	// links are the zones of links, by their names.
	links map[string]string
}

// StartFirewalld starts firewalld with these zones, or again if it runs: no link is in a zone then. [Machine.Send] does not
// ask it.
func (m *Machine) StartFirewalld(zones ...string) {
	defer m.lock().Unlock()
	m.zoning = zoning{bus: true, running: true, names: slices.Clone(zones), policies: m.zoning.policies, links: map[string]string{}}
}

// StopFirewalld ends firewalld, or leaves a machine that never had one with a message bus on which it may appear.
func (m *Machine) StopFirewalld() {
	defer m.lock().Unlock()
	m.zoning = zoning{bus: true, policies: m.zoning.policies}
}

// SetPolicies says which policies firewalld has between zones.
func (m *Machine) SetPolicies(names ...string) {
	defer m.lock().Unlock()
	m.zoning.policies = slices.Clone(names)
}

func (m *Machine) zoneFacts(scope host.Scope, f *host.Facts) {
	if !scope.Zones {
		return
	}
	f.Zones = host.Zones{Possible: m.zoning.bus, Running: m.zoning.running}
	if !m.zoning.running {
		return
	}
	f.Zones.Names, f.Zones.Policies = slices.Clone(m.zoning.names), slices.Clone(m.zoning.policies)
	for _, link := range slices.Sorted(maps.Keys(m.zoning.links)) {
		f.Zones.Links = append(f.Zones.Links, host.ZonedLink{Link: link, Zone: m.zoning.links[link]})
	}
}

func (m *Machine) setZone(o host.SetZone) error {
	is := m.zoning.links[o.Link]
	there := slices.Contains(m.zoning.names, o.Zone)
	switch {
	case o.Optional && (!m.zoning.running || o.Zone != "" && !there):
		return nil
	case !m.zoning.running && o.Was == "":
		return fmt.Errorf("firewalld does not run: %w", errors.ErrUnsupported)
	case o.Zone != "" && !there:
		return missing("zone %s", o.Zone)
	case o.Was == "" && is != "":
		return exists("link %s is in zone %s", o.Link, is)
	case is == o.Zone && is != "":
		return nil
	case is != o.Was:
		return missing("link %s in zone %s", o.Link, o.Was)
	case o.Zone == "":
		delete(m.zoning.links, o.Link)
	default:
		m.zoning.links[o.Link] = o.Zone
	}
	return nil
}
