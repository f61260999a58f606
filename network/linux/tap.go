// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/network/host"
	"golang.org/x/sys/unix"
)

// clone is the device that taps are made and opened with.
const clone = "/dev/net/tun"

// addTap makes the tap for good as the last thing: until then it ends with the descriptor, also if this process ends.
func (b *Backend) addTap(o host.AddTap, n birth) error {
	// A program that is started meanwhile would hold the descriptor until it runs, and keep the tap's only queue busy for
	// whoever opens it next.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := b.openClone()
	if err != nil {
		return err
	}
	made := false
	defer func() {
		if made {
			b.taps.put(o.Link, fd)
		} else {
			unix.Close(fd)
		}
	}()
	flags := tapFlags(o.Queues > 1, o.VnetHdr) | unix.IFF_TUN_EXCL
	if err := attach(fd, o.Link, flags); err != nil {
		// The kernel's word for a name that is taken.
		if errors.Is(err, unix.EBUSY) {
			err = fs.ErrExist
		}
		return fmt.Errorf("tap %s: %w", o.Link, err)
	}
	for _, allow := range []struct {
		request uint
		id      *uint32
	}{{unix.TUNSETOWNER, o.User}, {unix.TUNSETGROUP, o.Group}} {
		if allow.id == nil {
			continue
		}
		if err := unix.IoctlSetInt(fd, allow.request, int(*allow.id)); err != nil {
			return fmt.Errorf("tap %s for user or group %d: %w", o.Link, *allow.id, rtnl.Translate(err))
		}
	}
	if err := b.raise(o.Link, rtnl.Change{MAC: o.MAC, MTU: o.MTU, Alias: o.Owner}, n); err != nil {
		return err
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1); err != nil {
		return fmt.Errorf("tap %s: %w", o.Link, rtnl.Translate(err))
	}
	made = true
	return nil
}

func (b *Backend) delTap(o host.DelTap) error {
	err := b.delLink(o.Link, host.Tap, o.MAC)
	if err == nil {
		b.taps.drop(o.Link)
	}
	return err
}

// openClone opens a descriptor that will be one queue of a tap in the backend's namespace. It blocks when read from.
func (b *Backend) openClone() (fd int, err error) {
	err = b.enter(func() (err error) {
		fd, err = unix.Open(clone, unix.O_RDWR|unix.O_CLOEXEC, 0)
		return err
	})
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return -1, fmt.Errorf("%s: the kernel has no tap devices: %w", clone, errors.ErrUnsupported)
	case err != nil:
		return -1, rtnl.Translate(&os.PathError{Op: "open", Path: clone, Err: err})
	}
	return fd, nil
}

// attach makes fd a queue of the tap of that name, which is made if there is none.
func attach(fd int, name string, flags uint16) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return rtnl.Translate(err)
	}
	request.SetUint16(flags)
	return rtnl.Translate(unix.IoctlIfreq(fd, unix.TUNSETIFF, request))
}

// tapFlags are the properties of a tap, which everybody who opens it has to name alike.
func tapFlags(multiQueue, vnetHdr bool) uint16 {
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if multiQueue {
		flags |= unix.IFF_MULTI_QUEUE
	}
	if vnetHdr {
		flags |= unix.IFF_VNET_HDR
	}
	return flags
}
