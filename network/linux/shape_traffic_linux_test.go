// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/rtnl"
	"github.com/go-virtnet/virtnet/internal/tc"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// A shaper is a bridge with guests behind it, and a way to count what its classes send.
type shaper struct {
	backend *linux.Backend
	ns      *testenv.Namespace
	rt      *rtnl.Conn
	tc      *tc.Conn
	guests  []*testenv.Namespace
}

// jumbo is the largest packet of the links.
const jumbo = 9000

// shaperMAC is the address of the bridge.
var shaperMAC = host.MAC{2, 0, 0, 0, 0, 9}

// guestMAC is the address of a guest.
func guestMAC(i int) host.MAC { return host.MAC{0x52, 0x54, 0, 0, 0, byte(i)} }

func newShaper(t testing.TB, guests int) *shaper {
	t.Helper()
	s := &shaper{}
	s.backend, s.ns = open(t)
	enter := func(f func() error) (err error) { s.ns.Run(t, func() { err = f() }); return err }
	var err error
	s.rt, err = rtnl.Open(enter)
	require.NoError(t, err)
	s.tc = tc.New(enter, s.rt)
	t.Cleanup(func() { require.NoError(t, s.tc.Close()); require.NoError(t, s.rt.Close()) })
	s.do(t, host.AddBridge{Link: "br0", MAC: shaperMAC, MTU: jumbo}, host.SetUp{Link: "br0"})
	for i := range guests {
		guest, link := testenv.New(t), fmt.Sprintf("veth%d", i)
		s.guests = append(s.guests, guest)
		host1 := guestMAC(i)
		host1[0] = 0xfe
		s.do(t, host.AddVeth{Link: link, MAC: host1, MTU: jumbo, Peer: "eth0", PeerMAC: guestMAC(i), Namespace: guest.Path()},
			host.Plug{Link: link, Bridge: "br0"}, host.SetUp{Link: link})
		guest.Output(t, "ip", "link", "set", "eth0", "up")
	}
	return s
}

func (s *shaper) do(t testing.TB, ops ...host.Op) {
	t.Helper()
	for _, op := range ops {
		require.NoError(t, s.backend.Do(t.Context(), op), op.String())
	}
}

// best is the shape with the best queue of this kernel.
func (s *shaper) best(t testing.TB, shape host.Shape) host.SetShape {
	t.Helper()
	f, err := s.backend.Facts(t.Context(), host.Scope{Shaping: true})
	require.NoError(t, err)
	shape.Queue = f.Shaping.Queues[0]
	if !shape.Ingress.IsZero() {
		shape.Means = host.Redirect
	}
	return host.SetShape{Link: shape.Link, Shape: shape}
}

// sent is what the classes of a link have sent, by their numbers.
func (s *shaper) sent(t testing.TB, index int) map[uint16]uint64 {
	t.Helper()
	classes, err := s.tc.Classes(index)
	require.NoError(t, err)
	bytes := map[uint16]uint64{}
	for _, c := range classes {
		bytes[c.Handle.Minor()] = c.Bytes
	}
	return bytes
}

func (s *shaper) index(t testing.TB, wanted func(rtnl.Link) bool) int {
	t.Helper()
	links, err := s.rt.Links()
	require.NoError(t, err)
	for _, l := range links {
		if wanted(l) {
			return l.Index
		}
	}
	t.Fatal("no such link")
	return 0
}

func named(name string) func(rtnl.Link) bool { return func(l rtnl.Link) bool { return l.Name == name } }
func ofKind(kind string) func(rtnl.Link) bool {
	return func(l rtnl.Link) bool { return l.Kind == kind }
}

// A stream is a socket that sends frames to one station as fast as they are taken.
type stream struct {
	fd int
	to unix.SockaddrLinklayer
	// size is that of its frames, without their headers.
	size int
}

func newStream(t testing.TB, ns *testenv.Namespace, link string, to host.MAC, etherType uint16) stream {
	t.Helper()
	s := stream{size: 1486, to: unix.SockaddrLinklayer{Protocol: binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, etherType)), Halen: 6}}
	copy(s.to.Addr[:], to[:])
	ns.Run(t, func() {
		var err error
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		require.NoError(t, err)
		request, err := unix.NewIfreq(link)
		require.NoError(t, err)
		require.NoError(t, unix.IoctlIfreq(s.fd, unix.SIOCGIFINDEX, request))
		s.to.Ifindex = int(request.Uint32())
	})
	// More than a queue holds, so that it is never empty, however long this program has to wait for its turn.
	require.NoError(t, unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 32<<20))
	t.Cleanup(func() { unix.Close(s.fd) })
	return s
}

// flood sends on all streams until enough is true.
func flood(t testing.TB, streams []stream, enough func() bool) {
	t.Helper()
	frame := make([]byte, jumbo)
	polled := make([]unix.PollFd, len(streams))
	for i, s := range streams {
		polled[i] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLOUT}
	}
	for !enough() {
		if _, err := unix.Poll(polled, 5); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
		full := true
		for i := range polled {
			if polled[i].Revents&unix.POLLOUT == 0 {
				continue
			}
			for range 8 {
				err := unix.Sendto(streams[i].fd, frame[:streams[i].size], 0, &streams[i].to)
				if err == unix.EAGAIN || err == unix.ENOBUFS {
					break
				}
				require.NoError(t, err)
				full = false
			}
		}
		if full { // every queue: there is time for others
			_, _ = unix.Poll(nil, 1)
		}
	}
}

func lasting(d time.Duration) func() bool {
	end := time.Now().Add(d)
	return func() bool { return time.Now().After(end) }
}

// measure floods for a while after the burst is gone, and returns kilobytes per second by class.
func (s *shaper) measure(t testing.TB, index int, streams []stream, d time.Duration) map[uint16]float64 {
	t.Helper()
	flood(t, streams, lasting(d/4))
	before, start := s.sent(t, index), time.Now()
	flood(t, streams, lasting(d))
	after, took := s.sent(t, index), time.Since(start)
	speed := map[uint16]float64{}
	for class := range after {
		speed[class] = float64(after[class]-before[class]) / took.Seconds() / 1000
	}
	return speed
}

// tries wants a measurement to come out right once in a few times: when other programs keep this one waiting, it is them that
// are measured. If it never does on a machine that is busy, the test is skipped, and says so.
func tries(t testing.TB, measure func() error) {
	t.Helper()
	var err error
	for range 4 {
		if err = measure(); err == nil {
			return
		}
	}
	if share := processorShare(); share < 0.8 {
		testenv.Skip(t, "other programs leave this one only %.0f%% of a processor: %v", 100*share, err)
	}
	t.Error(err)
}

// processorShare is how much of a processor this program gets when it asks for one.
func processorShare() float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &before)
	start := time.Now()
	for time.Since(start) < 300*time.Millisecond {
		continue
	}
	wall := time.Since(start)
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &after)
	used := func(r *unix.Rusage) time.Duration { return time.Duration(r.Utime.Nano() + r.Stime.Nano()) }
	return float64(used(&after)-used(&before)) / float64(wall)
}

// near says whether a speed is that wanted, but for a part of it.
func near(what string, want, speed, part float64) error {
	if math.Abs(speed/want-1) <= part {
		return nil
	}
	return fmt.Errorf("%s: %f kB/s, want %f", what, speed, want)
}

// fastFor is a stream that is faster than a limit, or it would be the sender that is measured.
func (s stream) fastFor(limit host.Limit) stream {
	if limit.Rate > 10_000 {
		s.size = jumbo
	}
	return s
}

// holds wants the rate to be within a hundredth of the limit.
func (s *shaper) holds(t testing.TB, limit host.Limit, index int, from stream) {
	t.Helper()
	from = from.fastFor(limit)
	tries(t, func() error {
		return near("average", float64(limit.Rate), s.measure(t, index, []stream{from}, 2*time.Second)[1], 0.01)
	})
}

// TestAverageHolds floods a link in both directions. What counts is the kernel's count of the class.
func TestAverageHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	for _, mbit := range []uint64{1, 10, 100, 500} {
		limit := host.NewLimit(mbit*125, 0, 0)
		for _, d := range directions {
			t.Run(fmt.Sprintf("%d Mbit/s %s", mbit, d.name), func(t *testing.T) {
				s, index, from := d.shaper(t, limit)
				s.holds(t, limit, index, from)
			})
		}
	}
}

// A direction is one of those in which a link is limited.
type direction struct {
	name  string
	shape func(host.Limit) host.Shape
	// counts finds the device that counts what passes, and from opens who sends.
	counts func(rtnl.Link) bool
	from   func(testing.TB, *shaper) stream
}

var directions = []direction{
	{
		"sent", func(l host.Limit) host.Shape { return host.Shape{Link: "veth0", Egress: l} }, named("veth0"),
		func(t testing.TB, s *shaper) stream { return newStream(t, s.ns, "veth0", guestMAC(0), 0x88b5) },
	},
	{
		"received", func(l host.Limit) host.Shape { return host.Shape{Link: "veth0", Ingress: l} }, ofKind("ifb"),
		func(t testing.TB, s *shaper) stream { return newStream(t, s.guests[0], "eth0", shaperMAC, 0x88b5) },
	},
}

// shaper is a bridge with a guest that is limited, the number of the device that counts it, and who sends.
func (d direction) shaper(t testing.TB, limit host.Limit) (s *shaper, index int, from stream) {
	t.Helper()
	s = newShaper(t, 1)
	s.do(t, s.best(t, d.shape(limit)))
	return s, s.index(t, d.counts), d.from(t, s)
}

// burst floods, and returns kilobytes per second of what passes of a burst of 1 MiB after its first packets.
func (s *shaper) burst(t testing.TB, index int, streams []stream) float64 {
	t.Helper()
	flood(t, streams, func() bool { return s.sent(t, index)[1] >= 64<<10 })
	first, start := s.sent(t, index)[1], time.Now()
	flood(t, streams, func() bool { return s.sent(t, index)[1] >= 800<<10 })
	return float64(s.sent(t, index)[1]-first) / time.Since(start).Seconds() / 1000
}

// TestPeakHolds wants a burst to pass at the speed of the peak, in both directions, and the average afterwards.
func TestPeakHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	limit := host.NewLimit(1250, 6250, 1024)
	for _, d := range directions {
		t.Run(d.name, func(t *testing.T) {
			tries(t, func() error {
				s, index, from := d.shaper(t, limit)
				streams := []stream{from}
				speed := s.burst(t, index, streams)
				require.Less(t, speed, 1.1*6250, "the burst at peak, kB/s")
				if speed < 0.75*6250 {
					return fmt.Errorf("the burst passes at %f kB/s, not at the peak", speed)
				}
				flood(t, streams, func() bool { return s.sent(t, index)[1] >= 1800<<10 })
				return near("the average afterwards", 1250, s.measure(t, index, streams, 2*time.Second)[1], 0.01)
			})
		})
	}
}

// TestFloorsHold has three greedy guests, two of them with a guarantee, whatever protocol they speak.
func TestFloorsHold(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some seconds")
	}
	for name, etherType := range map[string]uint16{"IPv4": unix.ETH_P_IP, "IPv6": unix.ETH_P_IPV6, "something else": 0x88b5} {
		t.Run(name, func(t *testing.T) {
			s, streams := newGreedy(t, etherType)
			index := s.index(t, named("br0"))
			tries(t, func() error {
				speed := s.measure(t, index, streams, 2*time.Second)
				for class, floor := range floors {
					if speed[class] < 0.98*floor {
						return fmt.Errorf("class 1:%x of %v has less than %f kB/s", class, speed, floor)
					}
				}
				return near("all of it", 2500, speed[1], 0.01)
			})
			tries(t, func() error { // who is alone gets all of it
				return near("alone", 2500, s.measure(t, index, streams[1:2], 2*time.Second)[0x1234], 0.02)
			})
		})
	}
}

// floors are what the classes of three greedy guests are sure of, in kB/s: the third has what is left.
var floors = map[uint16]float64{3: 1000, 0x1234: 400, 2: 1100}

// newGreedy is a bridge of 2500 kB/s with three guests who want all of it.
func newGreedy(t testing.TB, etherType uint16) (*shaper, []stream) {
	t.Helper()
	s := newShaper(t, 3)
	bpf := etherType != unix.ETH_P_IP // both classifiers, where there are both
	s.do(t, s.best(t, host.Shape{Link: "br0", Egress: host.NewLimit(2500, 5000, 0)}),
		host.AddClass{Link: "br0", ID: 3, MAC: guestMAC(0), Rate: 1000, BPF: bpf}, host.AddClass{Link: "br0", ID: 0x1234, MAC: guestMAC(1), Rate: 400, BPF: bpf})
	var streams []stream
	for i := range s.guests {
		streams = append(streams, newStream(t, s.ns, "br0", guestMAC(i), etherType))
	}
	return s, streams
}
