// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
)

const (
	// connTime is how long a client that asks by TCP may think.
	connTime = 10 * time.Second
	// acceptGap is between two attempts to take a connection, if one fails.
	acceptGap = 100 * time.Millisecond
)

// listenDNS opens what DNS needs, on the device of the network and for the host itself, and starts to answer.
func (s *server) listenDNS(ctx context.Context, at netip.AddrPort) error {
	for _, device := range []string{s.link, "lo"} {
		config := bound(device)
		conn, err := config.ListenPacket(ctx, "udp", at.String())
		if err != nil {
			return opened("DNS", err)
		}
		if err := s.sockets.add(conn); err != nil {
			return err
		}
		listener, err := config.Listen(ctx, "tcp", at.String())
		if err != nil {
			return opened("DNS", err)
		}
		if err := s.sockets.add(ending{listener.(*net.TCPListener)}); err != nil {
			return err
		}
		s.running.Go(func() { s.serveUDP(conn.(*net.UDPConn)) })
		s.running.Go(func() { s.serveTCP(listener) })
	}
	return nil
}

// serveUDP answers what is known here, those together who have asked together. Others are asked beside that.
func (s *server) serveUDP(conn *net.UDPConn) {
	out := ipv4.NewPacketConn(conn) // or of IPv6: what it does is the same
	s.hear(conn, func(a *arena) {
		for _, p := range a.packets {
			if answer := s.answerUDP(conn, p); answer != nil {
				a.answer(p.from, answer)
			}
		}
		a.send(out)
	})
}

// answerUDP is the answer to a question if it is known here, and nil otherwise.
func (s *server) answerUDP(conn *net.UDPConn, p packet) []byte {
	q, ok := readQuestion(p.data)
	if !ok {
		return nil
	}
	q.room = p.room
	answer, whom := s.known(q, q.size)
	if answer == nil && s.enter(&s.questions, p.from.Addr()) { // otherwise the client will ask again
		q.room = nil
		s.send(errand{conn, p.from, q, slices.Clone(p.data), whom})
	}
	return answer
}

// send has an errand run, beside what comes next. Nobody waits for it.
func (s *server) send(e errand) {
	select {
	case s.errands <- e:
	default:
		s.running.Go(func() { s.run(e) })
	}
}

// run runs an errand, and others as they come, as long as they do: a goroutine that has run one has the stack that they need.
func (s *server) run(e errand) {
	late := time.NewTimer(idleTime)
	defer late.Stop()
	for {
		answer := s.askOthers(e.q, e.data, e.whom, false)
		s.leave(&s.questions, e.client.Addr())
		_, _ = e.conn.WriteToUDPAddrPort(answer, e.client)
		late.Reset(idleTime)
		select {
		case e = <-s.errands:
		case <-late.C:
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// serveTCP answers connections.
func (s *server) serveTCP(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			s.warn(err)
			select {
			case <-s.ctx.Done():
			case <-time.After(acceptGap): // no more descriptors, perhaps
			}
			continue
		}
		client := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
		if !s.enter(&s.conns, client) {
			conn.Close()
			continue
		}
		if s.sockets.add(conn) != nil {
			s.leave(&s.conns, client)
			return
		}
		s.running.Go(func() {
			s.serveConn(conn)
			s.sockets.drop(conn)
			s.leave(&s.conns, client)
		})
	}
}

// serveConn answers question by question, until the client has none.
func (s *server) serveConn(conn net.Conn) {
	for {
		_ = conn.SetDeadline(time.Now().Add(connTime))
		packet, err := readFrame(conn)
		if err != nil {
			return
		}
		q, ok := readQuestion(packet)
		if !ok {
			return
		}
		answer, whom := s.known(q, 0)
		if answer == nil {
			answer = s.askOthers(q, packet, whom, true)
		}
		if writeFrame(conn, answer) != nil {
			return
		}
	}
}

// known is the answer to a question by itself or from what others have said before; nil is for others to answer.
func (s *server) known(q question, size int) ([]byte, route) {
	s.mu.Lock()
	code, found, whom, done := s.names.decide(q, s.doc.DNS.KeepPlainNames)
	s.mu.Unlock()
	if done {
		q.ours = whom.ours
		answer, err := q.reply(code, found, size)
		if err != nil {
			answer, err = q.reply(dnsmessage.RCodeServerFailure, nil, size)
			s.warn(err)
		}
		return answer, whom
	}
	answer := s.cache.get(q, q.key(), time.Now())
	if answer != nil && size > 0 && len(answer) > size {
		return nil, whom
	}
	return answer, whom
}

// askOthers is the answer of others, or a failure.
func (s *server) askOthers(q question, packet []byte, whom route, tcp bool) []byte {
	answer, err := s.asking.ask(s.ctx, q, packet, whom, tcp)
	if err != nil {
		answer, err = q.reply(dnsmessage.RCodeServerFailure, nil, plainUDP)
		s.warn(err)
		return answer
	}
	s.cache.put(q.key(), answer, time.Now())
	if !tcp && len(answer) > q.size {
		answer, err = q.pack(dnsmessage.RCodeSuccess, nil, true)
		s.warn(err)
	}
	return answer
}
