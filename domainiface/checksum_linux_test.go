// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/domainiface"
	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/lab"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
)

// TestReplyChecksums looks at what a virtual machine gets from the host: the frames have the checksums of the wire, so
// that also a guest takes them that knows nothing of checksums that are left to the network card.
func TestReplyChecksums(t *testing.T) {
	testenv.NeedProgram(t, "dnsmasq")
	t.Parallel()
	w := newWorld(t)
	w.start(`<network><name>lan</name><bridge name='lan0' stp='off'/><ip address='10.88.0.1' prefix='24'>
<dhcp><range start='10.88.0.100' end='10.88.0.199'/></dhcp></ip></network>`)
	require.NoError(t, lab.Echo(t.Context(), w.host.Path()))
	gateway := netip.MustParseAddr("10.88.0.1")
	require.Contains(t, w.host.Output(t, "ip", "link", "show", "lan0"), "qdisc noqueue", "nothing waits where nothing is limited")
	machine := w.boot("web", 0)
	received := capture(t, machine, "eth0")
	got := w.lease(machine, dhcpclient.Options{})
	w.ip(machine, "addr add "+got.Addr.String()+" dev eth0")
	require.Equal(t, []string{"REFUSED"}, w.ask(machine, gateway, "www.example. A"))
	require.NoError(t, lab.Probe(t.Context(), machine.Path(), lab.TCP, gateway))
	require.NoError(t, lab.Probe(t.Context(), machine.Path(), lab.UDP, gateway))
	seen := map[string]int{}
	for _, p := range received() {
		require.NoError(t, p.err, "%s", p.from)
		seen[p.from]++
	}
	require.GreaterOrEqual(t, seen["udp 67"], 2, "offer and acknowledgement: %v", seen)
	require.Positive(t, seen["udp 53"], seen)
	require.Positive(t, seen["udp 7"], seen)
	require.GreaterOrEqual(t, seen["tcp 7"], 2, seen)
}

// boot puts a virtual machine on network lan, for which the host leaves this work (TUN_F_CSUM and so on) to its card.
func (w *world) boot(name string, offload int) *testenv.Namespace {
	t := w.t
	t.Helper()
	nic, err := domainiface.Parse(strings.NewReader(`<interface type='network'><source network='lan'/></interface>`))
	require.NoError(t, err)
	port, err := domainiface.Attach(t.Context(), w.nets, domainiface.Guest{Name: name}, nic)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, port.Detach(context.Background())) })
	files, err := port.Open(t.Context(), 1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, files[0].Close()) })
	require.NoError(t, unix.IoctlSetInt(int(files[0].Fd()), unix.TUNSETOFFLOAD, offload))
	machine := testenv.New(t)
	monitor, err := lab.Boot(machine.Path(), "eth0", net.HardwareAddr(port.MAC[:]), files[0])
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, monitor.Close()) })
	return machine
}

// A repairing backend says that it can repair checksums in these ways only.
type repairing struct {
	*linux.Backend
	ways []host.Repair
}

func (b repairing) Facts(ctx context.Context, s host.Scope) (*host.Facts, error) {
	f, err := b.Backend.Facts(ctx, s)
	if err == nil {
		f.Repairs = b.ways
	}
	return f, err
}

// served is a network with servers of DHCP and DHCPv6.
const served = `<network><name>lan</name><bridge name='lan0' stp='off'/>
<bandwidth><inbound average='12500'/><outbound average='12500'/></bandwidth>
<ip address='10.88.0.1' prefix='24'><dhcp><range start='10.88.0.100' end='10.88.0.199'/></dhcp></ip>
<ip family='ipv6' address='2001:db8:88::1' prefix='64'><dhcp><range start='2001:db8:88::100' end='2001:db8:88::1ff'/></dhcp></ip></network>`

// TestChecksumsFilledIn has guests on a veth pair and on a tap, whose cards would fill in what the host leaves to them, ask
// for addresses of both families. Whoever reads the answers as they come sees the checksums that they should have, also where
// traffic is shaped. Without what the network does about it he does not, and that is found and mended.
func TestChecksumsFilledIn(t *testing.T) {
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "tc")
	w := newWorld(t)
	f, err := w.backend.Facts(t.Context(), host.Scope{Repairs: true})
	require.NoError(t, err)
	if !slices.Contains(f.Repairs, host.Fill) {
		testenv.Lack(t, "the kernel has no action csum")
	}
	t.Parallel()
	w.start(served)
	guests := []*testenv.Namespace{w.attachMAC("pair", "lan", "52:54:00:00:00:07").Namespace, w.boot("machine", unix.TUN_F_CSUM)}
	for i, g := range guests {
		w.ip(g, fmt.Sprintf("addr add fe80::%d/64 dev eth0 nodad", i+1))
	}
	answers := func(wrong bool) {
		t.Helper()
		for i, g := range guests {
			for from, right := range w.answers(g) {
				require.Equal(t, !wrong, right, "%s to guest %d", from, i)
			}
		}
	}
	answers(false)
	before := w.host.Snapshot(t)
	w.host.Output(t, "tc", "filter", "del", "dev", "lan0", "egress")
	answers(true)
	drift, err := w.nets.Check(t.Context())
	require.NoError(t, err)
	require.Len(t, drift, 1)
	require.Len(t, drift[0].Missing, 1)
	require.Equal(t, host.FillChecksums{Link: "lan0"}, drift[0].Missing[0].Op)
	_, err = w.nets.Repair(t.Context(), network.RepairRequest{})
	require.NoError(t, err)
	w.host.Unchanged(t, before, "repaired")
	answers(false)
}

// TestChecksumsLeft is the same where nothing is done about it: guests whose clients look at the checksums of their cards get
// addresses, and nothing is missing.
func TestChecksumsLeft(t *testing.T) {
	testenv.NeedProgram(t, "dnsmasq")
	t.Parallel()
	w := newWorld(t)
	w.reopen(repairing{Backend: w.backend})
	w.start(served)
	guest := w.attachMAC("pair", "lan", "52:54:00:00:00:07").Namespace
	w.ip(guest, "addr add fe80::1/64 dev eth0 nodad")
	for from, right := range w.answers(guest) {
		require.False(t, right, from)
	}
	require.Equal(t, "10.88.0.1", w.lease(guest, dhcpclient.Options{}).Server.String())
	drift, err := w.nets.Check(t.Context())
	require.NoError(t, err)
	require.Empty(t, drift)
}

// reopen has another backend in place of the world's.
func (w *world) reopen(b host.Backend) {
	w.t.Helper()
	var err error
	w.nets, err = network.Open(w.t.Context(), b, w.store)
	require.NoError(w.t, err)
}

// answers has a guest ask for addresses until both servers have answered, and tells whether all of the checksums of each were
// as they should be.
func (w *world) answers(g *testenv.Namespace) map[string]bool {
	t := w.t
	t.Helper()
	received := capture(t, g, "eth0")
	conn, card := solicitor(t, g)
	defer conn.Close()
	w.lease(g, dhcpclient.Options{})
	right := map[string]bool{}
	defer func() {
		if len(right) < 2 {
			t.Logf("heard of %v; host:\n%s\nguest:\n%s", right, w.host.Output(t, "ip", "-6", "addr"), g.Output(t, "ip", "-6", "addr"))
		}
	}()
	testenv.WaitFor(t, 30*time.Second, "an answer of each server", func() bool {
		// A link takes a moment to be sure of its own address.
		_, _ = conn.WriteTo(solicit, &net.UDPAddr{IP: net.ParseIP("ff02::1:2"), Port: 547, Zone: card})
		for _, p := range received() {
			if p.from == "udp 67" || p.from == "udp 547" {
				is, seen := right[p.from]
				right[p.from] = p.err == nil && (is || !seen)
			}
		}
		return len(right) == 2
	})
	return right
}

// solicit asks for a server of DHCPv6 (RFC 8415, 18.2.1): a transaction, who asks, for how long already, and for an address.
var solicit = slices.Concat([]byte{1, 7, 7, 7}, []byte{0, 1, 0, 10, 0, 3, 0, 1, 0x52, 0x54, 0, 0, 0, 7}, []byte{0, 8, 0, 2, 0, 0}, []byte{0, 3, 0, 12, 0, 0, 0, 1}, make([]byte, 8))

// solicitor is a client of DHCPv6 on a guest, and the number of its card: the names of cards are remembered by package net,
// whatever namespace they are in.
func solicitor(t *testing.T, g *testenv.Namespace) (conn net.PacketConn, card string) {
	t.Helper()
	g.Run(t, func() {
		var err error
		conn, err = net.ListenPacket("udp6", "[::]:546")
		require.NoError(t, err)
		link, err := net.InterfaceByName("eth0")
		require.NoError(t, err)
		card = strconv.Itoa(link.Index)
	})
	return conn, card
}

// TestChecksumRepair has a guest on a veth pair take a lease with a client that believes no wrong checksum, where the kernel's
// bridges fill in none. Without the repair of the network's filter it never gets an answer.
func TestChecksumRepair(t *testing.T) {
	testenv.NeedProgram(t, "dnsmasq")
	testenv.NeedProgram(t, "nft")
	for _, mode := range []string{"", "<forward mode='open'/>"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.reopen(repairing{w.backend, []host.Repair{host.Clear}})
			w.start(`<network><name>lan</name>` + mode + `<bridge name='lan0' stp='off'/><ip address='10.88.0.1' prefix='24'>
<dhcp><range start='10.88.0.100' end='10.88.0.199'/></dhcp></ip></network>`)
			guest := w.attachMAC("web", "lan", "52:54:00:00:00:07")
			received := capture(t, guest.Namespace, "eth0")
			require.Equal(t, "10.88.0.1", w.lease(guest.Namespace, dhcpclient.Options{Strict: true}).Server.String())
			answers := 0
			for _, p := range received() {
				if p.from == "udp 67" {
					require.ErrorContains(t, p.err, "no checksum")
					answers++
				}
			}
			require.GreaterOrEqual(t, answers, 2)

			w.host.Output(t, "nft", "delete", "element", "bridge", "virtnet", "dhcp", "{ 10.88.0.1 }")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				var err error
				guest.Run(t, func() {
					_, err = dhcpclient.Lease(ctx, "eth0", dhcpclient.Options{Strict: true, Retransmit: 100 * time.Millisecond})
				})
				failed <- err
			}()
			testenv.WaitFor(t, 10*time.Second, "two answers with a wrong checksum", func() bool {
				for _, p := range received() {
					if p.from == "udp 67" && p.err.Error() == "wrong checksum" {
						answers--
					}
				}
				return answers <= 0
			})
			cancel()
			require.ErrorIs(t, <-failed, context.Canceled)
			require.Equal(t, "10.88.0.1", w.lease(guest.Namespace, dhcpclient.Options{}).Server.String(), "another client does not mind")
		})
	}
}

// A seenPacket is one that came in, and what is wrong with its checksums.
type seenPacket struct {
	from string
	err  error
}

// capture remembers every packet of IP that an interface receives, as it came, until the returned function is called.
func capture(t *testing.T, n *testenv.Namespace, link string) func() []seenPacket {
	t.Helper()
	fd := -1
	var err error
	n.Run(t, func() {
		var l *net.Interface
		if l, err = net.InterfaceByName(link); err != nil {
			return
		}
		protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(protocol)); err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: l.Index})
		}
	})
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return func() (list []seenPacket) {
		buffer := make([]byte, 65536)
		for {
			size, from, err := unix.Recvfrom(fd, buffer, 0)
			if errors.Is(err, unix.EAGAIN) {
				return list
			}
			require.NoError(t, err)
			link, ok := from.(*unix.SockaddrLinklayer)
			switch {
			case !ok || link.Pkttype == unix.PACKET_OUTGOING:
			case buffer[0]>>4 == 4:
				list = append(list, inspect(buffer[:size]))
			case buffer[0]>>4 == 6:
				list = append(list, inspectIPv6(buffer[:size]))
			}
		}
	}
}

// inspect works out the checksums of an IPv4 packet of TCP or UDP.
func inspect(b []byte) seenPacket {
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if sum16(b[:header]) != 0xffff {
		return seenPacket{err: errors.New("wrong checksum of the IPv4 header")}
	}
	return inspectPayload(b[9], b[12:20], b[header:total])
}

// inspectIPv6 works out that of an IPv6 packet of TCP or UDP.
func inspectIPv6(b []byte) seenPacket {
	return inspectPayload(b[6], b[8:40], b[40:40+binary.BigEndian.Uint16(b[4:])])
}

// inspectPayload works out the checksum of what goes between these addresses.
func inspectPayload(protocol byte, addrs, payload []byte) seenPacket {
	p := seenPacket{from: fmt.Sprintf("protocol %d", protocol)}
	names := map[byte]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp"}
	if names[protocol] == "" {
		return p
	}
	p.from = fmt.Sprintf("%s %d", names[protocol], binary.BigEndian.Uint16(payload))
	pseudo := append(slices.Clone(addrs), 0, protocol)
	pseudo = binary.BigEndian.AppendUint16(pseudo, uint16(len(payload)))
	if protocol == unix.IPPROTO_UDP && binary.BigEndian.Uint16(payload[6:]) == 0 {
		p.err = errors.New("no checksum")
	} else if sum16(append(pseudo, payload...)) != 0xffff {
		p.err = errors.New("wrong checksum")
	}
	return p
}

// sum16 adds 16-bit words with carry (RFC 1071).
func sum16(b []byte) uint32 {
	sum := uint32(0)
	for i, c := range b {
		if i%2 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum
}
