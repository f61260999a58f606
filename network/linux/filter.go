// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/go-virtnet/virtnet/internal/nft"
	"github.com/go-virtnet/virtnet/internal/rtnl"
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
	if scope.Checksums {
		if f.Checksums, err = b.checksums(ctx); err != nil {
			return fmt.Errorf("what the kernel can do about checksums: %w", err)
		}
	}
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

// checksums is whether the kernel knows what the repair of DHCP's answers needs. That is tried out in a network namespace
// that is thrown away. A user that may make none has no filters either.
func (b *Backend) checksums(ctx context.Context) (bool, error) {
	b.repairs.Lock()
	defer b.repairs.Unlock()
	if b.repairs.known {
		return b.repairs.can, nil
	}
	enter, done, err := scratch()
	if err != nil {
		return false, rtnl.Translate(err)
	}
	defer done()
	c := nft.New(enter)
	defer func() { _ = c.Close() }()
	trial := host.Filter{Network: "trial", Link: "trial", DHCP: []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, 1})}}
	err = c.SetFilter(ctx, host.SetFilter{Network: trial.Network, Filter: trial})
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return false, err
	}
	b.repairs.known, b.repairs.can = true, err == nil
	return b.repairs.can, nil
}

// repairs is what a backend knows about the repair of checksums.
type repairs struct {
	sync.Mutex
	known, can bool
}
