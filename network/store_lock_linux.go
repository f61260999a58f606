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

// openFile opens a file that nobody waits for. Those that package os opens are registered for waiting, which takes longer
// than all the rest that is done with them here.
func openFile(path string, flags int, mode uint32) (*os.File, error) {
	fd, err := openPlain(path, flags, mode)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func openPlain(path string, flags int, mode uint32) (fd int, err error) {
	err = unix.EINTR
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Open(path, flags|unix.O_CLOEXEC, mode)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// rename puts a file in the place of another, without a look at that one.
func rename(from, to string) error {
	var err error = unix.EINTR
	for errors.Is(err, unix.EINTR) {
		err = unix.Renameat(unix.AT_FDCWD, from, unix.AT_FDCWD, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// lockRange takes the lock of one byte of a file, far behind its end, that stands for name. The lock belongs to the open
// file and not to the process, so it ends with it and never before.
func lockRange(ctx context.Context, file, name string) (unlock func(), err error) {
	fd, err := openPlain(file, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
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
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
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
