// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-virtnet/virtnet/internal/resolved"
	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) register(ctx context.Context, o host.Register) error {
	l, err := b.rt.Link(o.Link)
	if err != nil {
		return fmt.Errorf("resolver: %w", err)
	}
	if b.messages == "" {
		return fmt.Errorf("there is no message bus for a resolver: %w", errors.ErrUnsupported)
	}
	return resolved.Register(ctx, b.messages, o, l.Index)
}

func (b *Backend) unregister(ctx context.Context, o host.Unregister) error {
	l, err := b.rt.Link(o.Link)
	if err != nil {
		return fmt.Errorf("resolver: %w", err)
	}
	if b.messages == "" {
		return nil
	}
	return resolved.Unregister(ctx, b.messages, l.Index)
}

func (b *Backend) resolverFacts(ctx context.Context, scope host.Scope, f *host.Facts) error {
	if !scope.Resolver || b.messages == "" {
		return nil
	}
	links, err := b.rt.Links()
	if err != nil {
		return err
	}
	names := map[int]string{}
	for _, l := range links {
		names[l.Index] = l.Name
	}
	f.Resolver, err = resolved.Links(ctx, b.messages, names)
	return err
}
