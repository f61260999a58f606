// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Batcher = (*Backend)(nil)

// DoAll carries out operations one after the other, but filters that follow each other in one transaction; see
// [host.Batcher].
func (b *Backend) DoAll(ctx context.Context, ops []host.Op) error {
	var done host.Plan
	for len(ops) > 0 {
		filters := leadingFilters(ops)
		count, err := len(filters), error(nil)
		if count > 1 {
			err = b.setFilters(ctx, filters)
		} else {
			count, err = 1, b.Do(ctx, ops[0])
		}
		if err != nil {
			return errors.Join(err, host.Revert(context.WithoutCancel(ctx), b, done))
		}
		for _, op := range ops[:count] {
			done = append(done, host.Step{Op: op})
		}
		ops = ops[count:]
	}
	return nil
}

func leadingFilters(ops []host.Op) (filters []host.SetFilter) {
	for _, op := range ops {
		filter, ok := op.(host.SetFilter)
		if !ok {
			break
		}
		filters = append(filters, filter)
	}
	return filters
}

// setFilters sets filters in one transaction.
func (b *Backend) setFilters(ctx context.Context, filters []host.SetFilter) error {
	for _, o := range filters {
		if err := o.Check(); err != nil {
			return err
		}
	}
	err := b.nft.SetFilters(ctx, filters)
	if err == nil || explained(err) {
		return packetFilter(err)
	}
	// What became of one became of all.
	for _, o := range filters {
		if left := b.resolve(context.WithoutCancel(ctx), o, err); left != nil {
			return packetFilter(left)
		}
	}
	return nil
}
