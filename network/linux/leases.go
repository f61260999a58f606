// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.LeaseReader = (*Backend)(nil)

// Leases returns the leases that a server has given out and that have not expired, in the order of their addresses; see
// [host.LeaseReader]. Those of a server that has died can still be read, until it is started again or ended.
func (b *Backend) Leases(ctx context.Context, server string) ([]host.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, ctx.Err()
	}
	if err := host.CheckID(server); err != nil {
		return nil, err
	}
	leases, err := b.serverFiles(server).readLeases()
	if err != nil {
		return nil, fmt.Errorf("leases of server %s: %w", server, err)
	}
	now := time.Now()
	return slices.DeleteFunc(leases, func(l host.Lease) bool { return !l.Expires.IsZero() && !l.Expires.After(now) }), nil
}
