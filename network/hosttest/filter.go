// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// FlushFilters removes the filters of all networks, as "nft flush ruleset" does.
func (m *Machine) FlushFilters() {
	defer m.lock().Unlock()
	clear(m.filters)
}

func (m *Machine) filterFacts(scope host.Scope, f *host.Facts) {
	for network, filter := range m.filters {
		if scope.HasFilter(network) {
			f.Filters = append(f.Filters, cloneFilter(filter))
		}
	}
}

func (m *Machine) setFilter(o host.SetFilter) error {
	_, there := m.filters[o.Network]
	switch {
	case len(o.Filter.DHCP) > 0 && !slices.Contains(m.repairs(), host.Clear):
		return fmt.Errorf("repair of checksums: %w", errors.ErrUnsupported)
	case there && o.Was.IsZero():
		return exists("filter of network %s", o.Network)
	case !there && !o.Was.IsZero():
		return missing("filter of network %s", o.Network)
	case o.Filter.IsZero():
		delete(m.filters, o.Network)
		return nil
	}
	for _, other := range m.filters {
		if other.Link == o.Filter.Link && other.Network != o.Network {
			return exists("filter of link %s, for network %s", other.Link, other.Network)
		}
		for _, addr := range o.Filter.DHCP {
			if other.Network != o.Network && slices.Contains(other.DHCP, addr) {
				return exists("DHCP server address %s, of network %s", addr, other.Network)
			}
		}
		for _, p := range o.Filter.Forwards {
			if other.Network != o.Network && slices.ContainsFunc(other.Forwards, p.Overlaps) {
				return exists("port forward %s, of network %s", p, other.Network)
			}
		}
	}
	m.filters[o.Network] = cloneFilter(o.Filter)
	return nil
}

func cloneFilter(f host.Filter) host.Filter {
	f.From, f.To, f.NAT, f.DHCP = slices.Clone(f.From), slices.Clone(f.To), slices.Clone(f.NAT), slices.Clone(f.DHCP)
	f.Forwards, f.Open = slices.Clone(f.Forwards), slices.Clone(f.Open)
	return f
}
