// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package network

import (
	"context"
	"os"
)

// openFile opens a file.
func openFile(path string, flags int, mode uint32) (*os.File, error) {
	return os.OpenFile(path, flags, os.FileMode(mode))
}

// rename puts a file in the place of another.
func rename(from, to string) error { return os.Rename(from, to) }

// lockRange is nothing on this system: locks hold within one process only.
func lockRange(context.Context, string, string) (unlock func(), err error) {
	return func() {}, nil
}

// claimTemporary has nobody to fear on this system, where no file is taken for abandoned.
func claimTemporary(*os.File) (ours bool, err error) { return true, nil }

// removeAbandoned cannot tell on this system whether somebody is still writing.
func removeAbandoned(string) {}

// syncFolder is nothing on this system.
func syncFolder(string) error { return nil }
