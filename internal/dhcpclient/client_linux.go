// SPDX-License-Identifier: Apache-2.0

package dhcpclient

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// slice is how long ctx may have ended before that is seen.
const slice = 20 * time.Millisecond

// Lease takes a lease for an interface of the namespace that the calling thread is in. The interface must be up; it needs
// no address. Questions are repeated until they are answered or ctx ends, whose cause is then the error.
// A refused address wraps ErrRefused. It needs CAP_NET_RAW.
func Lease(ctx context.Context, ifname string, o Options) (*Grant, error) {
	c, err := open(ifname, o)
	if err != nil {
		return nil, fmt.Errorf("dhcp on %s: %w", ifname, err)
	}
	defer unix.Close(c.fd)
	g, err := c.lease(ctx)
	if err != nil {
		return nil, fmt.Errorf("dhcp on %s: %w", ifname, err)
	}
	return g, nil
}

type client struct {
	Options
	fd    int
	index int
	mac   [6]byte
	id    uint32
}

func open(ifname string, o Options) (*client, error) {
	link, err := net.InterfaceByName(ifname)
	if err != nil {
		return nil, err
	}
	if len(link.HardwareAddr) != 6 {
		return nil, fmt.Errorf("no Ethernet device: %w", errors.ErrUnsupported)
	}
	c := &client{Options: o, index: link.Index}
	copy(c.mac[:], link.HardwareAddr)
	var id [4]byte
	rand.Read(id[:])
	c.id = binary.BigEndian.Uint32(id[:])
	if c.Retransmit <= 0 {
		c.Retransmit = time.Second
	}
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_IP))
	if c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(c.fd, &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: link.Index}); err != nil {
		unix.Close(c.fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return c, nil
}

func (c *client) lease(ctx context.Context) (*Grant, error) {
	wanted := map[byte][]byte{
		optHostname: []byte(c.Hostname), optClientID: c.ClientID,
		optParameters: {optMask, optRouter, optDNS, optHostname, optDomain, optMTU, optTime, optServer, optBootFile},
	}
	if c.Address.Is4() {
		wanted[optAddress] = c.Address.AsSlice()
	}
	offered, err := c.ask(ctx, discover, wanted)
	if err != nil {
		return nil, err
	}
	wanted[optAddress], wanted[optServer] = offered.yours.AsSlice(), offered.options[optServer]
	given, err := c.ask(ctx, request, wanted)
	if err != nil {
		return nil, err
	}
	if given.kind == nak {
		return nil, fmt.Errorf("%s: %w", offered.yours, ErrRefused)
	}
	return given.grant()
}

// ask sends a question until an answer comes.
func (c *client) ask(ctx context.Context, kind byte, options map[byte][]byte) (*message, error) {
	question := message{kind: kind, id: c.id, mac: c.mac, options: options}
	packet := wrap(question.encode())
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_IP))
	to := &unix.SockaddrLinklayer{Protocol: protocol, Ifindex: c.index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
	for pause := c.Retransmit; ; pause *= 2 {
		// A link that is not ready yet may be so at the next try.
		if err := unix.Sendto(c.fd, packet, 0, to); err != nil && !errors.Is(err, unix.ENETDOWN) && !errors.Is(err, unix.ENOBUFS) {
			return nil, os.NewSyscallError("sendto", err)
		}
		answer, err := c.answer(ctx, kind, time.Now().Add(pause))
		if answer != nil || err != nil {
			return answer, err
		}
	}
}

// answer waits for the answer to a question, and is nil if none comes in time.
func (c *client) answer(ctx context.Context, kind byte, deadline time.Time) (*message, error) {
	buffer := make([]byte, 65536)
	for time.Now().Before(deadline) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		wait := unix.NsecToTimespec(max(0, min(slice, time.Until(deadline))).Nanoseconds())
		n, err := unix.Ppoll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, &wait, nil)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return nil, os.NewSyscallError("ppoll", err)
		}
		if n <= 0 {
			continue
		}
		size, _, err := unix.Recvfrom(c.fd, buffer, 0)
		if err != nil {
			continue // Such as ENETDOWN, which a later packet may follow.
		}
		payload, ok := unwrap(buffer[:size])
		if !ok || c.Strict && !intact(buffer[:size]) {
			continue
		}
		m, err := decode(payload)
		if err != nil || m.id != c.id || m.mac != c.mac {
			continue
		}
		if kind == discover && m.kind == offer || kind == request && (m.kind == ack || m.kind == nak) {
			return m, nil
		}
	}
	return nil, nil
}
