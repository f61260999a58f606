// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package linux

import (
	"context"
	"errors"

	"github.com/go-virtnet/virtnet/network/host"
)

var _ host.Backend = (*Backend)(nil)

// A Backend works on one network namespace of a Linux machine; on this system there is none.
type Backend struct{}

// Open returns errors.ErrUnsupported on this system.
func Open(Config) (*Backend, error) { return nil, errors.ErrUnsupported }

// Close does nothing on this system.
func (b *Backend) Close() error { return nil }

// Facts returns errors.ErrUnsupported on this system.
func (b *Backend) Facts(context.Context, host.Scope) (*host.Facts, error) {
	return nil, errors.ErrUnsupported
}

// Do returns errors.ErrUnsupported on this system.
func (b *Backend) Do(context.Context, host.Op) error { return errors.ErrUnsupported }
