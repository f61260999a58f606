// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"
)

const (
	// mostPacket is how long a packet can be that is read. Nobody asks a question, or answers one, that is longer.
	mostPacket = 1 << 14
	// mostTogether is how many packets are answered together.
	mostTogether = 32
)

// A packet is what somebody has sent. Its data are of an arena, and so is the room for an answer.
type packet struct {
	data []byte
	from netip.AddrPort
	room []byte
}

// An arena has the packets that have come together, and the answers that leave together. Arenas are shared by all servers of an
// engine, and a server has one only while it answers: who waits for packets needs no memory for them.
type arena struct {
	packets []packet
	bytes   [2 * mostPacket]byte
	room    [mostTogether][mostUDP]byte
	answers []ipv4.Message
	to      [mostTogether]net.UDPAddr
	buffers [mostTogether][1][]byte
}

// answer keeps an answer until they all leave.
func (a *arena) answer(to netip.AddrPort, data []byte) {
	i := len(a.answers)
	addr := &a.to[i]
	addr.Port, addr.Zone = int(to.Port()), to.Addr().Zone()
	addr.IP, _ = to.Addr().WithZone("").AppendBinary(addr.IP[:0])
	a.buffers[i][0] = data
	a.answers = append(a.answers, ipv4.Message{Buffers: a.buffers[i][:], Addr: addr})
}

// send sends the answers with as few calls as they need. One that cannot be sent is left out: who asked will ask again.
func (a *arena) send(conn *ipv4.PacketConn) {
	for left := a.answers; len(left) > 0; {
		n, err := conn.WriteBatch(left, 0)
		if err != nil {
			n = max(n, 0) + 1
		}
		left = left[min(n, len(left)):]
	}
	clear(a.answers)
	a.answers = a.answers[:0]
}

// fill reads what has come to a socket, so many packets at most, but does not wait for it.
func (a *arena) fill(fd, most int) error {
	a.packets = a.packets[:0]
	for used := 0; len(a.packets) < most && used <= mostPacket; {
		n, from, err := syscall.Recvfrom(fd, a.bytes[used:used+mostPacket], unix.MSG_DONTWAIT|unix.MSG_TRUNC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil && len(a.packets) > 0:
			return nil
		case err != nil:
			return err
		case n > mostPacket:
			continue
		}
		a.packets = append(a.packets, packet{a.bytes[used : used+n : used+n], sender(from), a.room[len(a.packets)][:0]})
		used += n
	}
	return nil
}

// sender is who has sent a packet, as package syscall tells it: unix asks the kernel for the protocol each time. Devices are told by their numbers: names may be those of another machine here.
func sender(from syscall.Sockaddr) netip.AddrPort {
	switch from := from.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port))
	case *syscall.SockaddrInet6:
		addr := netip.AddrFrom16(from.Addr)
		if from.ZoneId != 0 {
			addr = addr.WithZone(strconv.Itoa(int(from.ZoneId)))
		}
		return netip.AddrPortFrom(addr, uint16(from.Port))
	}
	return netip.AddrPort{}
}

// receive waits for packets and hands on those that have come, up to mostTogether. They are the caller's until f returns.
func (e *Engine) receive(conn *net.UDPConn, most int, f func(*arena)) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var got *arena
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		got = e.arena()
		if failed = got.fill(int(fd), most); !errors.Is(failed, unix.EAGAIN) {
			return true
		}
		e.arenas.Put(got)
		got = nil
		return false
	})
	if got == nil {
		return err
	}
	defer e.arenas.Put(got)
	if err == nil {
		err = failed
	}
	if err == nil {
		f(got)
	}
	return err
}

func (e *Engine) arena() *arena {
	if a, ok := e.arenas.Get().(*arena); ok {
		return a
	}
	return &arena{packets: make([]packet, 0, mostTogether), answers: make([]ipv4.Message, 0, mostTogether)}
}

// hear hands on packets until the socket is closed, those together that have come together. They are the caller's until the
// next ones.
func (s *server) hear(conn *net.UDPConn, each func(*arena)) {
	for {
		err := s.engine.receive(conn, mostTogether, each)
		if s.ctx.Err() != nil {
			return
		}
		s.warn(err)
	}
}

// exchange sends a question and waits for its answer. Packets that are none are passed over: anybody can send them.
func (e *Engine) exchange(conn *net.UDPConn, q question, sent []byte) (answer []byte, err error) {
	if _, err := conn.Write(sent); err != nil {
		return nil, err
	}
	for err == nil && answer == nil {
		err = e.receive(conn, 1, func(a *arena) {
			for _, p := range a.packets {
				if answers(p.data, q) {
					answer = slices.Clone(p.data)
					return
				}
			}
		})
	}
	return answer, err
}
