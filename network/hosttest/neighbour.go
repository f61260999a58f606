// SPDX-License-Identifier: Apache-2.0

package hosttest

import (
	"context"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

// Learn has the machine hear of a neighbour on a link. It takes the place of an earlier one of that address. The machine
// forgets it with the link.
func (m *Machine) Learn(name string, n host.Neighbour) error {
	defer m.lock().Unlock()
	l, err := m.link(name)
	if err != nil {
		return err
	}
	l.neighbours = slices.DeleteFunc(slices.Clone(l.neighbours), func(old host.Neighbour) bool { return old.Addr == n.Addr })
	l.neighbours = append(l.neighbours, n)
	slices.SortFunc(l.neighbours, func(a, b host.Neighbour) int { return a.Addr.Compare(b.Addr) })
	return nil
}

// Neighbours returns what the machine was told by [Machine.Learn]; see [host.NeighbourReader].
func (m *Machine) Neighbours(ctx context.Context, name string) ([]host.Neighbour, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer m.lock().Unlock()
	l, err := m.link(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(l.neighbours), nil
}
