// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"errors"

	"github.com/go-virtnet/virtnet/network/host"
)

func (b *Backend) setFilter(context.Context, host.SetFilter) error { return errors.ErrUnsupported }

func (b *Backend) filterFacts(context.Context, host.Scope, *host.Facts) error { return nil }
