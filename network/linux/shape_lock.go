// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// How shapes are locked.
const (
	toChange = unix.LOCK_EX
	toLook   = unix.LOCK_SH
)

// lockShapes waits until nobody else changes shapes, in this process or another that shares the folder: they are looked at and
// changed in several steps, and what a class leaves for the rest depends on all others. The lock is on the folder itself, and
// ends with the process. Who may not have the folder shares it with nobody.
func (b *Backend) lockShapes(how int) (unlock func(), err error) {
	b.shapes.mu.Lock()
	if how == toChange {
		_ = os.MkdirAll(b.runDir(), 0o711)
	}
	folder, err := os.Open(b.runDir())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return b.shapes.mu.Unlock, nil
	}
	if err == nil {
		for err = unix.Flock(int(folder.Fd()), how); errors.Is(err, unix.EINTR); {
			err = unix.Flock(int(folder.Fd()), how)
		}
	}
	if err != nil {
		folder.Close()
		b.shapes.mu.Unlock()
		return nil, fmt.Errorf("lock of shapes: %w", err)
	}
	return func() {
		// To close it is not enough: a program that is being started has a copy.
		_ = unix.Flock(int(folder.Fd()), unix.LOCK_UN)
		folder.Close()
		b.shapes.mu.Unlock()
	}, nil
}
