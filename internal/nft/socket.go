// SPDX-License-Identifier: Apache-2.0

//go:build linux

package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// received is more than the kernel puts into one datagram (32 KiB).
	received = 64 << 10
	// room is for answers that wait. A transaction that fails may have one for each of its messages.
	room = 1 << 20
	// patience ends a wait for an answer that the kernel had no memory for.
	patience = 10 * time.Second
)

// A socket is one conversation with nf_tables, for one caller at a time.
type socket struct {
	fd  int
	seq uint32
	in  []byte
	// sendable is how much may be sent at once.
	sendable int
	// broken is set when a conversation ended in its middle.
	broken bool
}

// newSocket opens a socket in the network namespace of this thread.
func newSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, rtnl.Translate(os.NewSyscallError("socket", err))
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, rtnl.Translate(os.NewSyscallError("bind", err))
	}
	// An old kernel's answers are longer and tell less.
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK} {
		_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1)
	}
	timeout := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		unix.Close(fd)
		return nil, rtnl.Translate(os.NewSyscallError("setsockopt", err))
	}
	s := &socket{fd: fd, in: make([]byte, received)}
	s.enlarge(unix.SO_RCVBUF, unix.SO_RCVBUFFORCE, room)
	return s, nil
}

func (s *socket) close() error { return unix.Close(s.fd) }

// enlarge gives the socket room, beyond the machine's limit if the caller may do that.
func (s *socket) enlarge(option, force, size int) {
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, force, size) != nil {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, option, size)
	}
}

// An answer is what the kernel says to one of several messages. Its body, without the header of netfilter, is nil if it
// only says yes or no.
type answer struct {
	message int
	kind    int
	family  uint8
	body    []byte
	err     error
}

// exchange sends messages and hands over the answers, all of which are there when the messages have been sent. The one to
// message last comes last, if it comes.
func (s *socket) exchange(m *messages, last int, take func(answer)) (err error) {
	defer func() { s.broken = s.broken || err != nil }()
	first, err := s.send(m)
	if err != nil {
		return err
	}
	var overrun error
	for complete := false; ; {
		if complete {
			return overrun
		}
		data, err := s.receive(unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return overrun
		case errors.Is(err, unix.ENOBUFS):
			// There were more answers than room, so there are errors among those that follow.
			overrun = err
			continue
		case err != nil:
			return err
		}
		_, _, err = s.read(data, first, len(m.what), func(a answer) {
			complete = complete || a.message == last
			take(a)
		})
		if err != nil {
			return err
		}
	}
}

// list sends one question and hands over the answers until the list is complete.
func (s *socket) list(m *messages, take func(answer)) (interrupted bool, err error) {
	defer func() { s.broken = s.broken || err != nil }()
	first, err := s.send(m)
	if err != nil {
		return false, err
	}
	for {
		data, err := s.receive(0)
		if err != nil {
			return false, err
		}
		done, changed, err := s.read(data, first, 1, take)
		interrupted = interrupted || changed
		if done || err != nil {
			return interrupted, err
		}
	}
}

// read hands over the answers in a datagram.
func (s *socket) read(data []byte, first uint32, n int, take func(answer)) (done, interrupted bool, err error) {
	found, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return false, false, fmt.Errorf("the kernel's answer: %w", err)
	}
	for _, m := range found {
		i := int(int32(m.Header.Seq - first))
		if i < 0 || i >= n {
			continue // the late answer to a caller that gave up
		}
		a := answer{message: i, kind: int(m.Header.Type & 0xff)}
		interrupted = interrupted || netlink.HeaderFlags(m.Header.Flags)&netlink.DumpInterrupted != 0
		switch netlink.HeaderType(m.Header.Type) {
		case netlink.Error, netlink.Done:
			done = true
			a.err = refusal(m)
		default:
			if len(m.Data) < headers-unix.NLMSG_HDRLEN {
				return false, false, errors.New("the kernel's answer ends within a header")
			}
			a.family, a.body = m.Data[0], m.Data[headers-unix.NLMSG_HDRLEN:]
		}
		take(a)
	}
	return done, interrupted, nil
}

func (s *socket) send(m *messages) (first uint32, err error) {
	first = s.seq + 1
	s.seq += uint32(len(m.what))
	m.number(first)
	const margin = 4 << 10
	if need := len(m.out) + margin; need > s.sendable {
		s.enlarge(unix.SO_SNDBUF, unix.SO_SNDBUFFORCE, need)
		s.sendable = need
	}
	for {
		err := unix.Sendto(s.fd, m.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if errors.Is(err, unix.EMSGSIZE) {
			return 0, fmt.Errorf("%d bytes are more than this process may send at once: %w", len(m.out), rtnl.Translate(err))
		}
		if err != unix.EINTR {
			return first, rtnl.Translate(os.NewSyscallError("sendto", err))
		}
	}
}

func (s *socket) receive(flags int) ([]byte, error) {
	for {
		n, from, err := unix.Recvfrom(s.fd, s.in, unix.MSG_TRUNC|flags)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, rtnl.Translate(os.NewSyscallError("recvfrom", err))
		}
		if n > len(s.in) {
			return nil, fmt.Errorf("the kernel's answer has %d bytes, at most %d were expected", n, len(s.in))
		}
		// Any process may send to a netlink socket; the kernel's number is 0.
		if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == 0 {
			return s.in[:n], nil
		}
	}
}

// refusal is the error in an acknowledgement or at the end of a list; nil if all is well.
func refusal(m syscall.NetlinkMessage) error {
	if len(m.Data) < 4 {
		if netlink.HeaderType(m.Header.Type) == netlink.Done {
			return nil
		}
		return fmt.Errorf("the kernel's acknowledgement has %d bytes", len(m.Data))
	}
	number := int32(binary.NativeEndian.Uint32(m.Data))
	if number == 0 {
		return nil
	}
	return &rtnl.Error{Errno: unix.Errno(-number), Text: explanation(m)}
}

// explanation is the text that the kernel adds to a refusal, behind the number and the header of what was refused.
func explanation(m syscall.NetlinkMessage) string {
	const capped, explained = netlink.HeaderFlags(0x100), netlink.HeaderFlags(0x200)
	flags := netlink.HeaderFlags(m.Header.Flags)
	behind := 4 + unix.NLMSG_HDRLEN
	if flags&explained == 0 || flags&capped == 0 || len(m.Data) < behind {
		return ""
	}
	a := readAttrs(m.Data[behind:])
	const messageText = 1 // NLMSGERR_ATTR_MSG
	return a.text(messageText)
}
