// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// mostConns is how many clients may ask by TCP at a time, and connTime how long one may think.
	mostConns = 32
	connTime  = 10 * time.Second
	// mostWaiting is how many questions by UDP may wait for others at a time.
	mostWaiting = 2 * mostAsked
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
		if err := s.sockets.add(listener); err != nil {
			return err
		}
		s.running.Go(func() { s.serveUDP(conn.(*net.UDPConn)) })
		s.running.Go(func() { s.serveTCP(listener) })
	}
	return nil
}

// serveUDP answers what is known here packet by packet. Others are asked beside that.
func (s *server) serveUDP(conn *net.UDPConn) {
	waiting := make(chan struct{}, mostWaiting)
	s.hear(conn, anyPacket, func(packet []byte, client netip.AddrPort) {
		q, ok := readQuestion(packet)
		if !ok {
			return
		}
		send := func(answer []byte) { _, _ = conn.WriteToUDPAddrPort(answer, client) }
		answer, whom := s.known(q, q.size)
		if answer != nil {
			send(answer)
			return
		}
		select {
		case waiting <- struct{}{}:
		default:
			return // the client will ask again
		}
		packet = slices.Clone(packet)
		s.running.Go(func() {
			defer func() { <-waiting }()
			send(s.askOthers(q, packet, whom, false))
		})
	})
}

// serveTCP answers connections.
func (s *server) serveTCP(listener net.Listener) {
	open := make(chan struct{}, mostConns)
	for {
		conn, err := listener.Accept()
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			s.warn(err)
			continue
		}
		select {
		case open <- struct{}{}:
		default:
			conn.Close()
			continue
		}
		if s.sockets.add(conn) != nil {
			return
		}
		s.running.Go(func() {
			defer func() { s.sockets.drop(conn); <-open }()
			s.serveConn(conn)
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
	answer, err := s.asking.ask(s.ctx, packet, whom, tcp)
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
