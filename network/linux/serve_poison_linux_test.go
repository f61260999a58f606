// SPDX-License-Identifier: Apache-2.0

package linux_test

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/dhcpclient"
	"github.com/go-virtnet/virtnet/internal/testenv"
	"github.com/go-virtnet/virtnet/network/host"
)

// truth and lie are the addresses that are told of every name.
var truth, lie = [4]byte{192, 0, 2, 1}, [4]byte{192, 0, 2, 66}

// A liar is a server that others lie beside: each question gets answers with another number, to another question and from
// elsewhere before the one that is true.
type liar struct {
	mu    sync.Mutex
	ports map[int]int
	ids   map[uint16]int
	asked int
}

// newLiar answers at 10.9.0.2 in a place, and others at 10.9.0.3 and another port, until the test ends.
func newLiar(t *testing.T, p *place) *liar {
	t.Helper()
	l := &liar{ports: map[int]int{}, ids: map[uint16]int{}}
	p.ns.Output(t, "ip", "addr", "add", "10.9.0.2/32", "dev", "lo")
	p.ns.Output(t, "ip", "addr", "add", "10.9.0.3/32", "dev", "lo")
	conns := map[string]net.PacketConn{"10.9.0.2:53": nil, "10.9.0.2:54": nil, "10.9.0.3:53": nil}
	p.ns.Run(t, func() {
		for at := range conns {
			conn, err := net.ListenPacket("udp", at)
			require.NoError(t, err)
			conns[at] = conn
		}
	})
	var done sync.WaitGroup
	t.Cleanup(func() {
		for _, conn := range conns {
			conn.Close()
		}
		done.Wait()
	})
	done.Go(func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conns["10.9.0.2:53"].ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			l.note(m.ID, from.(*net.UDPAddr).Port)
			for _, other := range []string{"10.9.0.2:54", "10.9.0.3:53"} {
				_, _ = conns[other].WriteTo(says(m.ID, m.Questions[0], lie), from)
			}
			other := m.Questions[0]
			other.Name = dnsmessage.MustNewName("other.example.org.")
			for _, answer := range [][]byte{says(m.ID+1, m.Questions[0], lie), says(m.ID, other, lie), says(m.ID, m.Questions[0], truth)} {
				_, _ = conns["10.9.0.2:53"].WriteTo(answer, from)
			}
		}
	})
	return l
}

func (l *liar) note(id uint16, port int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	l.ids[id]++
	l.ports[port]++
}

// says is an answer that tells an address.
func says(id uint16, q dnsmessage.Question, addr [4]byte) []byte {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
		Answers:   []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 600}, Body: &dnsmessage.AResource{A: addr}}},
	}
	packet, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packet
}

// TestLies: nobody makes a server believe what it has not asked, and it asks under numbers and from ports that cannot be foreseen.
func TestLies(t *testing.T) { onBoth(t, testLies) }

func testLies(t *testing.T, p *place) {
	l := newLiar(t, p)
	op := serve4()
	op.Server.DNS = &host.DNS{Forwarders: []host.Forwarder{{Addr: netip.MustParseAddr("10.9.0.2")}}}
	do(t, p.Backend, op)
	guest := p.guest(t, "port1", "52:54:00:00:00:01")
	guest.Output(t, "ip", "addr", "add", "10.9.0.99/24", "dev", "eth0")
	var unasked net.Conn
	guest.Run(t, func() {
		var err error
		unasked, err = net.Dial("udp", "10.9.0.1:53")
		require.NoError(t, err)
	})
	defer unasked.Close()
	const count = 300
	for k := range count {
		name := fmt.Sprintf("www%d.example.org.", k)
		_, err := unasked.Write(says(uint16(k), dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}, lie))
		require.NoError(t, err)
		for range 2 { // it is remembered
			require.Equal(t, []dnsmessage.ResourceBody{&dnsmessage.AResource{A: truth}}, ask(t, guest, "10.9.0.1", name, dnsmessage.TypeA), name)
		}
	}
	l.mu.Lock()
	t.Logf("%d questions under %d numbers from %d ports", l.asked, len(l.ids), len(l.ports))
	require.Greater(t, len(l.ids), l.asked*9/10)
	require.Greater(t, len(l.ports), l.asked*9/10)
	l.mu.Unlock()
	do(t, p.Backend, op.Inverse())
}

// TestNamesAreKept: a guest that calls itself like something that the document names is not known by that name, whether what is
// named has an address or not.
func TestNamesAreKept(t *testing.T) { onBoth(t, testNamesAreKept) }

func testNamesAreKept(t *testing.T, p *place) {
	op := serve4()
	op.Server.Domain, op.Server.LocalDomain = "lab.example", true
	op.Server.Subnets[0].Hosts = []host.StaticHost{{MAC: host.MAC{0x52, 0x54, 0, 0, 0, 2}, Name: "fixed", Addr: netip.MustParseAddr("10.9.0.50")}}
	op.Server.DNS.Hosts = []host.NameRecord{{Addr: netip.MustParseAddr("10.9.0.60"), Names: []string{"alias"}}}
	do(t, p.Backend, op)
	guest, second := p.guest(t, "port1", "52:54:00:00:00:01"), p.guest(t, "port2", "52:54:00:00:00:02")
	named := func(g *testenv.Namespace, name string) string {
		return lease(t, g, dhcpclient.Options{Hostname: name}).Addr.Addr().String()
	}
	own := named(guest, "fixed")
	require.NotEqual(t, "10.9.0.50", own)
	require.Equal(t, []string{"10.9.0.50"}, askAddr(t, p.ns, "fixed.lab.example."))
	require.Equal(t, own, named(guest, "alias"))
	require.Equal(t, []string{"10.9.0.60"}, askAddr(t, p.ns, "alias.lab.example."))
	require.Equal(t, "10.9.0.50", named(second, "fixed"))
	require.Equal(t, []string{"10.9.0.50"}, askAddr(t, p.ns, "fixed.lab.example."))
	require.Equal(t, own, named(guest, "fixed"))
	require.Equal(t, []string{"10.9.0.50"}, askAddr(t, p.ns, "fixed.lab.example."))
	do(t, p.Backend, op.Inverse())
}
