// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"errors"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// An Error is the kernel's refusal. [errors.Is] finds in it the number itself, and the sentinel it stands for:
// fs.ErrExist, fs.ErrNotExist, fs.ErrPermission, fs.ErrInvalid or errors.ErrUnsupported.
type Error struct {
	Errno unix.Errno
	// Text is the kernel's own explanation (extended acknowledgement); empty if it gave none.
	Text string
	// from is the error that was translated; nil for what the kernel said in a message.
	from error
}

// Error is the kernel's explanation if there is one, and what the number means.
func (e *Error) Error() string {
	switch {
	case e.from != nil:
		return e.from.Error()
	case e.Text != "":
		return e.Text + " (" + e.Errno.Error() + ")"
	}
	return e.Errno.Error()
}

// Unwrap is the number.
func (e *Error) Unwrap() error { return e.Errno }

// meanings lists the numbers that stand for a sentinel besides those that [unix.Errno] itself knows.
var meanings = []struct {
	sentinel error
	numbers  []unix.Errno
}{
	{fs.ErrNotExist, []unix.Errno{
		unix.ENODEV, unix.ENXIO, unix.ESRCH, unix.EADDRNOTAVAIL,
		// A network that a gateway should be in, and the link it should be reached by.
		unix.ENETUNREACH, unix.EHOSTUNREACH, unix.ENETDOWN,
	}},
	{fs.ErrPermission, []unix.Errno{unix.EROFS}},
	{fs.ErrInvalid, []unix.Errno{
		unix.EINVAL, unix.ERANGE, unix.EDOM, unix.E2BIG, unix.ENAMETOOLONG,
		// A loop of bridges, and a bridge that is full.
		unix.ELOOP, unix.EXFULL,
	}},
	{errors.ErrUnsupported, []unix.Errno{unix.EAFNOSUPPORT, unix.EPFNOSUPPORT, unix.EPROTONOSUPPORT, unix.ENOTTY}},
}

// Is reports whether target is the sentinel that the number stands for.
func (e *Error) Is(target error) bool {
	for _, m := range meanings {
		if m.sentinel == target {
			return slices.Contains(m.numbers, e.Errno)
		}
	}
	return false
}

// Translate gives an error that comes from a system call the sentinel its number stands for. Other errors, and nil, are
// returned as they are.
func Translate(err error) error {
	var known *Error
	var errno unix.Errno
	if err == nil || errors.As(err, &known) || !errors.As(err, &errno) {
		return err
	}
	return &Error{Errno: errno, from: err}
}

// ErrInterrupted means that what was listed kept changing while it was listed.
var ErrInterrupted = errors.New("the list changed each time it was read")
