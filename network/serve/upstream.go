// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// askTime is how long one server of others is waited for.
	askTime = 2 * time.Second
	// mostFresh is how many questions at a time each get a socket of their own, with a port that nobody can guess. When there are
	// more, a socket asks up to mostUses questions, one after the other. One that is not needed for idleTime is closed.
	mostFresh = 16
	mostUses  = 32
	idleTime  = time.Second
	dnsPort   = 53
)

// An upstream asks other servers. It may be used by many goroutines.
type upstream struct {
	server *server

	mu   sync.Mutex
	idle map[netip.AddrPort][]*asker
	tidy *time.Timer
	// open is how many questions by UDP are with others.
	open   int
	closed bool
}

// An asker is a socket that asks one server one question at a time. What comes back from anybody else never reaches it.
type asker struct {
	net.Conn
	to   netip.AddrPort
	uses int
	// since is when it was last used.
	since time.Time
}

// An errand is a question that others are asked for a client.
type errand struct {
	conn   *net.UDPConn
	client netip.AddrPort
	q      question
	data   []byte
	whom   route
}

// ask passes a question on as it is, and returns the answer as it comes, with the number of the question. The servers are
// tried in their order, as long as one does not answer or says that it cannot.
func (u *upstream) ask(ctx context.Context, q question, packet []byte, r route, tcp bool) ([]byte, error) {
	servers := r.servers
	if len(servers) == 0 {
		servers = u.server.machine.servers()
	}
	if len(servers) == 0 {
		return nil, errors.New("nobody to ask")
	}
	var err error
	for k, to := range servers {
		var answer []byte
		if answer, err = u.askOne(ctx, q, packet, to, tcp); err == nil {
			if helpless(answer) && k < len(servers)-1 {
				continue
			}
			return answer, nil
		}
		err = fmt.Errorf("%s: %w", to, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// helpless reports whether an answer says that a server cannot answer, or will not.
func helpless(answer []byte) bool {
	const codeMask = 0x0f
	code := dnsmessage.RCode(answer[3] & codeMask)
	return code == dnsmessage.RCodeServerFailure || code == dnsmessage.RCodeRefused
}

// askOne asks one server, under a number that cannot be guessed, from a port that the kernel chooses.
func (u *upstream) askOne(ctx context.Context, q question, packet []byte, to netip.AddrPort, tcp bool) ([]byte, error) {
	deadline := time.Now().Add(askTime)
	a, err := u.take(ctx, to, tcp, deadline)
	if err != nil {
		return nil, err
	}
	_ = a.SetDeadline(deadline)
	sent := append([]byte(nil), packet...)
	rand.Read(sent[:2])
	q.header.ID = binary.BigEndian.Uint16(sent)
	var answer []byte
	if conn, ok := a.Conn.(*net.UDPConn); ok {
		answer, err = u.server.engine.exchange(conn, q, sent)
	} else {
		answer, err = exchangeTCP(a, q, sent)
	}
	if tcp {
		u.server.sockets.drop(a.Conn)
	} else {
		u.give(a, err == nil)
	}
	if err != nil {
		return nil, err
	}
	copy(answer[:2], packet[:2])
	return answer, nil
}

// take returns a socket to a server, which is nobody else's then.
func (u *upstream) take(ctx context.Context, to netip.AddrPort, tcp bool, deadline time.Time) (*asker, error) {
	network := "tcp"
	if !tcp {
		network = "udp"
		u.mu.Lock()
		u.open++
		if list := u.idle[to]; len(list) > 0 && u.open > mostFresh {
			a := list[len(list)-1]
			list[len(list)-1] = nil
			u.idle[to] = list[:len(list)-1]
			u.mu.Unlock()
			return a, nil
		}
		u.mu.Unlock()
	}
	conn, err := u.server.dial(ctx, network, to, deadline)
	if err == nil {
		err = u.server.sockets.add(conn)
	}
	if err != nil && !tcp {
		u.mu.Lock()
		u.open--
		u.mu.Unlock()
	}
	return &asker{Conn: conn, to: to}, err
}

// give takes a socket back, for the next question if that may be asked from the same port.
func (u *upstream) give(a *asker, again bool) {
	a.uses++
	a.since = time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	busy := u.open > mostFresh
	u.open--
	if !again || !busy || a.uses >= mostUses || u.closed {
		u.server.sockets.drop(a.Conn)
		return
	}
	if u.idle == nil {
		u.idle = map[netip.AddrPort][]*asker{}
	}
	u.idle[a.to] = append(u.idle[a.to], a)
	if u.tidy == nil {
		u.tidy = time.AfterFunc(idleTime, u.clean)
	}
}

// clean closes sockets that were not needed for a while.
func (u *upstream) clean() {
	u.mu.Lock()
	defer u.mu.Unlock()
	late := time.Now().Add(-idleTime)
	for to, list := range u.idle {
		old := 0 // the one used last comes last
		for old < len(list) && list[old].since.Before(late) {
			u.server.sockets.drop(list[old].Conn)
			old++
		}
		if u.idle[to] = list[old:]; len(list) == old {
			delete(u.idle, to)
		}
	}
	u.tidy = nil
	if len(u.idle) > 0 && !u.closed {
		u.tidy = time.AfterFunc(idleTime, u.clean)
	}
}

// close lets go of the sockets, which are closed with all others of the server.
func (u *upstream) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed, u.idle = true, nil
	if u.tidy != nil {
		u.tidy.Stop()
	}
}

// exchangeTCP sends a question on a connection and reads its answer, with the length before each packet.
func exchangeTCP(conn net.Conn, q question, sent []byte) ([]byte, error) {
	if err := writeFrame(conn, sent); err != nil {
		return nil, err
	}
	answer, err := readFrame(conn)
	if err == nil && !answers(answer, q) {
		err = errors.New("the answer is to another question")
	}
	return answer, err
}

// answers reports whether a packet answers a question: it has its number, and repeats it.
func answers(packet []byte, q question) bool {
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil || !header.Response || header.ID != q.header.ID || header.OpCode != q.header.OpCode {
		return false
	}
	back, err := p.Question()
	return err == nil && back.Type == q.Type && back.Class == q.Class && canonical(back.Name.String()) == canonical(q.Name.String())
}

// readFrame reads a packet with its length before it.
func readFrame(r io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	packet := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(r, packet)
	return packet, err
}

func writeFrame(w io.Writer, packet []byte) error {
	if len(packet) > 1<<16-1 {
		return fmt.Errorf("a packet of %d bytes", len(packet))
	}
	_, err := w.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...))
	return err
}
