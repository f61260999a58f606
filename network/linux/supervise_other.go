// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package linux

import (
	"context"
	"errors"

	"github.com/go-virtnet/virtnet/network/host"
)

// Leases returns errors.ErrUnsupported on this system.
func (b *Backend) Leases(context.Context, string) ([]host.Lease, error) {
	return nil, errors.ErrUnsupported
}

// Supervise returns errors.ErrUnsupported on this system.
func (b *Backend) Supervise(context.Context, Supervision) error { return errors.ErrUnsupported }
