// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lockRange takes the lock of one byte of a file, far behind its end, that stands for name. The lock belongs to the open
// file and not to the process, so it ends with it and never before.
func lockRange(ctx context.Context, file, name string) (unlock func(), err error) {
	// Not a file of package os, which would be registered for waiting.
	fd, err := unix.Open(file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: file, Err: err}
	}
	digest := fnv.New64a()
	_, _ = io.WriteString(digest, name)
	at := int64(digest.Sum64() >> 2)
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		err := setLock(fd, unix.F_WRLCK, at)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES) {
			return nil, errors.Join(err, unix.Close(fd))
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), unix.Close(fd))
		case <-time.After(wait):
		}
	}
	return sync.OnceFunc(func() {
		// A child that is just being started may hold the file open for a moment; the lock must not wait for it.
		_ = setLock(fd, unix.F_UNLCK, at)
		_ = unix.Close(fd)
	}), nil
}

func setLock(fd int, kind int16, at int64) error {
	return unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1})
}

// claimTemporary takes the lock of a new temporary file. It is not ours if somebody who looked for abandoned files was
// faster.
func claimTemporary(f *os.File) (ours bool, err error) {
	err = setLock(int(f.Fd()), unix.F_WRLCK, 0)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	var stat unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &stat)
	return stat.Nlink > 0, err
}

// removeAbandoned removes a temporary file that nobody holds the lock of.
func removeAbandoned(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if setLock(int(f.Fd()), unix.F_WRLCK, 0) == nil {
		_ = os.Remove(path)
	}
}

// syncFolder makes a renamed file in a folder outlive the machine.
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
