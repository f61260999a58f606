// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"

	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) serve(context.Context, host.Serve) error { return errors.ErrUnsupported }

func (b *Backend) unserve(context.Context, host.Unserve) error { return errors.ErrUnsupported }

func (b *Backend) serverFacts(context.Context, host.Scope, *host.Facts) error { return nil }
