// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// repairs is how this machine can repair the checksums of what DHCP servers answer.
func (m *Machine) repairs() []host.Repair {
	if m.Repairs == nil {
		return []host.Repair{host.Fill, host.Clear}
	}
	return slices.Clone(m.Repairs)
}

// DropChecksums has a link no longer fill checksums in, as "tc filter del dev LINK egress" does.
func (m *Machine) DropChecksums(link string) {
	defer m.lock().Unlock()
	delete(m.filled, link)
}

func (m *Machine) checksumFacts(scope host.Scope, f *host.Facts) {
	for link := range maps.Keys(m.filled) {
		if scope.HasFilled(link) {
			f.Filled = append(f.Filled, link)
		}
	}
	if scope.Repairs {
		f.Repairs = m.repairs()
	}
}

func (m *Machine) fillChecksums(o host.FillChecksums) error {
	if _, err := m.link(o.Link); err != nil {
		return err
	}
	switch {
	case m.filled[o.Link]:
		return exists("checksums of link %s", o.Link)
	case !slices.Contains(m.repairs(), host.Fill):
		return fmt.Errorf("checksums of link %s: %w", o.Link, errors.ErrUnsupported)
	}
	m.filled[o.Link] = true
	return nil
}

func (m *Machine) unfillChecksums(o host.UnfillChecksums) error {
	if !m.filled[o.Link] {
		return missing("checksums of link %s", o.Link)
	}
	delete(m.filled, o.Link)
	return nil
}
