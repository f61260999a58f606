// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) setFilter(ctx context.Context, o host.SetFilter) error {
	if err := b.nft.SetFilter(ctx, o); err != nil {
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
	if f.Filters, err = b.nft.Filters(ctx, wanted); err != nil {
		return fmt.Errorf("packet filter: %w", err)
	}
	return nil
}
