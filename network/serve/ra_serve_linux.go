// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// The first advertisements come fast, the others at random times: RFC 4861, sections 6.2.1 and 10.
	firstRounds   = 3
	firstInterval = 16 * time.Second
	leastInterval = 200 * time.Second
	mostInterval  = 600 * time.Second
	// leastGap is between two advertisements to everybody.
	leastGap = 3 * time.Second
	// retryGap is how long the host may need for its own address on the link.
	retryGap = 200 * time.Millisecond
)

var (
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
)

// listenRA opens what advertisements need, and starts to speak.
func (s *server) listenRA(ctx context.Context, device *net.Interface) error {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return control(raw, func(fd int) error { return routerSocket(fd, device) })
	}}
	conn, err := config.ListenPacket(ctx, "ip6:ipv6-icmp", "::")
	if err != nil {
		return opened("router advertisements", err)
	}
	if err := s.sockets.add(conn); err != nil {
		return err
	}
	asked := make(chan struct{}, 1)
	s.running.Go(func() { s.hearSolicitations(conn.(*net.IPConn), device, asked) })
	s.running.Go(func() { s.advertise(conn.(*net.IPConn), device, asked) })
	return nil
}

// routerSocket makes a socket hear solicitations of one device, and speak as far as that link.
func routerSocket(fd int, device *net.Interface) error {
	// The filter has a bit for each type that is not heard: RFC 3542, section 3.2.
	var filter [32]byte
	for i := range filter {
		filter[i] = 0xff
	}
	word := binary.NativeEndian.Uint32(filter[typeSolicitation/32*4:]) &^ (1 << (typeSolicitation % 32))
	binary.NativeEndian.PutUint32(filter[typeSolicitation/32*4:], word)
	const icmp6Filter, hops = 1, 255
	group := &unix.IPv6Mreq{Multiaddr: allRouters.As16(), Interface: uint32(device.Index)}
	return errors.Join(
		unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, device.Name),
		unix.SetsockoptString(fd, unix.SOL_ICMPV6, icmp6Filter, string(filter[:])),
		unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, group),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, hops),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
	)
}

// hearSolicitations answers guests that have an address, and lets the others be told together with everybody.
func (s *server) hearSolicitations(conn *net.IPConn, device *net.Interface, asked chan<- struct{}) {
	buffer, control := make([]byte, 1500), make([]byte, 256)
	for {
		n, m, _, from, err := conn.ReadMsgIP(buffer, control)
		if s.ctx.Err() != nil {
			return
		}
		if err != nil {
			s.warn(err)
			continue
		}
		if !isSolicitation(buffer[:n], hopsOf(control[:m])) {
			continue
		}
		if from.IP.IsUnspecified() {
			select {
			case asked <- struct{}{}:
			default:
			}
			continue
		}
		s.speak(conn, device, &net.IPAddr{IP: from.IP, Zone: numbered(device)})
	}
}

// hopsOf is how far a packet can have come, 0 if that is not told.
func hopsOf(control []byte) int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_HOPLIMIT && len(m.Data) >= 4 {
			return int(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

// numbered is the zone of a device by its number. Package net remembers which names devices have, for a minute and of all
// namespaces together.
func numbered(device *net.Interface) string { return strconv.Itoa(device.Index) }

// advertise speaks to everybody: now and then, and when asked.
func (s *server) advertise(conn *net.IPConn, device *net.Interface, asked <-chan struct{}) {
	everybody := &net.IPAddr{IP: allNodes.AsSlice(), Zone: numbered(device)}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for round := 0; ; {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-asked:
		}
		if !s.speak(conn, device, everybody) {
			timer.Reset(retryGap)
			continue
		}
		wait := leastInterval + rand.N(mostInterval-leastInterval)
		if round < firstRounds {
			wait = firstInterval
		}
		round++
		timer.Reset(wait)
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(leastGap):
		}
	}
}

// speak sends an advertisement. It fails as long as the host has no address of its own on the link.
func (s *server) speak(conn *net.IPConn, device *net.Interface, to *net.IPAddr) bool {
	s.mu.Lock()
	m := advertisement(&s.doc, &s.dhcp6.said, device.HardwareAddr, device.MTU)
	s.mu.Unlock()
	_, err := conn.WriteToIP(m, to)
	return err == nil
}
