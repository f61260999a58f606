// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) setFilter(ctx context.Context, o host.SetFilter) error {
	return packetFilter(b.nft.SetFilter(ctx, o))
}

func packetFilter(err error) error {
	if err != nil {
		return fmt.Errorf("packet filter: %w", err)
	}
	return nil
}

// filterFacts reads the filters from the kernel. Where somebody else changed one, it has rules that no filter can have.
func (b *Backend) filterFacts(ctx context.Context, scope host.Scope, f *host.Facts) (err error) {
	if !scope.All && len(scope.Filters) == 0 {
		return nil
	}
	wanted := scope.Filters
	if scope.All {
		wanted = nil
	}
	f.Filters, err = b.nft.Filters(ctx, wanted)
	return packetFilter(err)
}
