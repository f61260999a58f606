// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.NeighbourReader = (*Backend)(nil)

// Neighbours reads the kernel's table of a link; see [host.NeighbourReader].
func (b *Backend) Neighbours(ctx context.Context, link string) ([]host.Neighbour, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l, err := b.rt.Link(link)
	if err != nil {
		return nil, fmt.Errorf("neighbours: %w", err)
	}
	found, err := b.rt.Neighbours(l.Index)
	if err != nil {
		return nil, fmt.Errorf("neighbours on %s: %w", link, err)
	}
	var all []host.Neighbour
	for _, n := range found {
		all = append(all, host.Neighbour{Addr: n.Addr, MAC: host.MAC(n.MAC), Confirmed: n.Confirmed})
	}
	slices.SortFunc(all, func(a, b host.Neighbour) int { return a.Addr.Compare(b.Addr) })
	return all, nil
}
