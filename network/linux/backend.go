// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Backend = (*Backend)(nil)

// A Backend works on one network namespace of a Linux machine. It may be used by many goroutines.
type Backend struct {
	config Config
}

// Open prepares a backend. It changes nothing on the machine.
func Open(config Config) (*Backend, error) {
	return &Backend{config: config}, nil
}

// Close gives back what the backend holds open. What it built stays.
func (b *Backend) Close() error { return nil }

// Facts looks at the machine; see [host.Backend].
func (b *Backend) Facts(ctx context.Context, scope host.Scope) (*host.Facts, error) {
	f := &host.Facts{}
	for _, look := range []func(context.Context, host.Scope, *host.Facts) error{b.filterFacts, b.serverFacts} {
		if err := look(ctx, scope, f); err != nil {
			return nil, err
		}
	}
	f.Sort()
	return f, nil
}

// Do carries out one operation; see [host.Backend].
func (b *Backend) Do(ctx context.Context, op host.Op) error {
	if err := op.Check(); err != nil {
		return err
	}
	switch op := op.(type) {
	case host.SetFilter:
		return b.setFilter(ctx, op)
	case host.Serve:
		return b.serve(ctx, op)
	case host.Unserve:
		return b.unserve(ctx, op)
	}
	return fmt.Errorf("operation %T: %w", op, errors.ErrUnsupported)
}
