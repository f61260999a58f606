// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/go-virtnet/virtnet/internal/firewalld"
	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) setZone(ctx context.Context, o host.SetZone) error {
	switch {
	case b.messages != "":
		return firewalld.SetZone(ctx, b.messages, o)
	case o.Optional:
		return nil
	case o.Was != "":
		return fmt.Errorf("there is no message bus for firewalld: %w", fs.ErrNotExist)
	}
	return fmt.Errorf("there is no message bus for firewalld: %w", errors.ErrUnsupported)
}

func (b *Backend) zoneFacts(ctx context.Context, scope host.Scope, f *host.Facts) (err error) {
	if scope.Zones && b.messages != "" {
		f.Zones, err = firewalld.Zones(ctx, b.messages)
	}
	return err
}
