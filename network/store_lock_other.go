// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package network

import "context"

// lockRange is nothing on this system: locks hold within one process only.
func lockRange(context.Context, string, string) (unlock func(), err error) {
	return func() {}, nil
}

// syncFolder is nothing on this system.
func syncFolder(string) error { return nil }
