// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/trust"
)

// How shapes are locked.
const (
	toChange = unix.LOCK_EX
	toLook   = unix.LOCK_SH
)

// lockShapes waits until nobody else changes shapes, in this process or another that shares the folder: they are looked at and
// changed in several steps, and what a class leaves for the rest depends on all others. The lock is on the folder itself, and
// ends with the process. Who may not have the folder, or finds that it is somebody else's, shares it with nobody.
func (b *Backend) lockShapes(how int) (unlock func(), err error) {
	b.shapes.mu.Lock()
	folder, err := b.openRunDir(how == toChange)
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

// openRunDir opens RunDir, and makes it before if create is set. Once it is known to be nobody else's it stays so. The caller has
// the lock of shapes.
func (b *Backend) openRunDir(create bool) (*os.File, error) {
	if b.shapes.trusted {
		folder, err := os.Open(b.runDir())
		if !errors.Is(err, fs.ErrNotExist) {
			return folder, err
		}
	}
	if create {
		_ = trust.Make(b.runDir(), runDirMode) // what hinders it is told by what cannot be done without
	}
	if err := trust.Folder(b.runDir()); err != nil {
		return nil, err
	}
	b.shapes.trusted = true
	return os.Open(b.runDir())
}
