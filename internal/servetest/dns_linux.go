// SPDX-License-Identifier: Apache-2.0

package servetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/netip"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/go-virtnet/virtnet/internal/testenv"
)

// A DNSQuestion is a question to a server of names.
type DNSQuestion struct {
	Name string
	Type dnsmessage.Type
	// EDNS is how long an answer may be, 0 for a client that says nothing of it.
	EDNS int
	// TCP asks by a connection.
	TCP bool
	// Doubtful is a question that may have no answer.
	Doubtful bool
}

func (q DNSQuestion) String() string {
	s := fmt.Sprintf("%s %s", q.Name, strings.TrimPrefix(q.Type.String(), "Type"))
	if q.EDNS > 0 {
		s += fmt.Sprintf(" edns %d", q.EDNS)
	}
	if q.TCP {
		s += " by TCP"
	}
	return s
}

// Pack is the packet of a question.
func (q DNSQuestion) Pack(t testing.TB, id uint16) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(q.Name), Type: q.Type, Class: dnsmessage.ClassINET}},
	}
	if q.EDNS > 0 {
		var h dnsmessage.ResourceHeader
		if err := h.SetEDNS0(q.EDNS, dnsmessage.RCodeSuccess, false); err != nil {
			t.Fatal(err)
		}
		m.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
	}
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

// AskDNS asks a server from a namespace, again and again until it answers. An answer that may not come is not waited for longer
// than clients do.
func AskDNS(t testing.TB, ns *testenv.Namespace, server netip.Addr, q DNSQuestion) Answer {
	t.Helper()
	const clientTime = 5 * time.Second
	network := "udp"
	if q.TCP {
		network = "tcp"
	}
	id := fnv.New32a()
	fmt.Fprint(id, q)
	packet := q.Pack(t, uint16(id.Sum32()))
	var answer []byte
	begin := time.Now()
	testenv.WaitFor(t, Patience, "an answer to "+q.String()+" by "+server.String(), func() bool {
		var conn net.Conn
		var err error
		ns.Run(t, func() { conn, err = net.Dial(network, netip.AddrPortFrom(server, 53).String()) })
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(clientTime))
		answer, err = exchange(conn, packet, q.TCP)
		return err == nil || q.Doubtful && time.Since(begin) > clientTime
	})
	if q.Doubtful && len(answer) == 0 {
		return Answer{}
	}
	return dnsAnswer(t, answer)
}

func exchange(conn net.Conn, packet []byte, tcp bool) ([]byte, error) {
	if tcp {
		packet = append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
	}
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	buffer := make([]byte, 1<<16)
	if !tcp {
		n, err := conn.Read(buffer)
		return buffer[:n], err // none if there is no answer
	}
	if _, err := io.ReadFull(conn, buffer[:2]); err != nil {
		return nil, err
	}
	buffer = buffer[:binary.BigEndian.Uint16(buffer)]
	_, err := io.ReadFull(conn, buffer)
	return buffer, err
}

// dnsAnswer is an answer in words, the records of each section in alphabetical order.
func dnsAnswer(t testing.TB, packet []byte) Answer {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		t.Fatalf("an answer that is none: %v: %x", err, packet)
	}
	var flags []string
	for name, on := range map[string]bool{
		"authoritative": m.Authoritative, "cut off": m.Truncated, "recursion": m.RecursionAvailable, "asked recursion": m.RecursionDesired, "proven": m.AuthenticData,
	} {
		if on {
			flags = append(flags, name)
		}
	}
	sort.Strings(flags)
	a := Answer{"code": strings.TrimPrefix(m.RCode.String(), "RCode"), "flags": strings.Join(flags, ", ")}
	for section, list := range map[string][]dnsmessage.Resource{"answer": m.Answers, "authority": m.Authorities, "more": m.Additionals} {
		var words []string
		for _, r := range list {
			if r.Header.Type == dnsmessage.TypeOPT {
				a["edns"] = "yes"
				continue
			}
			words = append(words, fmt.Sprintf("%s %d %s", r.Header.Name, r.Header.TTL, strings.TrimPrefix(r.Body.GoString(), "dnsmessage.")))
		}
		if len(words) > 0 {
			sort.Strings(words)
			a[section] = strings.Join(words, "\n\t")
		}
	}
	return a
}

// An Upstream is a server of names that knows everything: each name has an address that tells by which address the server
// was asked, but for those that begin with "nx", which do not exist, "fail", of which it says that it has failed, and "long", of which
// there is more than a packet of 512 bytes holds. At the first of its addresses it fails at those that begin with "first", and
// says nothing about those that begin with "mute".
type Upstream struct {
	close []io.Closer
}

// NewUpstream answers at port 53 of addresses, which are put on the loopback device of a namespace.
func NewUpstream(t testing.TB, ns *testenv.Namespace, addrs ...netip.Addr) *Upstream {
	t.Helper()
	u := &Upstream{}
	t.Cleanup(u.Close)
	for i, addr := range addrs {
		if !addr.IsLoopback() {
			args := []string{"addr", "add", netip.PrefixFrom(addr, addr.BitLen()).String(), "dev", "lo"}
			if addr.Is6() {
				args = append(args, "nodad")
			}
			ns.Output(t, "ip", args...)
		}
		var conn net.PacketConn
		var listener net.Listener
		var err, errTCP error
		ns.Run(t, func() {
			var c net.ListenConfig
			at := netip.AddrPortFrom(addr, 53).String()
			conn, err = c.ListenPacket(context.Background(), "udp", at)
			listener, errTCP = c.Listen(context.Background(), "tcp", at)
		})
		if err := errors.Join(err, errTCP); err != nil {
			t.Fatalf("a server at %s: %v", addr, err)
		}
		u.close = append(u.close, conn, listener)
		go serveUDP(conn, byte(i+1))
		go serveTCP(listener, byte(i+1))
	}
	return u
}

// Close ends it.
func (u *Upstream) Close() {
	for _, c := range u.close {
		_ = c.Close()
	}
	u.close = nil
}

func serveUDP(conn net.PacketConn, who byte) {
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if answer := knows(buffer[:n], who, false); answer != nil {
			_, _ = conn.WriteTo(answer, from)
		}
	}
}

func serveTCP(listener net.Listener, who byte) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for {
				var size [2]byte
				if _, err := io.ReadFull(conn, size[:]); err != nil {
					return
				}
				packet := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(conn, packet); err != nil {
					return
				}
				answer := knows(packet, who, true)
				if answer == nil {
					return
				}
				if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
					return
				}
			}
		}()
	}
}

// knows is the answer to a packet, nil for none.
func knows(packet []byte, who byte, tcp bool) []byte {
	var m dnsmessage.Message
	if m.Unpack(packet) != nil || m.Response || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	m.Response, m.RecursionAvailable = true, true
	name := strings.ToLower(q.Name.String())
	if strings.HasPrefix(name, "mute") && who == 1 {
		return nil
	}
	count := 1
	zone := dnsmessage.MustNewName("zone.example.")
	h := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 300}
	switch {
	case strings.HasPrefix(name, "fail"), strings.HasPrefix(name, "first") && who == 1:
		m.RCode, count = dnsmessage.RCodeServerFailure, 0
	case strings.HasPrefix(name, "nx"):
		m.RCode, count = dnsmessage.RCodeNameError, 0
	case q.Type != dnsmessage.TypeA && q.Type != dnsmessage.TypeTXT:
		count = 0
	case strings.HasPrefix(name, "long"):
		count = 60
	}
	if count == 0 && m.RCode != dnsmessage.RCodeServerFailure {
		soa := &dnsmessage.SOAResource{NS: zone, MBox: zone, Serial: 1, Refresh: 1, Retry: 1, Expire: 1, MinTTL: 300}
		m.Authorities = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: zone, Class: q.Class, TTL: 300}, Body: soa}}
	}
	if count > 1 && !tcp && len(m.Additionals) == 0 {
		m.Truncated, count = true, 0
	}
	for i := range count {
		var body dnsmessage.ResourceBody = &dnsmessage.AResource{A: [4]byte{203, 0, byte(i), who}}
		if q.Type == dnsmessage.TypeTXT {
			body = &dnsmessage.TXTResource{TXT: []string{fmt.Sprintf("server %d, record %d", who, i)}}
		}
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: body})
	}
	for i := range m.Additionals {
		if m.Additionals[i].Header.Type == dnsmessage.TypeOPT {
			_ = m.Additionals[i].Header.SetEDNS0(1232, m.RCode, false)
			m.Additionals[i].Body = &dnsmessage.OPTResource{}
		}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}
