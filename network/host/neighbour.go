// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"fmt"
	"net/netip"
)

// A Neighbour is an address that somebody on a link has, as the machine has learned it: a line of ip neighbour show dev LINK.
type Neighbour struct {
	Addr netip.Addr
	MAC  MAC
	// Confirmed is whether the machine has heard from the neighbour within the last half minute or so. Otherwise it may be gone,
	// or have another address.
	Confirmed bool
}

// String is the neighbour in the words of ip neighbour.
func (n Neighbour) String() string {
	state := "STALE"
	if n.Confirmed {
		state = "REACHABLE"
	}
	return fmt.Sprintf("%s lladdr %s %s", n.Addr, n.MAC, state)
}

// A NeighbourReader reads the addresses that the machine has learned of others.
type NeighbourReader interface {
	// Neighbours returns those on the link with a hardware address, in the order of their addresses. A missing link wraps
	// fs.ErrNotExist. What has not talked with the machine itself is not there.
	Neighbours(ctx context.Context, link string) ([]Neighbour, error)
}
