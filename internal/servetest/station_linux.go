// SPDX-License-Identifier: Apache-2.0

package servetest

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// Patience is how long an answer that has to come is waited for: longer than any machine is busy.
const Patience = 60 * time.Second

// again is after how long a question is asked again: the device of a network may not be ready when it is first asked.
const again = time.Second

// A Station is a device of guests: as many of them as there are addresses of hardware, which are heard and spoken for here
// and are nobody's else. It belongs to one test.
type Station struct {
	t      testing.TB
	fd     int
	index  int
	frames chan []byte

	mu sync.Mutex
	// conversations is how many there were by DHCPv6.
	conversations number
	// own are the addresses of guests: who asks for their hardware is told.
	own map[netip.Addr]net.HardwareAddr
}

// NewStation speaks and hears at a device.
func NewStation(t testing.TB, ns *testenv.Namespace, device string) *Station {
	t.Helper()
	s := &Station{t: t, frames: make(chan []byte, 1<<12), own: map[netip.Addr]net.HardwareAddr{}}
	var err error
	ns.Run(t, func() {
		var link *net.Interface
		if link, err = net.InterfaceByName(device); err != nil {
			return
		}
		s.index = link.Index
		if s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(swapped(unix.ETH_P_ALL))); err != nil {
			return
		}
		if err = unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: swapped(unix.ETH_P_ALL), Ifindex: s.index}); err != nil {
			return
		}
		all := &unix.PacketMreq{Ifindex: int32(s.index), Type: unix.PACKET_MR_PROMISC}
		err = unix.SetsockoptPacketMreq(s.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, all)
	})
	if err != nil {
		t.Fatalf("a station at %s: %v", device, err)
	}
	// A timeout lets the reader see that the test is over.
	_ = unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000})
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.hear(done)
	}()
	t.Cleanup(func() {
		close(done)
		<-ended
		_ = unix.Close(s.fd)
	})
	return s
}

// hear reads frames until it is done. What asks for the hardware of guests is answered at once.
func (s *Station) hear(done <-chan struct{}) {
	buffer := make([]byte, 1<<16)
	for {
		select {
		case <-done:
			return
		default:
		}
		n, from, err := unix.Recvfrom(s.fd, buffer, 0)
		if err != nil {
			continue
		}
		if l, ok := from.(*unix.SockaddrLinklayer); ok && l.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		frame := append([]byte(nil), buffer[:n]...)
		if s.tellHardware(frame) {
			continue
		}
		select {
		case s.frames <- frame:
		default: // nobody asks for anything
		}
	}
}

// Claim makes an address a guest's.
func (s *Station) Claim(addr netip.Addr, hardware net.HardwareAddr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.own[addr] = hardware
}

func (s *Station) hardwareOf(addr netip.Addr) net.HardwareAddr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.own[addr]
}

// Send sends a frame.
func (s *Station) Send(frame []byte) {
	to := &unix.SockaddrLinklayer{Ifindex: s.index, Halen: 6}
	copy(to.Addr[:], frame)
	if err := unix.Sendto(s.fd, frame, 0, to); err != nil {
		s.t.Helper()
		s.t.Fatalf("send: %v", err)
	}
}

// Forget drops what was heard and not asked for.
func (s *Station) Forget() {
	for {
		select {
		case <-s.frames:
		default:
			return
		}
	}
}

// Until sends a frame, and again now and then, until a frame has come that is the wanted one.
func (s *Station) Until(what string, frame []byte, wanted func(frame []byte) bool) {
	s.t.Helper()
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); {
		s.Send(frame)
		if s.within(again, wanted) {
			return
		}
	}
	s.t.Fatalf("nothing heard: %s", what)
}

// within reports whether the wanted frame comes in that time.
func (s *Station) within(d time.Duration, wanted func(frame []byte) bool) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case f := <-s.frames:
			if wanted(f) {
				return true
			}
		case <-timer.C:
			return false
		}
	}
}

// swapped is a number in the order of the network.
func swapped(v uint16) uint16 { return v<<8 | v>>8 }
