// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network"
	"github.com/go-virtnet/virtnet/network/host"
	"github.com/go-virtnet/virtnet/network/linux"
	"github.com/go-virtnet/virtnet/network/schema"
	"github.com/go-virtnet/virtnet/qos"
)

// A lan is a host with a card on a switch, which is a bridge of another namespace with a station on another port.
type lan struct {
	t       *testing.T
	b       *linux.Backend
	host    *testenv.Namespace
	station *os.File
	// seen is what the station has received.
	seen *inbox
}

var (
	stationMAC = host.MAC{0x52, 0x54, 0, 0, 1, 1}
	cardMAC    = host.MAC{0x52, 0x54, 0, 0, 1, 2}
	guestA     = host.MAC{0x52, 0x54, 0, 0, 1, 3}
	guestB     = host.MAC{0x52, 0x54, 0, 0, 1, 4}
	everybody  = host.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
)

// newLAN reflects what comes from the host by the same port if hairpin says so, as a switch with reflective relay does.
func newLAN(t *testing.T, hairpin bool) *lan {
	b, ns := open(t)
	sw, switchNS := open(t)
	for _, n := range []*testenv.Namespace{ns, switchNS} {
		n.SetSysctl(t, "net/ipv6/conf/default/disable_ipv6", "1")
	}
	do(t, sw, host.AddBridge{Link: "br0", MAC: bridgeMAC}, host.SetUp{Link: "br0"},
		host.AddTap{Link: "out", MAC: tapMAC}, host.Plug{Link: "out", Bridge: "br0"}, host.SetUp{Link: "out"})
	l := &lan{t: t, b: b, host: ns}
	for _, card := range []string{"card", "card2"} {
		testenv.Connect(t, ns, switchNS, card, card)
		do(t, sw, host.Plug{Link: card, Bridge: "br0"})
		if hairpin {
			do(t, sw, host.Reflect{Link: card})
		}
	}
	ns.Output(t, "ip", "link", "set", "card", "address", cardMAC.String())
	l.station = openTap(t, sw, "out", 1)[0]
	l.seen = newInbox(l.station)
	return l
}

// guest makes the device of a guest, and opens it.
func (l *lan) guest(link, lower, mode string, mac host.MAC) (*os.File, *inbox) {
	l.t.Helper()
	o := host.AddMacvtap{Link: link, Lower: lower, Mode: mode, MAC: mac}
	if mode == host.Passthru {
		o.Was = macOf(l.t, l.b, lower)
	}
	do(l.t, l.b, o, host.SetUp{Link: link})
	file := openMacvtap(l.t, l.b, o, 1)[0]
	return file, newInbox(file)
}

// container makes the device of a guest in a namespace of its own, and sends and receives by it.
func (l *lan) container(lower, mode string, mac host.MAC) (*os.File, *inbox) {
	l.t.Helper()
	ns := testenv.New(l.t)
	ns.SetSysctl(l.t, "net/ipv6/conf/default/disable_ipv6", "1")
	o := host.AddMacvlan{Link: "eth0", Namespace: ns.Path(), Lower: lower, Mode: mode, MAC: mac}
	if mode == host.Passthru {
		o.Was = macOf(l.t, l.b, lower)
	}
	do(l.t, l.b, o)
	ns.Output(l.t, "ip", "link", "set", "eth0", "up")
	socket := packetSocket(l.t, ns, "eth0")
	return socket, newInbox(socket)
}

// An inbox is what came out of a descriptor and was not taken yet.
type inbox struct {
	more <-chan []byte
	held [][]byte
}

func newInbox(file *os.File) *inbox { return &inbox{more: frames(file)} }

// count takes all frames with that payload, of those that have come, and counts them.
func (i *inbox) count(payload string) int { return len(i.take(payload)) }

// take takes all frames with that payload, of those that have come.
func (i *inbox) take(payload string) (found [][]byte) {
	for {
		select {
		case frame, open := <-i.more:
			if open {
				i.held = append(i.held, frame)
				continue
			}
		default:
		}
		break
	}
	rest := i.held[:0]
	for _, frame := range i.held {
		if bytes.HasSuffix(frame, []byte(payload)) {
			found = append(found, frame)
		} else {
			rest = append(rest, frame)
		}
	}
	i.held = rest
	return found
}

// frameTo is a frame of an experimental type.
func frameTo(destination, source host.MAC, payload string) []byte {
	frame := ethernet(source, payload)
	copy(frame, destination[:])
	return frame
}

// settle waits until what was sent has arrived, wherever it goes: what the station sends to everybody comes behind it, three
// times one after the other.
func (l *lan) settle(to ...*inbox) {
	l.t.Helper()
	for range 3 {
		l.reach(everybody, to...)
	}
}

var marks atomic.Int64

// newMark is a text that no other frame has, all of the same length.
func newMark(what string) string { return fmt.Sprintf("%s %015d", what, marks.Add(1)) }

// reach sends from the station until all have got it.
func (l *lan) reach(destination host.MAC, to ...*inbox) {
	l.t.Helper()
	mark := newMark("mark")
	got := make([]bool, len(to))
	testenv.WaitFor(l.t, 10*time.Second, "what the station sends", func() bool {
		_, err := l.station.Write(frameTo(destination, stationMAC, mark))
		require.NoError(l.t, err)
		all := true
		for i, in := range to {
			got[i] = got[i] || in.count(mark) > 0
			all = all && got[i]
		}
		return all
	})
}

// learn makes the switch know where an address is, and waits until the station can be reached.
func (l *lan) learn(from *os.File, mac host.MAC) {
	l.t.Helper()
	mark := newMark("here")
	testenv.WaitFor(l.t, 10*time.Second, "what a guest sends", func() bool {
		_, err := from.Write(frameTo(stationMAC, mac, mark))
		require.NoError(l.t, err)
		return l.seen.count(mark) > 0
	})
}

// passes sends one frame, and reports how often it comes to another.
func (l *lan) passes(from *os.File, source, destination host.MAC, to *inbox, all ...*inbox) int {
	l.t.Helper()
	text := newMark("test")
	_, err := from.Write(frameTo(destination, source, text))
	require.NoError(l.t, err)
	if to == l.seen {
		l.learn(from, source) // goes the same way behind it; the others are waited for by settle
	}
	l.settle(all...)
	return to.count(text)
}

// TestMacvtapModes is the matrix of modes of virtual machines, and TestMacvlanModes that of containers, and of both together.
func TestMacvtapModes(t *testing.T) {
	t.Parallel()
	testModes(t, (*lan).machine, (*lan).machine)
}

func TestMacvlanModes(t *testing.T) {
	t.Parallel()
	t.Run("containers", func(t *testing.T) { testModes(t, (*lan).container, (*lan).container) })
	t.Run("machine and container", func(t *testing.T) { testModes(t, (*lan).machine, (*lan).container) })
}

// A guestOn is a guest on a card, in a mode and with an address.
type guestOn func(l *lan, card, mode string, mac host.MAC) (*os.File, *inbox)

// machine is guest with a device whose name is the last number of its address.
func (l *lan) machine(lower, mode string, mac host.MAC) (*os.File, *inbox) {
	return l.guest(fmt.Sprintf("mv%d", mac[5]), lower, mode, mac)
}

// testModes counts how often a frame of one guest comes to another on the same card, and to the station, by the mode of both
// and by what the switch does.
func testModes(t *testing.T, guestOnA, guestOnB guestOn) {
	type delivery struct{ one, all int } // a frame for the guest, and one for everybody
	no, yes := delivery{}, delivery{1, 1}
	for _, c := range []struct {
		a, b string
		// what passes from a to b and back, without and with reflection
		plainAB, plainBA, reflectedAB, reflectedBA delivery
	}{
		{"vepa", "vepa", no, no, yes, yes},
		{"bridge", "bridge", yes, yes, yes, yes},
		{"private", "private", no, no, delivery{1, 0}, delivery{1, 0}},
		{"bridge", "vepa", no, no, yes, yes},
		{"private", "bridge", no, no, delivery{1, 0}, delivery{1, 0}},
		{"private", "vepa", no, no, delivery{1, 0}, delivery{1, 0}},
	} {
		for _, hairpin := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s and %s, reflection %t", c.a, c.b, hairpin), func(t *testing.T) {
				l := newLAN(t, hairpin)
				a, inA := guestOnA(l, "card", c.a, guestA)
				b, inB := guestOnB(l, "card", c.b, guestB)
				l.learn(a, guestA)
				l.learn(b, guestB)
				wantAB, wantBA := c.plainAB, c.plainBA
				if hairpin {
					wantAB, wantBA = c.reflectedAB, c.reflectedBA
				}
				require.Equal(t, wantAB, delivery{
					l.passes(a, guestA, guestB, inB, inA, inB), l.passes(a, guestA, everybody, inB, inA, inB),
				}, "from %s to %s", c.a, c.b)
				require.Equal(t, wantBA, delivery{
					l.passes(b, guestB, guestA, inA, inA, inB), l.passes(b, guestB, everybody, inA, inA, inB),
				}, "from %s to %s", c.b, c.a)
				for _, from := range []struct {
					file *os.File
					mac  host.MAC
					in   *inbox
				}{{a, guestA, inA}, {b, guestB, inB}} {
					require.Equal(t, 1, l.passes(from.file, from.mac, stationMAC, l.seen, inA, inB), "to the station")
					require.Equal(t, 1, l.passes(from.file, from.mac, everybody, l.seen, inA, inB), "to everybody, as the station sees it")
					l.reach(from.mac, from.in)
				}
			})
		}
	}
}

// TestMacvtapPassthru gives guests a card each: they reach each other by the switch, and the host hears nothing of it.
func TestMacvtapPassthru(t *testing.T) {
	for name, on := range map[string]guestOn{"machines": (*lan).machine, "containers": (*lan).container} {
		t.Run(name, func(t *testing.T) { testPassthru(t, on) })
	}
}

func testPassthru(t *testing.T, on guestOn) {
	l := newLAN(t, false)
	a, inA := on(l, "card", host.Passthru, guestA)
	b, inB := on(l, "card2", host.Passthru, guestB)
	l.learn(a, guestA)
	l.learn(b, guestB)
	require.Equal(t, 1, l.passes(a, guestA, guestB, inB, inA, inB))
	require.Equal(t, 1, l.passes(a, guestA, everybody, inB, inA, inB))
	require.Equal(t, 1, l.passes(b, guestB, guestA, inA, inA, inB))
	l.reach(guestA, inA)
	// A guest with a card for itself may have other addresses too.
	other := host.MAC{0x52, 0x54, 0, 0, 1, 9}
	l.learn(a, other)
	l.reach(other, inA)
}

// TestMacvtapHost is MVT-5: host and guest do not reach each other by the card, in any mode, unless the switch reflects.
func TestMacvtapHost(t *testing.T) {
	t.Parallel()
	for _, hairpin := range []bool{false, true} {
		for _, mode := range []string{"vepa", "bridge", "private"} {
			t.Run(fmt.Sprintf("%s, reflection %t", mode, hairpin), func(t *testing.T) {
				l := newLAN(t, hairpin)
				guest, in := l.guest("mva", "card", mode, guestA)
				socket := packetSocket(t, l.host, "card")
				inHost := newInbox(socket)
				l.learn(guest, guestA)
				l.learn(socket, cardMAC)
				want := 0
				if hairpin {
					want = 1
				}
				require.Equal(t, want, l.passes(guest, guestA, cardMAC, inHost, in, inHost), "to the host")
				require.Equal(t, want, l.passes(socket, cardMAC, guestA, in, in, inHost), "from the host")
			})
		}
	}
}

// TestMacvtapShape is MVT-12: what the guest sends is what its device sends, the reverse of a tap, and so for what it receives.
func TestMacvtapShape(t *testing.T) {
	limit := &qos.Rate{Average: schema.Num(10000)}
	for _, c := range []struct {
		name           string
		bandwidth      qos.Bandwidth
		queue          string
		sends, receive bool // what is counted in the queue
	}{
		{"outbound", qos.Bandwidth{Outbound: limit}, "root", true, false},
		{"inbound", qos.Bandwidth{Inbound: limit}, "ingress", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLAN(t, false)
			guest, in := l.guest("mva", "card", "bridge", guestA)
			l.learn(guest, guestA)
			f, err := l.b.Facts(t.Context(), host.Scope{Shaping: true})
			require.NoError(t, err)
			plan, err := network.PlanShape(&c.bandwidth, "/interface/bandwidth", "mva", true, f.Shaping)
			require.NoError(t, err)
			require.NoError(t, host.Apply(t.Context(), l.b, plan))
			counted := func() string {
				found := regexp.MustCompile(`Sent \d+ bytes \d+ pkt`).FindString(l.host.Output(t, "tc", "-s", "qdisc", "show", "dev", "mva", c.queue))
				require.NotEmpty(t, found)
				return found
			}
			was := counted()
			l.learn(guest, guestA)
			require.Equal(t, c.sends, was != counted(), "what the guest sends")
			was = counted()
			l.reach(guestA, in)
			require.Equal(t, c.receive, was != counted(), "what the guest receives")
		})
	}
}

// packetSocket sends and receives frames of the experimental type in a namespace, by a card there.
func packetSocket(t *testing.T, ns *testenv.Namespace, card string) *os.File {
	t.Helper()
	const experimental = 0xb588 // 0x88b5 in the order of the network
	fd := -1
	ns.Run(t, func() {
		var err error
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		request, err := unix.NewIfreq(card)
		require.NoError(t, err)
		require.NoError(t, unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request))
		require.NoError(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: experimental, Ifindex: int(request.Uint32())}))
	})
	file := os.NewFile(uintptr(fd), "packet socket")
	t.Cleanup(func() { file.Close() })
	return file
}
