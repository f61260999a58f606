// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// associate asks the switch at a card, which takes in whoever asks.
func (m *Machine) associate(o host.Associate) error {
	l, err := m.link(o.Link)
	if err != nil {
		return err
	}
	was, known := m.associations[o.Instance]
	switch {
	case !l.Up:
		return missing("link %s that is up", o.Link)
	case !m.says(o.Link).VDP:
		return fmt.Errorf("the switch at %s associates no guests: %w", o.Link, errors.ErrUnsupported)
	case known && (was.VSI != o.VSI || !was.Pre || o.Pre):
		return exists("association %s at %s", o.Instance, was.Link)
	}
	m.associations[o.Instance] = host.Association(o)
	return nil
}

func (m *Machine) disassociate(o host.Disassociate) error {
	if was, known := m.associations[o.Instance]; !known || was.VSI != o.VSI {
		return missing("association %s at %s", o.Instance, o.Link)
	}
	delete(m.associations, o.Instance)
	return nil
}

// EndAssociations is a switch that forgets all guests of a card: it was told to, or has been started anew. Other cards keep
// theirs.
func (m *Machine) EndAssociations(link string) {
	defer m.lock().Unlock()
	m.dropAssociations(link)
}

func (m *Machine) dropAssociations(link string) {
	maps.DeleteFunc(m.associations, func(_ host.UUID, a host.Association) bool { return a.Link == link })
}

func (m *Machine) associationFacts(scope host.Scope, f *host.Facts) {
	for _, a := range m.associations {
		if scope.All || slices.Contains(scope.Associations, a.Link) {
			f.Associations = append(f.Associations, a)
		}
	}
}
