// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// roundTrips is how many are one turn.
const roundTrips = 40

// BenchmarkRound_trip sends a packet from a guest through the host to a machine outside, and back, with one network on the host and with many.
// One thread sends and receives at both ends, so that nothing of it is waiting for another to wake up.
func BenchmarkRound_trip(b *testing.B) {
	testenv.NeedRoot(b)
	one, many := newRouter(b, 1), newRouter(b, 200)
	b.Run("networks=200", func(b *testing.B) {
		pairs := takeTurns(b, doing, one.work(), many.work())
		b.ReportMetric(micros(pairs[0])/roundTrips, "one-µs")
		b.ReportMetric(micros(pairs[1])/roundTrips, "own-µs")
		b.ReportMetric(over(pairs)/roundTrips, "over-µs")
	})
}

// A router is a host with networks, a guest on one of them, and a machine outside.
type router struct {
	guest, outside int // sockets
	to             unix.SockaddrInet4
}

func newRouter(b *testing.B, networks int) *router {
	b.Helper()
	host, guest, outside := testenv.New(b), testenv.New(b), testenv.New(b)
	d := newBedIn(b, host.Path())
	testenv.Connect(b, host, outside, "up0", "eth0")
	host.Output(b, "ip", "addr", "add", "203.0.113.1/24", "dev", "up0")
	outside.Output(b, "ip", "addr", "add", "203.0.113.2/24", "dev", "eth0")
	d.fill(b, networks-1)
	d.start(b, natNetwork(b, 0, false))
	testenv.Connect(b, host, guest, "port", "eth0")
	host.Output(b, "ip", "link", "set", "port", "master", "vn0")
	guest.Output(b, "ip", "addr", "add", "10.128.0.2/24", "dev", "eth0")
	guest.Output(b, "ip", "route", "add", "default", "via", "10.128.0.1")
	const port = 7
	r := &router{to: unix.SockaddrInet4{Port: port, Addr: [4]byte{203, 0, 113, 2}}}
	r.guest, r.outside = newPackets(b, guest, 0), newPackets(b, outside, port)
	for range 100 { // addresses are resolved, and the bridge forwards
		if r.trip() == nil {
			break
		}
	}
	require.NoError(b, r.trip())
	return r
}

// newPackets is a socket for UDP, at a port or at any.
func newPackets(b *testing.B, ns *testenv.Namespace, port int) (fd int) {
	b.Helper()
	ns.Run(b, func() {
		var err error
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(b, err)
		require.NoError(b, unix.Bind(fd, &unix.SockaddrInet4{Port: port}))
		require.NoError(b, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}))
	})
	b.Cleanup(func() { unix.Close(fd) })
	return fd
}

func (r *router) work() work {
	return work{func() error {
		for range roundTrips {
			if err := r.trip(); err != nil {
				return err
			}
		}
		return nil
	}, func() error { return nil }}
}

// trip is one packet there and one back.
func (r *router) trip() error {
	var packet [64]byte
	if err := unix.Sendto(r.guest, packet[:], 0, &r.to); err != nil {
		return err
	}
	n, from, err := unix.Recvfrom(r.outside, packet[:], 0)
	if err != nil {
		return err
	}
	if err := unix.Sendto(r.outside, packet[:n], 0, from); err != nil {
		return err
	}
	_, _, err = unix.Recvfrom(r.guest, packet[:], 0)
	return err
}

// frames is how many are one turn.
const frames = 500

// BenchmarkPacket_rate sends small frames from the host to a guest on a bridge that guarantees each of its ports a rate, with one port and
// with a thousand.
func BenchmarkPacket_rate(b *testing.B) {
	testenv.NeedRoot(b)
	one, many := newShapedBridge(b, 1), newShapedBridge(b, 1000)
	b.Run("ports=1000", func(b *testing.B) {
		pairs := takeTurns(b, doing, one.work(), many.work())
		rate := func(took []time.Duration) float64 { return frames / micros(took) * 1e3 }
		b.ReportMetric(rate(pairs[0]), "one-kpps")
		b.ReportMetric(rate(pairs[1]), "own-kpps")
		b.ReportMetric(1/times(pairs), "xone")
		for _, s := range []*shapedBridge{one, many} {
			got := s.received(b)
			require.Greater(b, float64(got), 0.99*float64(s.sent), "frames that came to the guest")
		}
	})
}

// A shapedBridge is a host with a network, and guests that it guarantees something.
type shapedBridge struct {
	guest *testenv.Namespace
	link  string
	fd    int
	to    unix.SockaddrLinklayer
	frame [46]byte
	sent  int
}

func newShapedBridge(b *testing.B, ports int) *shapedBridge {
	b.Helper()
	host := testenv.New(b)
	d := newBedIn(b, host.Path())
	d.start(b, parsed(b, `<network><name>net0</name><bridge name='vn0'/><bandwidth><inbound average='4000000'/></bandwidth></network>`))
	const limits = `<bandwidth><inbound average='2000000' floor='%d'/></bandwidth>`
	taps := newGuests(b, d, kind{name: "tap", iface: `<interface type='network'><source network='net0'/><target dev='%s'/><model type='virtio'/>` +
		fmt.Sprintf(limits, 1) + `</interface>`})
	taps.add(ports - 1)
	s := &shapedBridge{guest: testenv.New(b), link: "eth0"}
	last := newGuests(b, d, kind{name: "veth", iface: `<interface type='network'><source network='net0'/><target dev='%s'/><guest dev='eth0'/>` +
		fmt.Sprintf(limits, 1_000_000) + `</interface>`})
	last.container, last.made = s.guest.Path(), ports
	last.add(1)
	s.guest.Output(b, "ip", "link", "set", s.link, "up")
	mac, err := net.ParseMAC(strings.TrimSpace(s.guest.Output(b, "sh", "-c", "ip -br link show "+s.link+" | awk '{print $3}'")))
	require.NoError(b, err)
	s.to = unix.SockaddrLinklayer{Protocol: binary.BigEndian.Uint16([]byte{0xb5, 0x88}), Halen: 6}
	copy(s.to.Addr[:], mac)
	host.Run(b, func() {
		s.to.Ifindex = index(b, "vn0")
		s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(b, err)
	})
	b.Cleanup(func() { unix.Close(s.fd) })
	testenv.WaitFor(b, 10*time.Second, "the bridge forwards", func() bool {
		before := s.received(b)
		require.NoError(b, unix.Sendto(s.fd, s.frame[:], 0, &s.to))
		return s.received(b) > before
	})
	s.sent = s.received(b)
	return s
}

func (s *shapedBridge) work() work {
	return work{func() error {
		for range frames {
			if err := unix.Sendto(s.fd, s.frame[:], 0, &s.to); err != nil {
				return err
			}
		}
		s.sent += frames
		return nil
	}, func() error { return nil }}
}

// received is how many frames have come to the guest.
func (s *shapedBridge) received(b *testing.B) (count int) {
	b.Helper()
	s.guest.Run(b, func() {
		text, err := os.ReadFile("/proc/thread-self/net/dev")
		require.NoError(b, err)
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); fields[0] == s.link+":" {
				count, err = strconv.Atoi(fields[2])
				require.NoError(b, err)
			}
		}
	})
	return count
}
