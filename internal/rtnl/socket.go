// SPDX-License-Identifier: Apache-2.0

//go:build linux

package rtnl

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const (
	// received is more than the kernel puts into one datagram (32 KiB).
	received = 64 << 10
	// patience ends a wait for an answer that the kernel had no memory for. Answers are there when a message is sent, so
	// nobody ever waits that long.
	patience = 10 * time.Second
)

// A socket is one conversation with the kernel, for one caller at a time.
type socket struct {
	fd  int
	seq uint32
	in  []byte
	out []byte
}

// A request is one message to the kernel: a header's type and flags, and what follows.
type request struct {
	kind  uint16
	flags netlink.HeaderFlags
	body  []byte
}

// An answer is one message from the kernel. The body is overwritten by the next.
type answer struct {
	// request is the place of what is answered among the requests.
	request int
	body    []byte
	// err is the kernel's refusal; nil with a nil body is its consent.
	err error
}

// newSocket opens a socket in the network namespace of this thread.
func newSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, Translate(os.NewSyscallError("socket", err))
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		unix.Close(fd)
		return nil, Translate(os.NewSyscallError("bind", err))
	}
	// A kernel that lacks one of these answers at greater length, which is understood as well.
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK, unix.NETLINK_GET_STRICT_CHK} {
		_ = unix.SetsockoptInt(fd, unix.SOL_NETLINK, option, 1)
	}
	timeout := unix.NsecToTimeval(patience.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		unix.Close(fd)
		return nil, Translate(os.NewSyscallError("setsockopt", err))
	}
	return &socket{fd: fd, in: make([]byte, received)}, nil
}

func (s *socket) close() error { return unix.Close(s.fd) }

// linkName asks for the name of a link: a netlink socket, as any, hands such questions on to the devices of its namespace.
func (s *socket) linkName(index int) (string, error) {
	request, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	request.SetUint32(uint32(index))
	if err := unix.IoctlIfreq(s.fd, unix.SIOCGIFNAME, request); err != nil {
		return "", err
	}
	return request.Name(), nil
}

// linkIndex is the opposite. The name has to fit.
func (s *socket) linkIndex(name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(s.fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, err
	}
	return int(request.Uint32()), nil
}

// exchange sends requests in one go and hands over every answer until all are answered. Its error is one of the
// conversation, after which the socket is of no more use. The first result is whether the kernel called a list
// interrupted.
func (s *socket) exchange(requests []request, take func(answer)) (interrupted bool, err error) {
	first := s.seq + 1
	if err := s.send(requests); err != nil {
		return false, err
	}
	for open := len(requests); open > 0; {
		data, err := s.receive()
		if err != nil {
			return false, err
		}
		for len(data) > 0 {
			m, rest, err := nextMessage(data)
			if err != nil {
				return false, err
			}
			data = rest
			i := int(int32(m.Header.Sequence - first))
			if i < 0 || i >= len(requests) {
				continue // the late answer to a caller that gave up
			}
			interrupted = interrupted || m.Header.Flags&netlink.DumpInterrupted != 0
			a, last := read(m, requests[i])
			a.request = i
			if a.err != nil || a.body != nil || m.Header.Type == netlink.Error {
				take(a)
			}
			if last {
				open--
			}
		}
	}
	return interrupted, nil
}

// read tells what a message answers, and whether the request is answered with it.
func read(m netlink.Message, r request) (a answer, last bool) {
	switch m.Header.Type {
	case netlink.Error:
		return answer{err: refusal(m)}, true
	case netlink.Done:
		// The end of a list carries the error that ended it.
		return answer{err: refusal(m)}, true
	}
	return answer{body: m.Data}, m.Header.Flags&netlink.Multi == 0 && r.flags&netlink.Acknowledge == 0
}

func (s *socket) send(requests []request) error {
	s.out = s.out[:0]
	for _, r := range requests {
		s.seq++
		header := netlink.Header{
			Length:   uint32(unix.NLMSG_HDRLEN + len(r.body)),
			Type:     netlink.HeaderType(r.kind),
			Flags:    netlink.Request | r.flags,
			Sequence: s.seq,
		}
		s.out = binary.NativeEndian.AppendUint32(s.out, header.Length)
		s.out = binary.NativeEndian.AppendUint16(s.out, uint16(header.Type))
		s.out = binary.NativeEndian.AppendUint16(s.out, uint16(header.Flags))
		s.out = binary.NativeEndian.AppendUint32(s.out, header.Sequence)
		s.out = binary.NativeEndian.AppendUint32(s.out, 0)
		s.out = append(s.out, r.body...)
		for len(s.out)%unix.NLMSG_ALIGNTO != 0 {
			s.out = append(s.out, 0)
		}
	}
	for {
		err := unix.Sendto(s.fd, s.out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			return Translate(os.NewSyscallError("sendto", err))
		}
	}
}

func (s *socket) receive() ([]byte, error) { return s.receiveWith(0) }

// receiveNow does not wait: with nothing there, the error is EAGAIN.
func (s *socket) receiveNow() ([]byte, error) { return s.receiveWith(unix.MSG_DONTWAIT) }

func (s *socket) receiveWith(flags int) ([]byte, error) {
	for {
		n, from, err := unix.Recvfrom(s.fd, s.in, unix.MSG_TRUNC|flags)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, Translate(os.NewSyscallError("recvfrom", err))
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

// nextMessage cuts the first message off data.
func nextMessage(data []byte) (m netlink.Message, rest []byte, err error) {
	if len(data) < unix.NLMSG_HDRLEN {
		return m, nil, fmt.Errorf("the kernel's answer ends within a header")
	}
	m.Header = netlink.Header{
		Length:   binary.NativeEndian.Uint32(data),
		Type:     netlink.HeaderType(binary.NativeEndian.Uint16(data[4:])),
		Flags:    netlink.HeaderFlags(binary.NativeEndian.Uint16(data[6:])),
		Sequence: binary.NativeEndian.Uint32(data[8:]),
		PID:      binary.NativeEndian.Uint32(data[12:]),
	}
	n := int(m.Header.Length)
	if n < unix.NLMSG_HDRLEN || n > len(data) {
		return m, nil, fmt.Errorf("the kernel's answer says %d bytes and has %d", n, len(data))
	}
	m.Data = data[unix.NLMSG_HDRLEN:n]
	next := min((n+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(data))
	return m, data[next:], nil
}

// refusal is the error in an acknowledgement or at the end of a list; nil if all is well.
func refusal(m netlink.Message) error {
	if len(m.Data) < 4 {
		if m.Header.Type == netlink.Done {
			return nil
		}
		return fmt.Errorf("the kernel's acknowledgement has %d bytes", len(m.Data))
	}
	number := int32(binary.NativeEndian.Uint32(m.Data))
	if number == 0 {
		return nil
	}
	return &Error{Errno: unix.Errno(-number), Text: explanation(m)}
}

// explanation is the text that the kernel adds to a refusal; it stands behind the number and what was refused.
func explanation(m netlink.Message) string {
	const acknowledgeTLVs = netlink.HeaderFlags(0x200)
	if m.Header.Flags&acknowledgeTLVs == 0 {
		return ""
	}
	skip := 4
	if m.Header.Type == netlink.Error {
		skip += unix.NLMSG_HDRLEN
		const capped = netlink.HeaderFlags(0x100)
		if m.Header.Flags&capped == 0 && len(m.Data) >= 8 {
			skip = 4 + int(binary.NativeEndian.Uint32(m.Data[4:])+3)&^3
		}
	}
	if skip >= len(m.Data) {
		return ""
	}
	ad, err := netlink.NewAttributeDecoder(m.Data[skip:])
	if err != nil {
		return ""
	}
	const messageText = 1 // NLMSGERR_ATTR_MSG
	for ad.Next() {
		if ad.Type() == messageText {
			return ad.String()
		}
	}
	return ""
}
