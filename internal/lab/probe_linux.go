// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A Protocol is how a probe asks.
type Protocol string

// The protocols of probes.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	ICMP Protocol = "icmp"
)

// EchoPort is where [Echo] answers.
const EchoPort = 7

// Echo answers TCP and UDP probes in a namespace, on all its addresses, until ctx ends. (ICMP probes are answered by the
// kernel.)
func Echo(ctx context.Context, namespace string) error {
	var listener net.Listener
	var socket net.PacketConn
	err := Enter(namespace, func() (err error) {
		var config net.ListenConfig
		if listener, err = config.Listen(ctx, "tcp", fmt.Sprintf(":%d", EchoPort)); err != nil {
			return err
		}
		socket, err = config.ListenPacket(ctx, "udp", fmt.Sprintf(":%d", EchoPort))
		return err
	})
	if err != nil {
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return err
	}
	context.AfterFunc(ctx, func() {
		_ = listener.Close()
		_ = socket.Close()
	})
	go echoStreams(listener)
	go echoPackets(socket)
	return nil
}

func echoStreams(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

func echoPackets(socket net.PacketConn) {
	packet := make([]byte, 1500)
	for {
		n, from, err := socket.ReadFrom(packet)
		if err != nil {
			return
		}
		_, _ = socket.WriteTo(packet[:n], from)
	}
}

// Probe asks for an answer from to, out of a namespace. It returns nil for an answer, ErrRejected if the way there is
// barred, as the packet filter or a router says, and another error if nothing came back in time.
func Probe(ctx context.Context, namespace string, how Protocol, to netip.Addr) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if how == ICMP {
		return ping(ctx, namespace, to)
	}
	var conn net.Conn
	err := Enter(namespace, func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, string(how), netip.AddrPortFrom(to, EchoPort).String())
		return err
	})
	if err != nil {
		return rejected(err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	const question = "is anybody there?"
	if _, err := io.WriteString(conn, question); err != nil {
		return rejected(err)
	}
	answer := make([]byte, len(question))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return rejected(err)
	}
	if string(answer) != question {
		return fmt.Errorf("wrong answer %q", answer)
	}
	return nil
}

// ErrRejected is what a probe gets whose way is barred.
var ErrRejected = errors.New("rejected")

// rejected turns an error of a socket that tells of an ICMP message into ErrRejected; a time-out stays what it is.
func rejected(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRejected, err)
}

// pings holds what differs between the two versions of ICMP.
var pings = map[bool]struct {
	network     string
	number      int
	ask, answer icmp.Type
	unreachable icmp.Type
}{
	true:  {"ip4:icmp", 1, ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply, ipv4.ICMPTypeDestinationUnreachable},
	false: {"ip6:ipv6-icmp", 58, ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, ipv6.ICMPTypeDestinationUnreachable},
}

// ping sends an ICMP echo request and waits for its answer, or for word that it cannot get there.
func ping(ctx context.Context, namespace string, to netip.Addr) error {
	p := pings[to.Is4()]
	var socket net.PacketConn
	err := Enter(namespace, func() (err error) {
		socket, err = (&net.ListenConfig{}).ListenPacket(ctx, p.network, "")
		return err
	})
	if err != nil {
		return err
	}
	defer socket.Close()
	deadline, _ := ctx.Deadline()
	if err := socket.SetDeadline(deadline); err != nil {
		return err
	}
	request, err := (&icmp.Message{Type: p.ask, Body: &icmp.Echo{ID: 4711, Seq: 1, Data: []byte("ping")}}).Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := socket.WriteTo(request, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return rejected(err)
	}
	packet := make([]byte, 1500)
	for {
		n, _, err := socket.ReadFrom(packet)
		if err != nil {
			return rejected(err)
		}
		m, err := icmp.ParseMessage(p.number, packet[:n])
		if err != nil {
			return err
		}
		switch m.Type {
		case p.answer:
			return nil
		case p.unreachable:
			return fmt.Errorf("%w: %v, code %d", ErrRejected, m.Type, m.Code)
		}
	}
}
