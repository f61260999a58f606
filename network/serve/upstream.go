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
	"time"
)

const (
	// askTime is how long one server of others is waited for.
	askTime = 2 * time.Second
	// mostAsked is how many questions are with others at a time. More are answered with a failure.
	mostAsked = 150
	dnsPort   = 53
)

// errBusy says that too many questions are with others.
var errBusy = errors.New("too many questions at a time")

// An upstream asks other servers. It may be used by many goroutines.
type upstream struct {
	// dial connects in the machine of the server.
	dial func(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error)
	// machine are the servers of the machine itself.
	machine func() []netip.Addr
	asked   chan struct{}
}

// ask passes a question on as it is, and returns the answer as it comes, with the number of the question. The servers are
// tried in their order, as long as one does not answer.
func (u *upstream) ask(ctx context.Context, question []byte, r route, tcp bool) ([]byte, error) {
	select {
	case u.asked <- struct{}{}:
		defer func() { <-u.asked }()
	default:
		return nil, errBusy
	}
	servers := r.servers
	if len(servers) == 0 {
		servers = u.machine()
	}
	err := errors.New("nobody to ask")
	for _, server := range servers {
		var answer []byte
		if answer, err = u.askOne(ctx, question, netip.AddrPortFrom(server, dnsPort), tcp); err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// askOne asks one server, under a number that cannot be guessed, from a port that the kernel chooses.
func (u *upstream) askOne(ctx context.Context, question []byte, server netip.AddrPort, tcp bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	network := "udp"
	if tcp {
		network = "tcp"
	}
	conn, err := u.dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	sent := append([]byte(nil), question...)
	if _, err := rand.Read(sent[:2]); err != nil {
		return nil, err
	}
	exchange := exchangeUDP
	if tcp {
		exchange = exchangeTCP
	}
	answer, err := exchange(conn, sent)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", server, err)
	}
	copy(answer[:2], question[:2])
	return answer, nil
}

// exchangeUDP sends a question and waits for its answer. Packets that are none are passed over: anybody can send them.
func exchangeUDP(conn net.Conn, question []byte) ([]byte, error) {
	if _, err := conn.Write(question); err != nil {
		return nil, err
	}
	buffer := make([]byte, 1<<16)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, err
		}
		if answers(buffer[:n], question) {
			return append([]byte(nil), buffer[:n]...), nil
		}
	}
}

// exchangeTCP is exchangeUDP on a connection, with the length before each packet.
func exchangeTCP(conn net.Conn, question []byte) ([]byte, error) {
	if err := writeFrame(conn, question); err != nil {
		return nil, err
	}
	answer, err := readFrame(conn)
	if err == nil && !answers(answer, question) {
		err = errors.New("the answer is to another question")
	}
	return answer, err
}

// answers reports whether a packet answers a question: it has its number, and repeats it.
func answers(packet, question []byte) bool {
	if len(packet) < 12 || packet[0] != question[0] || packet[1] != question[1] {
		return false
	}
	asked, ok := readQuestion(question)
	if !ok {
		return false
	}
	back := append([]byte(nil), packet...)
	const response = 1 << 7
	if back[2]&response == 0 {
		return false
	}
	back[2] &^= response
	again, ok := readQuestion(back)
	return ok && again.Type == asked.Type && again.Class == asked.Class && canonical(again.Name.String()) == canonical(asked.Name.String())
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
