// SPDX-License-Identifier: Apache-2.0

//go:build linux

package linux

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
)

const (
	// headerLength is that of an Ethernet frame, and minFrame the least that a frame has without its checksum.
	headerLength = 14
	minFrame     = 60
	// maxFrame is more than any that is read here has.
	maxFrame = 2048
	// downPeriod is how often a link that went down is looked for: the kernel does not tell when it goes.
	downPeriod = time.Second
)

// frames is a socket for the frames of one type on one link.
type frames struct {
	backend   *Backend
	link      rtnl.Link
	etherType uint16
	file      *os.File
	// down is whether the link went down, and nothing was received since.
	down bool
	in   [maxFrame]byte
}

// openFrames opens a socket that also gets what is sent to those groups.
func (b *Backend) openFrames(l rtnl.Link, etherType uint16, groups ...[6]byte) (*frames, error) {
	f := &frames{backend: b, link: l, etherType: etherType}
	err := b.enter(func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		f.file = os.NewFile(uintptr(fd), fmt.Sprintf("frames %#x of %s", etherType, l.Name))
		for _, group := range groups {
			member := unix.PacketMreq{Ifindex: int32(l.Index), Type: unix.PACKET_MR_MULTICAST, Alen: uint16(len(group))}
			copy(member.Address[:], group[:])
			if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &member); err != nil {
				return os.NewSyscallError("setsockopt", err)
			}
		}
		onWire := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, etherType))
		return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: onWire, Ifindex: l.Index}))
	})
	if err != nil {
		if f.file != nil {
			err = errors.Join(err, f.file.Close())
		}
		return nil, fmt.Errorf("frames of link %s: %w", l.Name, rtnl.Translate(err))
	}
	return f, nil
}

func (f *frames) close() error { return f.file.Close() }

// receive waits for the next frame. It ends with os.ErrDeadlineExceeded at the deadline and when ctx ends, and with
// fs.ErrNotExist when the link goes. The frame is overwritten by the next.
func (f *frames) receive(ctx context.Context, deadline time.Time) (to, from [6]byte, payload []byte, err error) {
	defer context.AfterFunc(ctx, func() { _ = f.file.SetReadDeadline(time.Unix(1, 0)) })()
	for {
		until := deadline
		if look := time.Now().Add(downPeriod); f.down && (until.IsZero() || look.Before(until)) {
			until = look
		}
		if err = f.file.SetReadDeadline(until); err != nil {
			return to, from, nil, err
		}
		if ctx.Err() != nil { // before the deadline was set, so that it may have been set over
			return to, from, nil, os.ErrDeadlineExceeded
		}
		n, err := f.file.Read(f.in[:])
		switch {
		case errors.Is(err, unix.ENETDOWN), f.down && until != deadline && errors.Is(err, os.ErrDeadlineExceeded):
			f.down = true
			if err := f.there(); err != nil {
				return to, from, nil, err
			}
		case err != nil:
			return to, from, nil, rtnl.Translate(err)
		case n >= headerLength:
			f.down = false
			return [6]byte(f.in[:6]), [6]byte(f.in[6:12]), f.in[headerLength:n], nil
		}
	}
}

// there is an error if the link has gone. The kernel has one word for that and for a link that is down.
func (f *frames) there() error {
	names, err := f.backend.rt.LinkNames(f.link.Index)
	if err == nil && names[f.link.Index] == "" {
		err = fmt.Errorf("link %s: %w", f.link.Name, fs.ErrNotExist)
	}
	return err
}

// send sends a frame from the link's own address.
func (f *frames) send(to [6]byte, payload []byte) error { return f.sendFrom(f.link.MAC, to, payload) }

func (f *frames) sendFrom(from, to [6]byte, payload []byte) error {
	frame := append(append(make([]byte, 0, headerLength+len(payload)), to[:]...), from[:]...)
	frame = append(binary.BigEndian.AppendUint16(frame, f.etherType), payload...)
	for len(frame) < minFrame {
		frame = append(frame, 0)
	}
	_, err := f.file.Write(frame)
	return rtnl.Translate(err)
}
