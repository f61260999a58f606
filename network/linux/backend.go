// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Backend = (*Backend)(nil)

// A Backend works on one network namespace of a Linux machine. It may be used by many goroutines.
type Backend struct {
	config Config
	// ns is the file of config.Namespace, and nil if that is empty.
	ns *os.File
}

// Open prepares a backend. It changes nothing on the machine. A missing Namespace wraps fs.ErrNotExist, and a file that is
// no network namespace wraps fs.ErrInvalid.
func Open(config Config) (*Backend, error) {
	ns, err := openNamespace(config.Namespace)
	if err != nil {
		return nil, err
	}
	return &Backend{config: config, ns: ns}, nil
}

// Close gives back what the backend holds open. What it built stays. No method may be called afterwards.
func (b *Backend) Close() error { return b.closeNamespace() }

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
