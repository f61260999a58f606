// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Guest stands in for a virtual machine: a network namespace with a network card, and something that carries frames
// between the card and the tap on the host, as a virtual machine monitor does.
type Guest struct {
	// Namespace is the file of the guest's namespace.
	Namespace string
	// Card is the name of its network card.
	Card string

	files []*os.File
	wg    sync.WaitGroup
}

// Boot puts a network card with that hardware address into a namespace and joins it to the descriptor of a tap, which
// stays the caller's and has to have virtio-net headers. Close ends it.
func Boot(namespace, card string, mac net.HardwareAddr, tap *os.File) (*Guest, error) {
	g := &Guest{Namespace: namespace, Card: card}
	inside, err := openCard(namespace, card, mac)
	if err != nil {
		return nil, err
	}
	outside, err := pollable(tap)
	if err != nil {
		return nil, errors.Join(err, inside.Close())
	}
	g.files = []*os.File{inside, outside}
	g.wg.Go(func() { carry(inside, outside) })
	g.wg.Go(func() { carry(outside, inside) })
	return g, nil
}

// Close switches the guest off.
func (g *Guest) Close() error {
	var errs []error
	for _, f := range g.files {
		errs = append(errs, f.Close())
	}
	g.wg.Wait()
	return errors.Join(errs...)
}

// openCard makes a tap device inside the namespace that is the guest's network card, up.
func openCard(namespace, card string, mac net.HardwareAddr) (f *os.File, err error) {
	err = Enter(namespace, func() (err error) {
		if f, err = newCard(card); err != nil {
			return err
		}
		ctx := context.Background()
		err = errors.Join(IP(ctx, "link", "set", card, "address", mac.String()), IP(ctx, "link", "set", card, "up"))
		if err != nil {
			err = errors.Join(err, f.Close())
		}
		return err
	})
	return f, err
}

// newCard makes a tap device. The descriptor becomes a file only when it belongs to the device: before that the runtime
// could not wait for it.
func newCard(card string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	req, err := unix.NewIfreq(card)
	if err == nil {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
		// The card of a guest that was just switched off is held by programs that are being started, for a moment.
		for try := 0; errors.Is(err, unix.EBUSY) && try < 1000; try++ {
			time.Sleep(time.Millisecond)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tap %s: %w", card, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), card), nil
}

// pollable duplicates a descriptor so that reading from it ends when it is closed.
func pollable(f *os.File) (*os.File, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	duplicate := -1
	if controlErr := conn.Control(func(fd uintptr) {
		duplicate, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	}); controlErr != nil || err != nil {
		return nil, errors.Join(controlErr, err)
	}
	if err := unix.SetNonblock(duplicate, true); err != nil {
		return nil, errors.Join(err, unix.Close(duplicate))
	}
	return os.NewFile(uintptr(duplicate), f.Name()), nil
}

// carry copies frames until one of the ends is closed. A frame that the other end does not take is lost, as on any wire.
func carry(to, from *os.File) {
	frame := make([]byte, 1<<16+64)
	for {
		n, err := from.Read(frame)
		if err != nil && (errors.Is(err, os.ErrClosed) || n == 0) {
			return
		}
		if _, err := to.Write(frame[:n]); errors.Is(err, os.ErrClosed) {
			return
		}
	}
}
