// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// The addresses of the bridge and of the guests behind it.
func bridgeIP() netip.Addr     { return netip.AddrFrom4([4]byte{10, 9, 0, 1}) }
func guestIP(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, 0, byte(2 + i)}) }

// address gives the bridge and its guests addresses that nobody has to ask for.
func (s *shaper) address(t *testing.T) {
	t.Helper()
	s.ns.Output(t, "ip", "addr", "add", bridgeIP().String()+"/24", "dev", "br0")
	for i, guest := range s.guests {
		guest.Output(t, "ip", "addr", "add", guestIP(i).String()+"/24", "dev", "eth0")
		guest.Output(t, "ip", "neigh", "replace", bridgeIP().String(), "lladdr", shaperMAC.String(), "dev", "eth0")
		s.ns.Output(t, "ip", "neigh", "replace", guestIP(i).String(), "lladdr", guestMAC(i).String(), "dev", "br0")
	}
}

// A probe is packets between two namespaces that measure how much is sent before them, in bytes of a class. The kernel's
// own counter is the clock: it stands still while the machine does something else.
type probe struct {
	from, at int
	to       unix.SockaddrInet4
	class    func() tc.Class
	number   uint64
	sent     uint64 // by the class, when the last one was sent
	took     []uint64
	backlog  uint32 // the most that was waiting
}

// socket is a UDP socket in a namespace that does not block.
func socket(t *testing.T, ns *testenv.Namespace, at unix.SockaddrInet4) (fd int) {
	t.Helper()
	ns.Run(t, func() {
		var err error
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Bind(fd, &at))
	})
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func newProbe(t *testing.T, from, to *testenv.Namespace, addr netip.Addr, class func() tc.Class) *probe {
	t.Helper()
	const port = 7 // echo, though nobody answers
	p := &probe{class: class, to: unix.SockaddrInet4{Port: port, Addr: addr.As4()}}
	p.at = socket(t, to, p.to)
	p.from = socket(t, from, unix.SockaddrInet4{})
	return p
}

// step sends a packet if none is under way, and looks whether the last one has come. One that has not when as many bytes
// as lost were sent was dropped.
func (p *probe) step(t *testing.T, lost uint64) {
	t.Helper()
	c := p.class()
	p.backlog = max(p.backlog, c.Backlog)
	if p.number > 0 {
		var packet [8]byte
		n, _, err := unix.Recvfrom(p.at, packet[:], 0)
		came := err == nil && n == len(packet) && binary.NativeEndian.Uint64(packet[:]) == p.number
		if !came && c.Bytes-p.sent < lost {
			return
		}
		p.took = append(p.took, c.Bytes-p.sent)
	}
	p.number++
	p.sent = c.Bytes
	// If the queue has no room even for this it counts as lost.
	_ = unix.Sendto(p.from, binary.NativeEndian.AppendUint64(nil, p.number), 0, &p.to)
}

// probes is how many packets are enough.
const probes = 7

// waits floods a class and returns what was sent before each of some probes, in their order, and the most that was waiting.
func (p *probe) waits(t *testing.T, streams []stream, lost uint64) ([]uint64, uint32) {
	t.Helper()
	*p = probe{from: p.from, at: p.at, to: p.to, class: p.class, number: p.number + 1000}
	full := p.class().Bytes + 2*lost
	long := lasting(time.Minute)
	flood(t, streams, func() bool { return p.class().Bytes > full || long() })
	p.sent = p.class().Bytes - lost // none is under way
	flood(t, streams, func() bool { p.step(t, lost); return len(p.took) > probes || long() })
	require.Greater(t, len(p.took), probes, "packets that passed or were dropped within a minute")
	waits := p.took[1:]
	slices.Sort(waits)
	return waits, p.backlog
}

// classOf returns a function that looks at a class.
func (s *shaper) classOf(t *testing.T, index int, id uint16) func() tc.Class {
	return func() tc.Class {
		t.Helper()
		classes, err := s.tc.Classes(index)
		require.NoError(t, err)
		i := slices.IndexFunc(classes, func(c tc.Class) bool { return c.Handle == tc.MakeHandle(1, id) })
		require.GreaterOrEqual(t, i, 0)
		return classes[i]
	}
}

// queueOf is the queue of a class.
func (s *shaper) queueOf(t *testing.T, index int, id uint16) tc.Queue {
	t.Helper()
	found, err := s.tc.Qdiscs(index, tc.MakeHandle(1, id))
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0].Queue
}

// fair is how much may be sent before a packet of a flow that sends little where flows take turns: a turn of the greedy one,
// what is on the way, and what passes between two looks.
const fair = 24 << 10

// TestWaitIsBounded has a port that somebody floods, and a guest that sends little. What is sent before a packet of the
// little, over the rate, is how long it waits. A queue that is too long shows first that the test would see it.
func TestWaitIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	for _, mbit := range []uint64{10, 100} {
		limit := host.NewLimit(mbit*125, 0, 0)
		tenth := limit.Rate * 100 // bytes in a tenth of a second
		for _, received := range []bool{false, true} {
			s := newShaper(t, 1)
			s.address(t)
			shape, link := host.Shape{Link: "veth0", Egress: limit}, named("veth0")
			from, sender, to, addr, mac := s.ns, "br0", s.guests[0], guestIP(0), guestMAC(0)
			if received {
				shape, link = host.Shape{Link: "veth0", Ingress: limit}, ofKind("ifb")
				from, sender, to, addr, mac = s.guests[0], "eth0", s.ns, bridgeIP(), shaperMAC
			}
			can, err := s.backend.Facts(t.Context(), host.Scope{Shaping: true})
			require.NoError(t, err)
			for _, queue := range can.Shaping.Queues {
				t.Run(fmt.Sprintf("%d Mbit/s, received %v, %s", mbit, received, queue), func(t *testing.T) {
					op := s.best(t, shape)
					op.Shape.Queue = queue
					s.do(t, op)
					defer s.do(t, op.Inverse())
					index := s.index(t, link)
					p := newProbe(t, from, to, addr, s.classOf(t, index, 2))
					streams := []stream{newStream(t, from, sender, mac, 0x88b5)}
					bound := tenth
					if queue != host.BFIFO {
						bound = fair
					}
					leaf := s.queueOf(t, index, 2)
					require.NoError(t, s.tc.SetQueue(index, tc.MakeHandle(1, 2), tc.Queue{Kind: "bfifo", Limit: uint32(4 * tenth)}))
					tries(t, func() error {
						waits, backlog := p.waits(t, streams, 8*tenth)
						if uint64(backlog) < 2*tenth {
							testenv.Skip(t, "this machine does not send fast enough to fill a port of %d Mbit/s", mbit)
						}
						if under(waits, bound+bound/4) == nil {
							return fmt.Errorf("the wait in a queue of four tenths of a second is not seen: %v", waits)
						}
						return nil
					})
					require.NoError(t, s.tc.SetQueue(index, tc.MakeHandle(1, 2), leaf))
					tries(t, func() error {
						waits, backlog := p.waits(t, streams, 8*tenth)
						t.Logf("sent before a packet: median %d, most %d bytes; waiting: %d bytes", waits[len(waits)/2], waits[len(waits)-1], backlog)
						if queue == host.BFIFO {
							require.LessOrEqual(t, uint64(backlog), bound, "bytes waiting")
						}
						return under(waits, bound+bound/4)
					})
				})
			}
		}
	}
}

// under wants the median to be below a bound, and none above twice that.
func under(waits []uint64, bound uint64) error {
	if waits[len(waits)/2] > bound || waits[len(waits)-1] > 2*bound {
		return fmt.Errorf("bytes sent before a packet: %v, want not more than %d", waits, bound)
	}
	return nil
}

// TestWaitWithGuarantee has two greedy guests, one with a guarantee. What waits for it is bounded by its own rate, not by the
// larger one that it may have when it is alone.
func TestWaitWithGuarantee(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	s := newShaper(t, 2)
	s.address(t)
	s.do(t, s.best(t, host.Shape{Link: "br0", Egress: host.NewLimit(12500, 125000, 0)}), host.AddClass{Link: "br0", ID: 3, MAC: guestMAC(0), Rate: 2500})
	index := s.index(t, named("br0"))
	p := newProbe(t, s.ns, s.guests[0], guestIP(0), s.classOf(t, index, 3))
	streams := []stream{newStream(t, s.ns, "br0", guestMAC(0), 0x88b5), newStream(t, s.ns, "br0", guestMAC(1), 0x88b5)}
	tenth := uint64(2500 * 100)
	tries(t, func() error {
		waits, backlog := p.waits(t, streams, 8*tenth)
		t.Logf("sent before a packet: median %d, most %d bytes; waiting: %d bytes", waits[len(waits)/2], waits[len(waits)-1], backlog)
		return under(waits, tenth+tenth/4)
	})
	q := s.queueOf(t, index, 3)
	was := host.Class{Link: "br0", ID: 3, MAC: guestMAC(0), Rate: 2500}
	more := was
	more.Rate = 5000
	s.do(t, host.SetClass{Class: more, Was: was})
	if q.Kind != string(host.SFQ) { // which is as long as it can be
		require.Greater(t, s.queueOf(t, index, 3).Limit, q.Limit, "the queue goes with the guarantee")
	}
}
