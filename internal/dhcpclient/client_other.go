// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package dhcpclient

import (
	"context"
	"errors"
)

// Lease returns errors.ErrUnsupported on this system.
func Lease(context.Context, string, Options) (*Grant, error) { return nil, errors.ErrUnsupported }
