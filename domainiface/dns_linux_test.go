// SPDX-License-Identifier: Apache-2.0

package domainiface_test

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

var dnsTypes = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "PTR": dnsmessage.TypePTR, "TXT": dnsmessage.TypeTXT, "SRV": dnsmessage.TypeSRV,
}

var dnsErrors = map[dnsmessage.RCode]string{dnsmessage.RCodeNameError: "NXDOMAIN", dnsmessage.RCodeRefused: "REFUSED"}

// ask asks a server a question, such as "web. A", out of a namespace until it answers, and returns the answer as text.
func (w *world) ask(from *testenv.Namespace, server netip.Addr, question string) []string {
	w.t.Helper()
	name, kind, _ := strings.Cut(question, " ")
	q := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsTypes[kind], Class: dnsmessage.ClassINET}},
	}
	packet, err := q.Pack()
	require.NoError(w.t, err)
	var conn net.Conn
	from.Run(w.t, func() { conn, err = net.Dial("udp", netip.AddrPortFrom(server, 53).String()) })
	require.NoError(w.t, err)
	defer conn.Close()
	buffer := make([]byte, 4096)
	for try := 0; ; try++ {
		_, err = conn.Write(packet)
		require.NoError(w.t, err)
		require.NoError(w.t, conn.SetReadDeadline(time.Now().Add(time.Second)))
		n, err := conn.Read(buffer)
		if err != nil {
			require.Less(w.t, try, 10, "%s: no answer: %v", question, err)
			continue
		}
		var m dnsmessage.Message
		require.NoError(w.t, m.Unpack(buffer[:n]))
		return answers(&m)
	}
}

func answers(m *dnsmessage.Message) []string {
	if m.RCode != dnsmessage.RCodeSuccess {
		return []string{dnsErrors[m.RCode]}
	}
	var list []string
	for _, r := range m.Answers {
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			list = append(list, netip.AddrFrom4(body.A).String())
		case *dnsmessage.AAAAResource:
			list = append(list, netip.AddrFrom16(body.AAAA).String())
		case *dnsmessage.PTRResource:
			list = append(list, body.PTR.String())
		case *dnsmessage.TXTResource:
			list = append(list, strings.Join(body.TXT, "|"))
		case *dnsmessage.SRVResource:
			list = append(list, fmt.Sprintf("%d %d %d %s", body.Priority, body.Weight, body.Port, body.Target))
		}
	}
	return list
}

// upstreamAnswer is what the name server outside answers to everything.
const upstreamAnswer = "198.51.100.77"

// A nameServer knows every name, and remembers which it was asked for.
type nameServer struct {
	mu    sync.Mutex
	names map[string]bool
}

// asked are the names it was asked for, sorted.
func (s *nameServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for name := range s.names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// nameServer starts a name server outside.
func (w *world) nameServer() *nameServer {
	w.t.Helper()
	var conn net.PacketConn
	var err error
	w.outside.Run(w.t, func() { conn, err = net.ListenPacket("udp", "203.0.113.2:53") })
	require.NoError(w.t, err)
	w.t.Cleanup(func() { conn.Close() })
	s := &nameServer{names: map[string]bool{}}
	go s.serve(conn)
	return s
}

func (s *nameServer) serve(conn net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		s.mu.Lock()
		s.names[strings.ToLower(q.Name.String())] = true
		s.mu.Unlock()
		answer := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true},
			Questions: m.Questions,
			Answers: []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET, TTL: 60},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(upstreamAnswer).As4()},
			}},
		}
		if packet, err := answer.Pack(); err == nil {
			_, _ = conn.WriteTo(packet, from)
		}
	}
}
