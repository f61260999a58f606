// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// A deluge is what one guest sends as fast as it can. Each of its sockets sends packet after packet.
type deluge struct {
	sockets int
	// open opens a socket in the guest's namespace.
	open func() (net.Conn, error)
	// packet is another one each time. Without it nothing is sent.
	packet func(k int) []byte
	// goroutines and memory are how much more of them there may be while it goes on: with what the senders have thrown away, who
	// are in the same process. A hundred thousand questions that were all kept would need much more.
	goroutines, memory int
	// mine is whether all of it comes from one hardware address.
	mine bool
}

// deluges are those of TestFlood, by what they ask for. The numbers are those of serve.Limits and some more.
func deluges(index int) map[string]deluge {
	udp := func(to string) func() (net.Conn, error) {
		return func() (net.Conn, error) { return net.Dial("udp", to) }
	}
	random := func(b []byte) {
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
	}
	broadcast := func() (net.Conn, error) { return dialFrom("udp4", 68, "255.255.255.255:67", index) }
	return map[string]deluge{
		"addresses, with any hardware address": {sockets: 2, goroutines: 10, memory: 64 << 20, open: broadcast, packet: func(k int) []byte {
			var mac [6]byte
			random(mac[1:])
			return dhcpPacket(1+2*byte(k%2), mac, nil)
		}},
		"addresses, with any identifier": {sockets: 2, goroutines: 10, memory: 64 << 20, open: broadcast, mine: true, packet: func(k int) []byte {
			id := make([]byte, 200)
			random(id)
			return dhcpPacket(1+2*byte(k%2), [6]byte{0x52, 0x54, 0, 0, 0, 1}, id)
		}},
		"addresses of IPv6": {sockets: 2, goroutines: 10, memory: 128 << 20, open: func() (net.Conn, error) {
			return dialFrom("udp6", 546, "[ff02::1:2%"+strconv.Itoa(index)+"]:547", index)
		}, packet: func(k int) []byte {
			duid := make([]byte, 100)
			random(duid)
			message := append([]byte{1, 0, 0, byte(k)}, option6(1, duid)...)
			message = append(message, option6(14)...) // at once
			for i := range byte(8) {
				message = append(message, option6(3, []byte{0, 0, 0, i}, make([]byte, 8))...)
			}
			return message
		}},
		"names that nobody tells": {sockets: 2, goroutines: 150 + 10, memory: 64 << 20, open: udp("10.9.0.1:53"), packet: func(k int) []byte {
			name := dnsmessage.MustNewName(fmt.Sprintf("n%d.example.org.", rand.Uint64()))
			m := dnsmessage.Message{
				Header:    dnsmessage.Header{ID: uint16(k), RecursionDesired: true},
				Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
			}
			packet, _ := m.Pack()
			return packet
		}},
		"nothing, on connections": {sockets: 400, goroutines: 16 + 10, memory: 4 << 20, open: func() (net.Conn, error) {
			return net.Dial("tcp", "10.9.0.1:53")
		}},
		"files, and does not take them": {sockets: 4, goroutines: 16 + 10, memory: 64 << 20, open: udp("10.9.0.1:69"), packet: func(int) []byte {
			return []byte("\x00\x01big\x00octet\x00blksize\x0065464\x00timeout\x001\x00")
		}},
	}
}

// dhcpPacket is a question for an address: kind 1 looks for one, and kind 3 asks for any of the first ones.
func dhcpPacket(kind byte, mac [6]byte, id []byte) []byte {
	p := make([]byte, 240, 512)
	p[0], p[1], p[2] = 1, 1, 6
	binary.BigEndian.PutUint32(p[4:], rand.Uint32())
	copy(p[28:], mac[:])
	copy(p[236:], []byte{99, 130, 83, 99})
	p = append(p, 53, 1, kind)
	if kind == 3 {
		p = append(p, 50, 4, 10, 9, 1+byte(rand.N(200)), byte(rand.Uint32()))
	}
	if len(id) > 0 {
		p = append(append(p, 61, byte(len(id))), id...)
	}
	return append(p, 255)
}

// dialFrom sends from a port on a device, to one or to all.
func dialFrom(network string, port int, to string, index int) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.UDPAddr{Port: port}, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1)
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, index)
		})
	}}
	return d.Dial(network, to)
}

// enough is how many packets have to be sent by each flood.
const enough = 20_000

// TestFlood lets one guest send as much as it can, of everything that is served. This process takes no more than a certain
// amount for it, and a guest of another network gets its address and its names meanwhile.
func TestFlood(t *testing.T) {
	p, op, other := flooded(t)
	defer do(t, p.Backend, op.Inverse(), other.Inverse())
	guest, calm := p.guest(t, "port1", "52:54:00:00:00:01"), testenv.New(t)
	testenv.Connect(t, p.ns, calm, "port2", "eth0")
	p.ns.Output(t, "ip", "link", "set", "port2", "master", "br1")
	guest.Output(t, "ip", "addr", "add", "10.9.250.1/16", "dev", "eth0")
	var index int
	guest.Run(t, func() {
		link, err := net.InterfaceByName("eth0")
		require.NoError(t, err)
		index = link.Index
	})
	const mine = 32 // of serve.Limits.ClientLeases
	own := func() (n int) {
		list, err := p.Leases(t.Context(), op.Server.Name)
		require.NoError(t, err)
		for _, l := range list {
			if l.MAC == (host.MAC{0x52, 0x54, 0, 0, 0, 1}) {
				n++
			}
		}
		return n
	}
	for what, f := range deluges(index) {
		t.Run(what, func(t *testing.T) {
			before := ours(t)
			conns := f.conns(t, guest)
			var sent atomic.Int64
			var longest time.Duration
			stop, sending := make(chan struct{}), sync.WaitGroup{}
			for _, conn := range conns {
				sending.Go(func() { f.send(conn, &sent, stop) })
			}
			for k := 0; k < 5 || f.packet != nil && sent.Load() < enough; k++ {
				calm.Output(t, "ip", "link", "set", "eth0", "address", fmt.Sprintf("52:54:00:00:01:0%d", k%5))
				begin := time.Now()
				got := lease(t, calm, dhcpclient.Options{})
				require.Equal(t, other.Server.Subnets[0].Prefix.Addr(), got.Server)
				require.Equal(t, []string{"10.10.0.9"}, askAddr4(t, p.ns, "10.10.0.1", "calm.example."))
				longest = max(longest, time.Since(begin))
			}
			t.Logf("%d packets; the other network has always answered after %s", sent.Load(), longest)
			during := ours(t)
			close(stop)
			sending.Wait()
			more := during.goroutines - before.goroutines - f.sockets
			t.Logf("%d goroutines and %d bytes more", more, during.memory-before.memory)
			require.LessOrEqual(t, more, f.goroutines)
			require.LessOrEqual(t, during.memory-before.memory, f.memory)
			for _, conn := range conns {
				conn.Close()
			}
			if f.mine {
				require.LessOrEqual(t, own(), mine)
			}
			testenv.WaitFor(t, 60*time.Second, "as many goroutines as before", func() bool { return ours(t).goroutines <= before.goroutines })
		})
	}
}

func (f deluge) conns(t *testing.T, guest *testenv.Namespace) (list []net.Conn) {
	t.Helper()
	guest.Run(t, func() {
		for range f.sockets {
			conn, err := f.open()
			require.NoError(t, err)
			list = append(list, conn)
		}
	})
	return list
}

func (f deluge) send(conn net.Conn, sent *atomic.Int64, stop <-chan struct{}) {
	if f.packet == nil {
		<-stop
		return
	}
	for k := 0; ; k++ {
		select {
		case <-stop:
			return
		default:
			if _, err := conn.Write(f.packet(k)); err == nil { // a full queue is no reason to stop
				sent.Add(1)
			}
		}
	}
}

// flooded serves two networks in this process: br0, which asks a silent server and has a file, and br1.
func flooded(t *testing.T) (p *place, op, other host.Serve) {
	t.Helper()
	p = newPlace(t, inProcess)
	p.ns.Output(t, "ip", "addr", "add", "10.9.0.2/32", "dev", "lo")
	var silent net.PacketConn
	p.ns.Run(t, func() {
		var err error
		silent, err = net.ListenPacket("udp", "10.9.0.2:53")
		require.NoError(t, err)
	})
	t.Cleanup(func() { silent.Close() })
	root := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "big"), make([]byte, 1<<20), 0o644))
	op = loaded()
	s := &op.Server.Subnets[0]
	s.TFTPRoot = root
	op.Server.Subnets = append(op.Server.Subnets, host.Subnet{
		Prefix: netip.MustParsePrefix("2001:db8:9::1/64"),
		Ranges: []host.Range{{Start: netip.MustParseAddr("2001:db8:9::1:0"), End: netip.MustParseAddr("2001:db8:9::ffff:ffff")}},
	})
	p.ns.Output(t, "ip", "addr", "add", "10.9.0.1/16", "dev", "br0")
	do(t, p.Backend, op)
	p.ns.Output(t, "ip", "link", "add", "br1", "up", "type", "bridge", "forward_delay", "0")
	p.ns.Output(t, "ip", "addr", "add", "10.10.0.1/24", "dev", "br1")
	other = serve4()
	other.Server.Name, other.Server.Link = "3b0fa6a1-5c53-4f4a-9a9e-0e5f3c1d2b78", "br1"
	other.Server.Subnets = []host.Subnet{{
		Prefix: netip.MustParsePrefix("10.10.0.1/24"),
		Ranges: []host.Range{{Start: netip.MustParseAddr("10.10.0.10"), End: netip.MustParseAddr("10.10.0.20")}},
	}}
	other.Server.DNS.Hosts = []host.NameRecord{{Addr: netip.MustParseAddr("10.10.0.9"), Names: []string{"calm.example"}}}
	do(t, p.Backend, other)
	return p, op, other
}
